/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BNN_TOOLS_HOST_H
#define BNN_TOOLS_HOST_H

/* {"type":"host",...}: what this processor is and has, and what the binary holds for it. */
void report_host(void);

#endif
