/* SPDX-License-Identifier: Apache-2.0 */
/* Names and numbers in scenarios. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/riscv64/hw.h"
#include "sim/scenario_internal.h"

struct name {
    const char *name;
    uint64_t value;
};

static bool find_name(const struct name *names, size_t count, const char *text,
                      uint64_t *value)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].name, text) == 0) {
            *value = names[i].value;
            return true;
        }
    }
    return false;
}

static unsigned suffix_shift(char c)
{
    return c == 'K' ? 10 : c == 'M' ? 20 : c == 'G' ? 30 : 0;
}

bool parse_number(const char *text, uint64_t *value)
{
    bool negative = *text == '-';
    int base = 10;
    unsigned shift;
    char *end;

    text += negative;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'b')) {
        base = text[1] == 'x' ? 16 : 2;
        text += 2;
    }
    if (*text == '\0' || *text == '-' || *text == '+' || *text == ' ')
        return false;
    errno = 0;
    *value = strtoull(text, &end, base);
    if (errno != 0 || end == text)
        return false;
    shift = suffix_shift(*end);
    if (shift != 0) {
        if (*value >> (64 - shift) != 0)
            return false;
        *value <<= shift;
        end++;
    }
    if (negative)
        *value = -*value;
    return *end == '\0';
}

bool need_number(struct scenario *s, const char *text, uint64_t *value)
{
    if (parse_number(text, value))
        return true;
    scenario_bad(s, "'%.40s' is not a number", text);
    return false;
}

const char *value_of(const char *word, const char *key)
{
    size_t length = strlen(key);

    if (strncmp(word, key, length) != 0 || word[length] != '=')
        return NULL;
    return word + length + 1;
}

bool parse_register(const char *text, uint8_t *reg)
{
    static const char *const names[REG_COUNT] = {
        "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
        "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
        "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    };
    uint64_t number;

    for (unsigned i = 0; i < REG_COUNT; i++) {
        if (strcmp(names[i], text) == 0) {
            *reg = (uint8_t)i;
            return true;
        }
    }
    if ((text[0] != 'x' && text[0] != 'f' && text[0] != 'v') ||
        !parse_number(text + 1, &number) || number >= REG_COUNT)
        return false;
    *reg = (uint8_t)number;
    return true;
}

static const struct name causes[] = {
    {"insn-misaligned", CAUSE_INSN_MISALIGNED},
    {"insn-access", CAUSE_INSN_ACCESS},
    {"illegal-insn", CAUSE_ILLEGAL_INSN},
    {"breakpoint", CAUSE_BREAKPOINT},
    {"load-misaligned", CAUSE_LOAD_MISALIGNED},
    {"load-access", CAUSE_LOAD_ACCESS},
    {"store-misaligned", CAUSE_STORE_MISALIGNED},
    {"store-access", CAUSE_STORE_ACCESS},
    {"ecall-u", CAUSE_ECALL_U},
    {"ecall-hs", CAUSE_ECALL_HS},
    {"ecall-vs", CAUSE_ECALL_VS},
    {"ecall-m", CAUSE_ECALL_M},
    {"insn-page-fault", CAUSE_INSN_PAGE_FAULT},
    {"load-page-fault", CAUSE_LOAD_PAGE_FAULT},
    {"store-page-fault", CAUSE_STORE_PAGE_FAULT},
    {"insn-guest-page-fault", CAUSE_INSN_GUEST_PAGE_FAULT},
    {"load-guest-page-fault", CAUSE_LOAD_GUEST_PAGE_FAULT},
    {"virtual-insn", CAUSE_VIRTUAL_INSN},
    {"store-guest-page-fault", CAUSE_STORE_GUEST_PAGE_FAULT},
    {"soft-interrupt", CAUSE_INTERRUPT | IRQ_S_SOFT},
    {"timer-interrupt", CAUSE_INTERRUPT | IRQ_S_TIMER},
    {"external-interrupt", CAUSE_INTERRUPT | IRQ_S_EXT},
    {"vs-soft-interrupt", CAUSE_INTERRUPT | IRQ_VS_SOFT},
    {"vs-timer-interrupt", CAUSE_INTERRUPT | IRQ_VS_TIMER},
    {"vs-external-interrupt", CAUSE_INTERRUPT | IRQ_VS_EXT},
};

bool parse_cause(const char *text, uint64_t *cause)
{
    return find_name(causes, ARRAY_SIZE(causes), text, cause) ||
           parse_number(text, cause);
}

const char *cause_name(uint64_t cause)
{
    static char number[24];

    for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
        if (causes[i].value == cause)
            return causes[i].name;
    }
    snprintf(number, sizeof(number), "0x%llx", (unsigned long long)cause);
    return number;
}

bool parse_csr(const char *text, uint32_t *number)
{
    static const struct name names[] = {
#define X(name, number) {#name, number},
        RISCV_CSRS(X)
#undef X
    };
    uint64_t value;

    if (!find_name(names, ARRAY_SIZE(names), text, &value) &&
        !parse_number(text, &value))
        return false;
    *number = (uint32_t)value;
    return value < 4096;
}

/* SBI extension ids (SBI 2.0). */
bool parse_extension(const char *text, uint64_t *number)
{
    static const struct name names[] = {
        {"base", 0x10},         {"time", 0x54494d45}, {"ipi", 0x735049},
        {"rfence", 0x52464e43}, {"hsm", 0x48534d},    {"srst", 0x53525354},
        {"pmu", 0x504d55},      {"dbcn", 0x4442434e}, {"hypercall", 0x485643},
    };

    return find_name(names, ARRAY_SIZE(names), text, number) ||
           parse_number(text, number);
}

bool parse_vcpu_name(struct scenario *s, const char *text,
                     struct vcpu_name *name)
{
    const char *dot = strchr(text, '.');
    uint64_t vm = s->spec.vm_count != 0 ? s->spec.vms[0].id : 1;
    uint64_t vcpu;
    char number[24];

    if (dot != NULL) {
        snprintf(number, sizeof(number), "%.*s", (int)(dot - text), text);
        if (!parse_number(number, &vm))
            vm = UINT64_MAX;
        text = dot + 1;
    }
    snprintf(number, sizeof(number), "%.*s", (int)strcspn(text, ":"), text);
    if (vm >= VMM_MAX_VMS || !parse_number(number, &vcpu) ||
        vcpu >= MAX_VCPU_NUM) {
        scenario_bad(s, "'%.40s' names no vCPU", text);
        return false;
    }
    *name = (struct vcpu_name){(vm_id)vm, (vcpu_id)vcpu};
    return true;
}
