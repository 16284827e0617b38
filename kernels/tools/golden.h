/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the outputs of the run just done with the golden ones. */
#ifndef BNN_TOOLS_GOLDEN_H
#define BNN_TOOLS_GOLDEN_H

#include "tools/network.h"

/* Writes {"type":"golden",...}. MISMATCH where an element differs by more than atol + rtol * |expected|; bits and
 * integers too, where the tolerances do not say otherwise. */
enum bnn_status golden_compare(const struct network *network, const struct array *goldens, double atol, double rtol,
                               struct bnn_error *error);

/* Reads one file for each output. */
enum bnn_status golden_read(const struct network *network, const struct files *files, struct array *goldens,
                            struct bnn_error *error);

#endif
