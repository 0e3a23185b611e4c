/* SPDX-License-Identifier: Apache-2.0 */
/* Exit reasons and VM-instruction errors by their names in the manual. */
#include "arch/x86_64/vmx/vmx.h"

static const char *const errors[] = {
#define X(number, name, text) [number] = (text),
    VMX_ERRORS(X)
#undef X
};

static const char *const reasons[] = {
#define X(number, name, text) [number] = (text),
    VMX_REASONS(X)
#undef X
};

const char *vmx_reason_name(uint64_t reason)
{
    uint64_t number = FIELD_GET(VMX_REASON_BASIC, reason);

    if (reason == VMX_ENTRY_REFUSED)
        return "VMfailInvalid";
    if ((reason & VMX_ENTRY_REFUSED) != 0)
        return number < ARRAY_SIZE(errors) ? errors[number] : NULL;
    return number < ARRAY_SIZE(reasons) ? reasons[number] : NULL;
}
