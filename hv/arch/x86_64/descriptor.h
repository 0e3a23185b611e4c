/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segment descriptors, and what may be loaded of them: Intel SDM volume 3,
 * sections 3.4.5 and 3.5, and table 8-1 for the loads of a task switch. Of
 * protected mode, without long mode's of 16 bytes. Pure.
 */
#ifndef ARCH_X86_64_DESCRIPTOR_H
#define ARCH_X86_64_DESCRIPTOR_H

#include "arch/x86_64/boot/entry.h"

#define X86_DESCRIPTOR_ACCESS 5 /* where its byte of type, S, DPL and P is */

/* Of struct x86_segment's attributes, besides those of emulate/cpu.h. */
#define X86_SEG_CONFORMING X86_SEG_DOWN     /* of code */
#define X86_SEG_READABLE   X86_SEG_WRITABLE /* likewise */
#define X86_SEG_NO_SYSTEM  BIT(4)           /* code or data */
#define X86_SEG_DPL        BIT_MASK(6, 5)
#define X86_SEG_GRANULAR   BIT(11)

/* The type, with X86_SEG_NO_SYSTEM. */
#define X86_SEG_TYPE      BIT_MASK(4, 0)
#define X86_TYPE_LDT      UINT32_C(2)
#define X86_TYPE_TSS      UINT32_C(1) /* available, of 16 bits */
#define X86_TYPE_TSS_BUSY UINT32_C(2) /* set besides */
#define X86_TYPE_TSS_32   UINT32_C(8) /* likewise */

#define X86_SELECTOR_RPL   UINT32_C(0x0003)
#define X86_SELECTOR_LDT   UINT32_C(0x0004)
#define X86_SELECTOR_INDEX UINT32_C(0xfff8)

static inline bool x86_selector_is_null(uint16_t selector)
{
    return (selector & ~X86_SELECTOR_RPL) == 0;
}

/* The segment but for its selector. */
void x86_decode_descriptor(uint64_t bits, struct x86_segment *segment);

/* Whether a task at `cpl` may have the segment, whose selector is in it, in
 * register `number` (as struct x86_entry has them, but TR), if it is present;
 * else, it is #TS. */
bool x86_task_may_load(unsigned number, const struct x86_segment *segment,
                       unsigned cpl);

#endif
