/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of VMX in the hardware seam, on a processor that has SVM. */
#include "arch/x86_64/hw.h"
#include "lib/check.h"
#include "lib/string.h"

void x86_vmx_vmclear_impl(hpa_t vmcs)
{
    CHECK(false);
}

void x86_vmx_vmptrld_impl(hpa_t vmcs)
{
    CHECK(false);
}

uint64_t x86_vmx_vmread_impl(uint32_t field)
{
    CHECK(false);
    return 0;
}

void x86_vmx_vmwrite_impl(uint32_t field, uint64_t value)
{
    CHECK(false);
}

uint64_t x86_vmx_get_impl(uint32_t field)
{
    CHECK(false);
    return 0;
}

void x86_vmx_put_impl(uint32_t field, uint64_t value)
{
    CHECK(false);
}

void x86_vmx_set_host_state_impl(void)
{
    CHECK(false);
}

uint32_t x86_vmx_enter_impl(struct x86_regs *regs, bool launched)
{
    return X86_VMX_FAIL_INVALID;
}

void x86_vmx_host_event_impl(uint32_t info) {}

void x86_vmx_load_state_impl(const struct x86_vmx_state *state) {}

void x86_vmx_save_state_impl(struct x86_vmx_state *state)
{
    memset(state, 0, sizeof(*state));
}

void x86_vmx_invept_impl(uint64_t type, uint64_t eptp)
{
    CHECK(false);
}

void x86_vmx_invvpid_impl(uint64_t type, uint16_t vpid, uint64_t address)
{
    CHECK(false);
}

uint64_t x86_hw_read_dr6_impl(void)
{
    CHECK(false);
    return 0;
}

void x86_hw_write_dr6_impl(uint64_t value)
{
    CHECK(false);
}
