/* SPDX-License-Identifier: Apache-2.0 */
/* The processors that can be faked. */
#include <stddef.h>
#include <string.h>

#include "arch/riscv64/hw.h"
#include "sim/fake_hw/riscv64/profile.h"

#define SV39 BIT(8)
#define SV48 BIT(9)
#define SV57 BIT(10)
#define BARE BIT(0)

const struct riscv_profile riscv_profiles[] = {
    {
        .base = {"virt",
                 "as QEMU's rv64: Sstc, all table formats, no vector unit"},
        .features = RISCV_FEATURE_SSTC | RISCV_FEATURE_FD,
        .stage2_modes = BARE | SV39 | SV48 | SV57,
        .vsatp_modes = BARE | SV39 | SV48 | SV57,
        .vmid_bits = 14,
        .htinst = true,
        .stval_insn = true,
        .hardware_ad = true,
    },
    {
        .base = {"plain",
                 "the least the manual allows: no Sstc, no VMIDs, Sv39 only, "
                 "no help in htinst and stval"},
        .features = RISCV_FEATURE_FD,
        .stage2_modes = BARE | SV39,
        .vsatp_modes = BARE | SV39,
    },
    {
        .base = {"full",
                 "everything: vectors of 32 bytes, Svpbmt, Zicbom, Zicboz"},
        .features = RISCV_FEATURE_SSTC | RISCV_FEATURE_FD | RISCV_FEATURE_V |
                    RISCV_FEATURE_SVPBMT | RISCV_FEATURE_ZICBOM |
                    RISCV_FEATURE_ZICBOZ,
        .stage2_modes = BARE | SV39 | SV48 | SV57,
        .vsatp_modes = BARE | SV39 | SV48 | SV57,
        .vlenb = 32,
        .vmid_bits = 7,
        .htinst = true,
    },
    {.base = {NULL, NULL}},
};

const struct riscv_profile *riscv_profile_find(const char *name)
{
    for (const struct riscv_profile *p = riscv_profiles; p->base.name != NULL;
         p++) {
        if (strcmp(p->base.name, name) == 0)
            return p;
    }
    return NULL;
}
