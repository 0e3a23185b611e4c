/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of riscv64 processor is faked: the choices that the privileged
 * architecture leaves to an implementation.
 */
#ifndef SIM_FAKE_HW_RISCV64_PROFILE_H
#define SIM_FAKE_HW_RISCV64_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/fake_hw/profile.h"

struct riscv_profile {
    struct fake_profile base;
    uint64_t features;     /* enum riscv_feature */
    uint64_t stage2_modes; /* bit n: hgatp.MODE n */
    uint64_t vsatp_modes;  /* bit n: vsatp.MODE n */
    uint16_t vlenb;
    uint8_t vmid_bits; /* 0 to 14 */
    bool htinst;       /* guest page faults give a transformed instruction */
    bool stval_insn;   /* stval of an illegal instruction is its bits */
    bool hardware_ad;  /* A and D bits are set by the page-table walker */
};

/* The default comes first; the table ends with a NULL name. */
extern const struct riscv_profile riscv_profiles[];

/* The profile called `name`, or NULL. */
const struct riscv_profile *riscv_profile_find(const char *name);

#endif
