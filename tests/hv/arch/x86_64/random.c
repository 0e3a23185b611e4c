/* SPDX-License-Identifier: Apache-2.0 */
/* Random instructions; see random.h. */
#include "random.h"

#include <stdlib.h>

#include "arch/x86_64/emulate/tables.h"

#define ESCAPE    0x0f
#define ESCAPE_38 0x38

uint64_t random_value(uint64_t *state)
{
    switch (random_pick(state, 4)) {
    case 0: return random_next(state) & 0xff;
    case 1:
        return (UINT64_C(1) << random_pick(state, 64)) - 1 +
               random_pick(state, 3);
    case 2: return 0 - (random_next(state) & 0xff);
    default: return random_next(state);
    }
}

/* An opcode of the map: three times in four one that has a row. */
static uint8_t pick_opcode(uint64_t *state, const struct x86_opcode *map)
{
    bool any = random_pick(state, 4) == 0;

    for (;;) {
        uint8_t opcode = (uint8_t)random_next(state);

        if (any || (map[opcode].flags & X86_KNOWN) != 0)
            return opcode;
    }
}

static unsigned put_prefixes(uint64_t *state, enum x86_mode mode,
                             uint8_t *bytes)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26,
                                       0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66};
    unsigned count = random_pick(state, 4), at = 0;

    if (random_pick(state, 64) == 0)
        count = random_pick(state, X86_INSN_MAX);
    while (at < count)
        bytes[at++] = prefixes[random_pick(state, sizeof(prefixes))];
    if (mode == X86_MODE_64 && at < X86_INSN_MAX && random_pick(state, 2) != 0)
        bytes[at++] = (uint8_t)(0x40 | random_pick(state, 16));
    return at;
}

void random_insn(uint64_t *state, enum x86_mode mode,
                 uint8_t bytes[X86_INSN_MAX])
{
    uint8_t all[2 * X86_INSN_MAX];
    unsigned at;

    for (unsigned i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)random_value(state);
    at = put_prefixes(state, mode, all);
    switch (random_pick(state, 8)) {
    case 0:
    case 1:
    case 2:
        all[at++] = ESCAPE;
        all[at++] = pick_opcode(state, x86_map_0f);
        break;
    case 3:
        all[at++] = ESCAPE;
        all[at++] = ESCAPE_38;
        all[at++] = pick_opcode(state, x86_map_0f38);
        break;
    default: all[at++] = pick_opcode(state, x86_map_one); break;
    }
    all[at] = (uint8_t)random_next(state); /* ModRM: all forms alike */
    for (unsigned i = 0; i < X86_INSN_MAX; i++)
        bytes[i] = all[i];
}

unsigned long random_rounds(unsigned long usual)
{
    const char *text = getenv("TWINAX_RANDOM_INSNS");

    return text != NULL ? strtoul(text, NULL, 0) : usual;
}
