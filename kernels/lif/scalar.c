/* SPDX-License-Identifier: Apache-2.0 */
#include "lif/neuron.h"

void bnn_lif_1x1_scalar(const struct bnn_lif_row *row, float *y, uint32_t *words) { neuron_steps(row, y, words, 0, 0); }
