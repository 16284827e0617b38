/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/json.h"
#include "bnn/bnn.h"

#if defined(__aarch64__)
#define ARCH "aarch64"
#elif defined(__arm__) && __ARM_ARCH >= 7
#define ARCH "armv7"
#elif defined(__arm__)
#define ARCH "armv6"
#elif defined(__x86_64__)
#define ARCH "x86_64"
#else
#define ARCH "other"
#endif

/* qemu-user imitates /proc but passes /sys through: there the CPU's modalias still names the machine underneath. */
static const char *emulator(void) {
  FILE *file = fopen("/sys/devices/system/cpu/modalias", "r");
  if (file == NULL) return NULL;
  char text[64] = "";
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = '\0';
  bool here_x86 = strcmp(ARCH, "x86_64") == 0, below_x86 = strstr(text, "type:x86") != NULL;
  return length > 0 && here_x86 != below_x86 ? "qemu-user" : NULL;
}

static void list_isa(struct bnn_json *json, const char *key, uint32_t bits) {
  bnn_json_array(json, key);
  for (uint32_t isa = 0; isa < BNN_ISA_COUNT; isa++) {
    if (bits >> isa & 1) bnn_json_string(json, NULL, bnn_isa_name((enum bnn_isa_index)isa));
  }
  bnn_json_end_array(json);
}

void report_host(void) {
  struct bnn_json json = bnn_json_open(stdout, "host");
  bnn_json_string(&json, "version", BNN_RUNTIME_VERSION);
  bnn_json_string(&json, "arch", ARCH);
  bnn_json_integer(&json, "pointer_bits", (int64_t)sizeof(void *) * 8);
  list_isa(&json, "isa", bnn_cpu_isa());
  list_isa(&json, "isa_built", bnn_built_isa());
  bnn_json_integer(&json, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
  bnn_json_boolean(&json, "in_order", bnn_cpu_in_order());
  bnn_json_string(&json, "emulator", emulator());
  bnn_json_close(&json);
}
