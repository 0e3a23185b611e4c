/* SPDX-License-Identifier: Apache-2.0 */
/* What a fake CPU knows of its guest in VMX non-root operation, besides the
 * registers. */
#ifndef SIM_FAKE_HW_X86_64_VMX_STATE_H
#define SIM_FAKE_HW_X86_64_VMX_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct vmx_guest {
    uint64_t capability;    /* the capability MSR that was read last */
    uint64_t pending_debug; /* VMX_PENDING_... */
    uint64_t timer_start;   /* the TSC when the guest was entered */
    uint8_t activity;       /* enum vmx_activity */
    bool mtf_pending;       /* a MTF exit, after the operation */
    bool nmi_unblocked;     /* by the IRET in flight */
    bool virtual_interrupt; /* is recognized */
    /* Where the operation has written to the virtual-APIC page; 0: nowhere. */
    uint16_t apic_written;
    /* A loop of PAUSEs: how many, when the first and the last were. */
    uint32_t pauses;
    uint64_t pause_first, pause_last;
};

#endif
