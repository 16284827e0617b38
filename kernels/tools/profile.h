/* SPDX-License-Identifier: Apache-2.0 */
/* What each layer takes: passes of their own, since reading a counter between layers costs something itself. */
#ifndef BNN_TOOLS_PROFILE_H
#define BNN_TOOLS_PROFILE_H

#include "tools/network.h"

/* {"type":"profile",...}: nanoseconds, the medians of passes that fill `min_time` seconds. `plain_ns` is what an inference
 * takes without. MEMORY. */
enum bnn_status report_profile(struct network *network, double plain_ns, double min_time, struct bnn_error *error);

/* {"type":"instructions",...}: the fewest of some passes, or why they cannot be counted. MEMORY. */
enum bnn_status report_instructions(struct network *network, struct bnn_error *error);

#endif
