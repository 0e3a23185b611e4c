/* SPDX-License-Identifier: Apache-2.0 */
/* Exit reasons of VMX: their names, and the instructions that they tell of: see
 * insn.h. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/vmx/exit.h"
#include "lib/compiler.h"
#include "sim/x86_64/insn.h"

/* As the manual has them, with underscores for what parts words. */
static const struct {
    uint32_t number;
    const char *name;
} reasons[] = {
#define X(number, name, text) {number, #name},
    VMX_REASONS(X)
#undef X
};

/* Reasons that are one instruction's. */
static const uint8_t instructions[] = {
    VMX_REASON_CPUID,   VMX_REASON_GETSEC,   VMX_REASON_HLT,
    VMX_REASON_INVD,    VMX_REASON_INVLPG,   VMX_REASON_RDPMC,
    VMX_REASON_RDTSC,   VMX_REASON_RSM,      VMX_REASON_VMCALL,
    VMX_REASON_VMCLEAR, VMX_REASON_VMLAUNCH, VMX_REASON_VMPTRLD,
    VMX_REASON_VMPTRST, VMX_REASON_VMREAD,   VMX_REASON_VMRESUME,
    VMX_REASON_VMWRITE, VMX_REASON_VMXOFF,   VMX_REASON_VMXON,
    VMX_REASON_RDMSR,   VMX_REASON_WRMSR,    VMX_REASON_MWAIT,
    VMX_REASON_MONITOR, VMX_REASON_PAUSE,    VMX_REASON_INVEPT,
    VMX_REASON_RDTSCP,  VMX_REASON_INVVPID,  VMX_REASON_WBINVD,
    VMX_REASON_XSETBV,  VMX_REASON_RDRAND,   VMX_REASON_INVPCID,
    VMX_REASON_RDSEED,
};

static char lower(char c)
{
    return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static bool is_name(const char *name, const char *text)
{
    while (*name != '\0' && lower(*name) == *text) {
        name++;
        text++;
    }
    return *name == '\0' && *text == '\0';
}

bool x86_64_vmx_exit_code(const char *name, uint64_t *code)
{
    for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (is_name(reasons[i].name, name)) {
            *code = reasons[i].number;
            return true;
        }
    }
    return false;
}

static bool format_name(uint64_t reason, char *text, size_t size)
{
    const char *name = NULL;
    size_t at = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].number == reason)
            name = reasons[i].name;
    }
    for (; name != NULL && name[at] != '\0' && at + 1 < size; at++)
        text[at] = lower(name[at]);
    text[at] = '\0';
    return name != NULL;
}

static void format_port(uint64_t info, char *text, size_t size)
{
    const struct x86_64_port io = {
        .port = (uint16_t)FIELD_GET(VMX_IO_PORT, info),
        .width = (uint8_t)(FIELD_GET(VMX_IO_SIZE, info) + 1),
        .is_in = (info & VMX_IO_IN) != 0,
        .is_string = (info & VMX_IO_STRING) != 0,
        .repeats = (info & VMX_IO_REP) != 0,
    };

    x86_64_format_port(&io, text, size);
}

static void format_control(uint64_t info, char *text, size_t size)
{
    unsigned number = (unsigned)FIELD_GET(VMX_CR_NUMBER, info);

    switch ((enum vmx_cr_type)FIELD_GET(VMX_CR_TYPE, info)) {
    case VMX_CR_TO: snprintf(text, size, "mov cr%u, ...", number); break;
    case VMX_CR_FROM: snprintf(text, size, "mov ..., cr%u", number); break;
    case VMX_CR_CLTS: snprintf(text, size, "clts"); break;
    case VMX_CR_LMSW: snprintf(text, size, "lmsw"); break;
    }
}

bool x86_64_vmx_insn(uint64_t reason, uint64_t qualification, char *text,
                     size_t size)
{
    if (reason == VMX_REASON_IO_INSTRUCTION)
        format_port(qualification, text, size);
    else if (reason == VMX_REASON_CR_ACCESS)
        format_control(qualification, text, size);
    else if (reason > UINT8_MAX ||
             memchr(instructions, (int)reason, sizeof(instructions)) == NULL)
        return false;
    else
        return format_name(reason, text, size);
    return true;
}
