/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions that this thread has retired in user mode, by the CPU's own counter. They do not depend on clock
 * frequency or load: on an emulated CPU that counts them exactly, they repeat to the digit. */
#ifndef BNN_TOOLS_INSTRUCTIONS_H
#define BNN_TOOLS_INSTRUCTIONS_H

#include <stdint.h>

/* NULL, or why there is no counter: no such CPU or system, or no permission. */
const char *instructions_open(void);
/* What was counted since; reading it costs a system call, but only some tens of instructions. */
uint64_t instructions_read(void);
void instructions_close(void);

#endif
