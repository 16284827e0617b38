/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BNN_BASE_STATUS_H
#define BNN_BASE_STATUS_H

#include "bnn/bnn.h"

/* Writes status and message to *error, where error is not NULL, and returns the status: `return bnn_fail(...);` */
enum bnn_status bnn_fail(struct bnn_error *error, enum bnn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
