/* SPDX-License-Identifier: Apache-2.0 */
/* Names and numbers in scenarios. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario_language.h"

bool scenario_find_name(const struct scenario_name *names, size_t count,
                        const char *text, uint64_t *value)
{
    for (size_t i = 0; i < count; i++) {
        if (is_word(names[i].name, text)) {
            *value = names[i].value;
            return true;
        }
    }
    return false;
}

const char *scenario_name_of(const struct scenario_name *names, size_t count,
                             uint64_t value)
{
    static char number[24];

    for (size_t i = 0; i < count; i++) {
        if (names[i].value == value)
            return names[i].name;
    }
    snprintf(number, sizeof(number), "0x%llx", (unsigned long long)value);
    return number;
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
    while (*key != '\0' && *word == *key) {
        word++;
        key++;
    }
    return *key == '\0' && *word == '=' ? word + 1 : NULL;
}

/* The number in [from, end). */
static bool parse_range(const char *from, const char *end, uint64_t *value)
{
    char number[24];
    size_t length = (size_t)(end - from);

    if (length >= sizeof(number))
        return false;
    memcpy(number, from, length);
    number[length] = '\0';
    return parse_number(number, value);
}

bool parse_vcpu_name(struct scenario *s, const char *text,
                     struct vcpu_name *name)
{
    const char *dot = strchr(text, '.');
    uint64_t vm = s->spec.vm_count != 0 ? s->spec.vms[0].id : 1;
    uint64_t vcpu;

    if (dot != NULL) {
        if (!parse_range(text, dot, &vm))
            vm = UINT64_MAX;
        text = dot + 1;
    }
    if (vm >= VMM_MAX_VMS ||
        !parse_range(text, text + strcspn(text, ":"), &vcpu) ||
        vcpu >= MAX_VCPU_NUM) {
        scenario_bad(s, "'%.40s' names no vCPU", text);
        return false;
    }
    *name = (struct vcpu_name){(vm_id)vm, (vcpu_id)vcpu};
    return true;
}
