/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/host.h"
#include "tools/network.h"

int command_info(const struct options *options) {
  report_host();
  if (options->model == NULL) return 0;
  struct network network;
  struct bnn_error error;
  if (network_open(&network, options, &error) != BNN_E_OK) return report_error(&error);
  report_model(&network);
  network_close(&network);
  return 0;
}
