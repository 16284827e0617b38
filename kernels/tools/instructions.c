/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/instructions.h"

#ifdef __linux__
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int counter = -1;

const char *instructions_open(void) {
  struct perf_event_attr wanted = {
      .type = PERF_TYPE_HARDWARE,
      .size = sizeof wanted,
      .config = PERF_COUNT_HW_INSTRUCTIONS,
      .exclude_kernel = 1, /* nobody's network runs there, and an unprivileged user may not look */
      .exclude_hv = 1,
  };
  counter = (int)syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0ul);
  if (counter >= 0) return NULL;
  switch (errno) {
    case EACCES:
    case EPERM: return "the system lets no program read its counter (kernel.perf_event_paranoid above 2)";
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP: return "this CPU, or the virtual machine around it, has no counter";
    case ENOSYS: return "this system has no counter that a program may read";
    default: return strerror(errno);
  }
}

uint64_t instructions_read(void) {
  uint64_t count = 0;
  return read(counter, &count, sizeof count) == (ssize_t)sizeof count ? count : 0;
}

void instructions_close(void) {
  if (counter >= 0) close(counter);
  counter = -1;
}
#else
const char *instructions_open(void) { return "this system has no counter that a program may read"; }
uint64_t instructions_read(void) { return 0; }
void instructions_close(void) {}
#endif
