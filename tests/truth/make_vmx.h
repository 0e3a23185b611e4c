/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator's part for VMX, in three files: the states (make_vmx.c), what
 * may be changed in them (make_vmx_changes.c), and which of what comes out may
 * be in a list (make_vmx_limits.c).
 */
#ifndef TESTS_TRUTH_MAKE_VMX_H
#define TESTS_TRUTH_MAKE_VMX_H

#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/fake_hw/x86_64/vmx/legal.h"
#include "tests/truth/host.h"
#include "tests/truth/ops.h"

struct make_vmx_state {
    enum vmx_guest_mode mode;
    bool unpaged, compatibility, user;
    uint64_t cr3, idt, gdt;
};
extern const struct make_vmx_state make_vmx_states[];
extern const unsigned make_vmx_state_count;

/* The state that the machine is set up with, as the rules look at it:
 * make_vmx_load() brings it here. */
extern uint64_t make_vmx_values[VMCS_FIELD_COUNT];
#define V(name) (make_vmx_values[VMCS_AT_##name])

/* From the machine; a legal host, but for what is changed in it. */
struct vmx_check make_vmx_load(const struct truth_machine *machine);

static inline const struct vmx_profile *make_vmx_profile(void)
{
    return fake_x86_current()->profile->vmx;
}

/* A host's field has what is changed in the host's own. */
static inline bool make_vmx_is_host(unsigned at)
{
    return vmcs_type(vmcs_fields[at].encoding) == VMCS_TYPE_HOST;
}

/* A state as it is made, before anything is changed in it. */
const uint64_t *make_vmx_state(const struct truth_machine *machine,
                               unsigned number);

/* make_vmx_changes.c ------------------------------------------------------ */

extern const struct truth_changes make_vmx_changes;

/* make_vmx_limits.c ------------------------------------------------------- */

/* As struct truth_maker's. */
unsigned make_vmx_broken(const struct truth_machine *machine, uint16_t *rules,
                         unsigned max);
bool make_vmx_comes_last(const struct truth_machine *machine);

#endif
