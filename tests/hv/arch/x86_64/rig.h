/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual CPU for the executor: flat segments, memory of a few pages, of
 * which some are absent or read-only, and one device that logs its accesses.
 */
#ifndef TEST_X86_RIG_H
#define TEST_X86_RIG_H

#include "arch/x86_64/emulate/emulate.h"

/* Linear addresses; physical ones are the same. */
#define RIG_MEMORY    UINT64_C(0x10000)
#define RIG_SIZE      UINT64_C(0x4000)
#define RIG_CODE      (RIG_MEMORY + 0x100)
#define RIG_READ_ONLY (RIG_MEMORY + 0x3000) /* the last page */
#define RIG_ABSENT    (RIG_MEMORY + RIG_SIZE)
#define RIG_DEVICE    UINT64_C(0x20ff8) /* eight bytes; then another device */
#define RIG_DEVICE_2  UINT64_C(0x21000)
#define RIG_DEVICES   UINT64_C(0x20000)
#define RIG_LOG       256

struct rig_access {
    char kind; /* r, w; i, o of ports */
    uint64_t address;
    unsigned bytes;
    uint64_t value;
};

struct rig {
    struct x86_cpu cpu;
    struct x86_outcome outcome;
    uint8_t memory[RIG_SIZE];
    uint8_t xmm[16][16];
    unsigned log_count;
    struct rig_access log[RIG_LOG]; /* of devices */
    uint64_t device_value;          /* what reads give; counts up */
};

/* 64-bit mode, CPL 0, everything else 0 but what makes it work. */
void rig_init(struct rig *rig, enum x86_mode mode);
/* Real mode: 16-bit code, segments with a base of 16 times `selector`. */
void rig_init_real(struct rig *rig);

/* Puts the bytes at RIG_CODE, RIP there, and emulates once. */
enum x86_result rig_run(struct rig *rig, const char *bytes, unsigned count);
#define RIG_RUN(rig, text) rig_run(rig, text, sizeof(text) - 1)

uint64_t rig_peek(const struct rig *rig, uint64_t address, unsigned bytes);
void rig_poke(struct rig *rig, uint64_t address, uint64_t value,
              unsigned bytes);

#endif
