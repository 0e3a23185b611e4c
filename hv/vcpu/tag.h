/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that tell the translations of one vCPU from another's in a CPU's TLB:
 * VMIDs, ASIDs, VPIDs.
 *
 * Each CPU gives out numbers of its own, so none ever waits for another: a vCPU
 * that comes to a CPU gets one that nobody has used there in the CPU's current
 * generation. What it left behind on the CPU it came from is never matched
 * again before that CPU's numbers are used up; then the CPU drops all
 * translations and starts a new generation. So a vCPU that moves needs no other
 * flush. A processor with one number only is the case of a generation per
 * change of vCPU.
 */
#ifndef VCPU_TAG_H
#define VCPU_TAG_H

#include <stdbool.h>
#include <stdint.h>

/* A CPU's, touched by that CPU alone. Zero: none was ever given out. */
struct tag_space {
    uint64_t generation;
    uint32_t next;
};

/* A vCPU's: `number` is valid on `cpu` while that is in `generation`. */
struct tag {
    uint64_t generation;
    uint32_t number;
    uint8_t cpu;
};

static inline bool tag_is_valid(const struct tag *tag,
                                const struct tag_space *space, uint32_t cpu)
{
    return tag->cpu == cpu && tag->generation == space->generation;
}

/* Another number of the `count` that the CPU has. 0 is the host's, if there is
 * another one. True: a generation begins, and the caller drops all translations
 * before any of its numbers is used. */
static inline bool tag_take(struct tag *tag, struct tag_space *space,
                            uint32_t cpu, uint32_t count)
{
    bool begins = space->generation == 0 || space->next >= count;

    if (begins) {
        space->generation++;
        space->next = count > 1 ? 1 : 0;
    }
    *tag = (struct tag){space->generation, space->next++, (uint8_t)cpu};
    return begins;
}

#endif
