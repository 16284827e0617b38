/* SPDX-License-Identifier: Apache-2.0 */
/* Work whose time depends on nothing but the core's clock, and the opposite: caches made cold. */
#ifndef BNN_TOOLS_CANARY_H
#define BNN_TOOLS_CANARY_H

#include <stddef.h>
#include <stdint.h>

#define CANARY_STEPS 2000000u

/* A chain of dependent multiply-adds. */
void canary_spin(uint64_t steps);
/* Nanoseconds that CANARY_STEPS of them take, 2 to 5 ms; the best of three. */
uint64_t canary_time(void);

/* A buffer that is larger than the caches; NULL where there is no memory for it. To be freed. */
struct flood *flood_open(void);
/* Writes to every line of it: nothing else is in the caches afterwards. */
void flood_run(struct flood *flood);
size_t flood_bytes(const struct flood *flood);

#endif
