/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The permission maps, as the processor reads them in memory. APM volume 2,
 * sections 15.10 and 15.11.
 */
#include "sim/fake_hw/x86_64/svm/cpu.h"

/* Bits `bit` and up, `count` of them, 8 at most; a map that is not in memory
 * has them all set. */
static unsigned map_bits(const struct fake_svm *cpu, uint64_t map, uint64_t bit,
                         unsigned count)
{
    uint64_t at = align_down(map, PAGE_SIZE) + bit / 8;
    const uint8_t *bytes = svm_host_memory(cpu, at, 2);

    if (bytes == NULL)
        return (1u << count) - 1;
    return (bytes[0] | (unsigned)bytes[1] << 8) >> (bit % 8) &
           ((1u << count) - 1);
}

bool svm_intercepts_msr(const struct fake_svm *cpu, uint32_t msr, bool write)
{
    static const struct {
        uint32_t first, at;
    } ranges[] = {
#define X(first, at) {first, at},
        MSRPM_RANGES(X)
#undef X
    };
    const struct vmcb_control *control = &cpu->guest.control;

    if (!vmcb_intercepts(control, INTERCEPT_MSR))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
        uint32_t offset = msr - ranges[i].first;

        if (offset < MSRPM_RANGE)
            return map_bits(cpu, control->msrpm_base_pa,
                            ranges[i].at * 8u + offset * 2u + write, 1) != 0;
    }
    return true;
}

bool svm_intercepts_port(const struct fake_svm *cpu, uint32_t port,
                         unsigned width)
{
    const struct vmcb_control *control = &cpu->guest.control;

    return vmcb_intercepts(control, INTERCEPT_IOIO) &&
           map_bits(cpu, control->iopm_base_pa, port, width) != 0;
}
