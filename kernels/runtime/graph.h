/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BNN_RUNTIME_GRAPH_H
#define BNN_RUNTIME_GRAPH_H

#include "runtime/model.h"

/* Reads values, operands and calls from a file whose header, sections and strings were found right. `ready`: a zeroed
 * flag for each tensor, for its own use. */
enum bnn_status bnn_graph_read(struct bnn_model *model, uint8_t *ready, struct bnn_error *error);

#endif
