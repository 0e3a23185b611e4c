/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executor against the processor itself: the same instruction, registers
 * and memory; registers, flags and memory afterwards are compared.
 *
 * Instructions are made from the opcode maps: every executable row comes up,
 * with all addressing forms, sizes and prefixes. Random registers would point
 * nowhere, so those of the address are solved for.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/emulate/emulate.h"
#include "arch/x86_64/emulate/tables.h"
#include "native.h"
#include "random.h"

#define ROUNDS 1000000

#define FLAGS_COMPARED (X86_RFLAGS_STATUS | X86_RFLAGS_DF)

/* One attempt. */
struct attempt {
    uint64_t *random;
    struct native *native;
    uint8_t bytes[2 * X86_INSN_MAX];
    unsigned address_at, address_size; /* displacement, or MOV's offset */
    struct x86_insn insn;
    struct native_state before;
    struct x86_cpu cpu;
    uint8_t memory[NATIVE_MEMORY]; /* as the executor sees it */
    uint8_t xmm[16][16];
};

/* Memory as the executor sees it: linear addresses are physical. */
static enum x86_result translate(void *context, uint64_t linear,
                                 enum x86_access access, gpa_t *address,
                                 struct x86_exception *fault)
{
    struct attempt *a = context;
    uint64_t offset = linear - (uintptr_t)a->native->memory;

    *address = gpa(offset);
    if (offset < NATIVE_MEMORY)
        return X86_DONE;
    *fault = (struct x86_exception){.vector = X86_VECTOR_PF, .address = linear};
    return X86_EXCEPTION;
}

static enum x86_result read(void *context, gpa_t address, void *to,
                            unsigned bytes)
{
    memcpy(to, ((struct attempt *)context)->memory + address.raw, bytes);
    return X86_DONE;
}

static enum x86_result write(void *context, gpa_t address, const void *from,
                             unsigned bytes)
{
    memcpy(((struct attempt *)context)->memory + address.raw, from, bytes);
    return X86_DONE;
}

static void read_xmm(void *context, unsigned number, uint8_t *to)
{
    memcpy(to, ((struct attempt *)context)->xmm[number], 16);
}

static void write_xmm(void *context, unsigned number, const uint8_t *from)
{
    memcpy(((struct attempt *)context)->xmm[number], from, 16);
}

static const struct x86_emulate_ops ops = {
    .translate = translate,
    .read = read,
    .write = write,
    .read_xmm = read_xmm,
    .write_xmm = write_xmm,
};

/* Prefixes, an opcode of the maps; returns where it ends. */
static unsigned put_opcode(struct attempt *a, const struct x86_opcode **row)
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0xf2, 0xf3,
                                       0x2e, 0x3e, 0x65, 0xf0};
    unsigned count = random_pick(a->random, 4), at = 0;
    uint8_t opcode = (uint8_t)random_next(a->random);

    while (at < count)
        a->bytes[at++] = prefixes[random_pick(a->random, sizeof(prefixes))];
    if (random_pick(a->random, 2) != 0)
        a->bytes[at++] = (uint8_t)(0x40 | random_pick(a->random, 16));
    switch (random_pick(a->random, 8)) {
    case 0:
    case 1:
    case 2:
        a->bytes[at++] = 0x0f;
        *row = &x86_map_0f[opcode];
        break;
    case 3:
        a->bytes[at++] = 0x0f;
        a->bytes[at++] = 0x38;
        opcode =
            (uint8_t)(random_pick(a->random, 4) == 0 ? 0x2a
                                                     : 0xf0 | (opcode & 1));
        *row = &x86_map_0f38[opcode];
        break;
    default: *row = &x86_map_one[opcode]; break;
    }
    a->bytes[at++] = opcode;
    return at;
}

/* ModRM, SIB and a displacement, three times in four in memory. */
static unsigned put_modrm(struct attempt *a, unsigned at)
{
    unsigned mod = random_pick(a->random, 4), rm = random_pick(a->random, 8);
    unsigned base = rm;

    a->bytes[at++] = (uint8_t)(mod << 6 | random_pick(a->random, 8) << 3 | rm);
    if (mod == 3)
        return at;
    if (rm == 4) {
        a->bytes[at] = (uint8_t)random_next(a->random);
        base = a->bytes[at++] & 7;
    }
    a->address_at = at;
    if (mod == 1)
        a->address_size = 1;
    else if (mod == 2 || base == 5)
        a->address_size = 4;
    for (unsigned i = 0; i < a->address_size; i++)
        a->bytes[at + i] = i < 2 ? (uint8_t)random_next(a->random) : 0;
    return at + a->address_size;
}

/* False: not an instruction that can be tried. */
static bool make_insn(struct attempt *a)
{
    const struct x86_opcode *row;
    unsigned at = put_opcode(a, &row);

    a->address_size = 0;
    if ((row->flags & X86_KNOWN) == 0 || (row->flags & X86_NOT_64) != 0)
        return false;
    if ((row->flags & X86_MODRM) != 0) {
        at = put_modrm(a, at);
    } else if (row >= &x86_map_one[0xa0] && row <= &x86_map_one[0xa3]) {
        a->address_at = at;
        a->address_size = 8;
    }
    for (unsigned i = 0; i < 8; i++)
        a->bytes[at + i] = (uint8_t)random_value(a->random);
    if (x86_decode_insn(a->bytes, X86_INSN_MAX, X86_MODE_64, &a->insn) !=
        X86_DECODED)
        return false;
    if (a->insn.address_size == 4 && a->address_size == 8)
        a->address_size = 4;
    /* Whether this clears the upper half of a destination that was not equal
     * is the processor's choice. */
    if (a->insn.op == X86_OP_cmpxchg && a->insn.operand[0].size == 4 &&
        a->insn.operand[0].kind == X86_OPERAND_GPR)
        return false;
    return a->insn.op != X86_OP_ins && a->insn.op != X86_OP_outs;
}

static bool has_memory(const struct x86_insn *insn)
{
    return insn->operand[0].kind == X86_OPERAND_MEMORY ||
           insn->operand[1].kind == X86_OPERAND_MEMORY;
}

static bool is_stack_op(const struct x86_insn *insn)
{
    return insn->op == X86_OP_push || insn->op == X86_OP_pop;
}

/* Where the operand is to be: in the middle of memory; where a lock would
 * otherwise be split, or half of the time, aligned. */
static uint64_t pick_target(struct attempt *a)
{
    bool locks = a->insn.lock || a->insn.op == X86_OP_xchg;
    uint64_t target = (uintptr_t)a->native->memory + 0x2000 +
                      random_pick(a->random, 0x100) - 0x80;

    if (locks || random_pick(a->random, 2) != 0)
        target &= ~UINT64_C(15);
    return target;
}

static void put_address(struct attempt *a, uint64_t value)
{
    memcpy(a->bytes + a->address_at, &value, a->address_size);
    if (x86_decode_insn(a->bytes, X86_INSN_MAX, X86_MODE_64, &a->insn) !=
        X86_DECODED)
        cr_assert_fail("a displacement changed what the instruction is");
}

/* Makes the memory operand's address `target`, by the base register or by the
 * displacement. False: it cannot be made so. */
static bool solve_address(struct attempt *a, uint64_t target)
{
    const struct x86_insn *insn = &a->insn;
    uint64_t *gpr = a->cpu.gpr;
    uint64_t rest = 0;

    if (insn->segment == X86_GS)
        target -= NATIVE_GS_BASE;
    if (insn->index != X86_NO_REG) {
        if (insn->base == X86_NO_REG || insn->address_size == 8)
            gpr[insn->index] &= 0xff;
        rest = gpr[insn->index] * insn->scale;
    }
    if (insn->base == X86_RIP)
        rest = (uintptr_t)a->native->code + insn->length;
    if (insn->base == X86_NO_REG || insn->base == X86_RIP) {
        put_address(a, target - rest);
        return true;
    }
    if (insn->base == insn->index)
        return false;
    gpr[insn->base] = target - rest - (uint64_t)insn->displacement;
    if (insn->address_size == 4)
        gpr[insn->base] = (uint32_t)gpr[insn->base] | random_next(a->random)
                                                          << 32;
    return true;
}

/* Registers that are addresses or counts besides those of a memory operand. */
static bool set_special(struct attempt *a)
{
    const struct x86_insn *insn = &a->insn;
    uint64_t *gpr = a->cpu.gpr;
    uint64_t middle = (uintptr_t)a->native->memory + 0x2000;

    if (is_stack_op(insn)) {
        if (insn->base == X86_GPR_RSP || insn->index == X86_GPR_RSP)
            return false;
        gpr[X86_GPR_RSP] = middle + random_pick(a->random, 64) - 32;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (insn->operand[i].kind == X86_OPERAND_SI)
            gpr[X86_GPR_RSI] = middle + random_pick(a->random, 0x200) -
                               (insn->segment == X86_GS ? NATIVE_GS_BASE : 0);
        if (insn->operand[i].kind == X86_OPERAND_DI)
            gpr[X86_GPR_RDI] = middle + random_pick(a->random, 0x200);
    }
    if (insn->op >= X86_OP_movs && insn->op <= X86_OP_scas)
        gpr[X86_GPR_RCX] = random_pick(a->random, 200);
    if (insn->op >= X86_OP_bt && insn->op <= X86_OP_btc && has_memory(insn) &&
        insn->operand[1].kind == X86_OPERAND_GPR) {
        unsigned reg = insn->operand[1].reg;

        if (reg == insn->base || reg == insn->index)
            return false;
        gpr[reg] = (uint64_t)(int64_t)(int16_t)random_next(a->random);
    }
    return true;
}

/* Values that make comparisons come out equal now and then. */
static void set_equal(struct attempt *a, uint64_t target)
{
    uint8_t *at = a->native->memory + (target - (uintptr_t)a->native->memory);

    if (random_pick(a->random, 2) == 0)
        return;
    memcpy(at, &a->cpu.gpr[X86_GPR_RAX],
           a->insn.op == X86_OP_cmpxchg8b ? 4 : 8);
    if (a->insn.op == X86_OP_cmpxchg8b)
        memcpy(at + 4, &a->cpu.gpr[X86_GPR_RDX], 4);
    if (a->insn.op == X86_OP_cmpxchg16b)
        memcpy(at + 8, &a->cpu.gpr[X86_GPR_RDX], 8);
}

static bool make_state(struct attempt *a)
{
    static const uint64_t flags = X86_RFLAGS_STATUS | X86_RFLAGS_DF;
    struct x86_cpu *cpu = &a->cpu;
    uint64_t target = pick_target(a);

    memset(cpu, 0, sizeof(*cpu));
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        cpu->gpr[i] = random_value(a->random);
    cpu->rflags = 0x202 | (random_next(a->random) & flags);
    cpu->rip = (uintptr_t)a->native->code;
    cpu->cpl = 3;
    cpu->control.cr0 = X86_CR0_PE | X86_CR0_PG;
    cpu->control.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR;
    cpu->control.efer = X86_EFER_LMA;
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        cpu->segment[i].selector = a->native->selector[i];
    cpu->segment[X86_CS].attributes = X86_SEG_LONG;
    cpu->segment[X86_GS].base = NATIVE_GS_BASE;
    for (unsigned i = 0; i < NATIVE_MEMORY; i += 8) {
        uint64_t word = random_value(a->random);

        memcpy(a->native->memory + i, &word, 8);
    }
    /* Runs of equal bytes, for repeated comparisons. */
    if (random_pick(a->random, 2) != 0)
        memset(a->native->memory + 0x2000, (uint8_t)cpu->gpr[X86_GPR_RAX],
               0x400);
    for (unsigned i = 0; i < sizeof(a->xmm); i++)
        ((uint8_t *)a->xmm)[i] = (uint8_t)random_next(a->random);
    if (!set_special(a))
        return false;
    if (has_memory(&a->insn)) {
        if (!solve_address(a, target))
            return false;
        set_equal(a, target);
    }
    memcpy(a->memory, a->native->memory, NATIVE_MEMORY);
    memcpy(a->before.gpr, cpu->gpr, sizeof(cpu->gpr));
    memcpy(a->before.xmm, a->xmm, sizeof(a->xmm));
    a->before.rflags = cpu->rflags;
    return true;
}

static enum x86_result emulate(struct attempt *a, struct x86_outcome *outcome)
{
    enum x86_result result;

    do {
        result = x86_emulate_insn(&a->cpu, &a->insn, &ops, a, outcome);
    } while (result == X86_RETRY);
    return result;
}

static void complain(struct attempt *a, const char *what, uint64_t ours,
                     uint64_t theirs)
{
    char text[3 * X86_INSN_MAX + 1] = "";

    for (unsigned i = 0; i < a->insn.length; i++)
        snprintf(text + 3 * i, 4, "%02x ", a->bytes[i]);
    cr_assert_fail("%s(%s): %s is %#lx, on the processor %#lx", text,
                   x86_op_name(a->insn.op), what, (unsigned long)ours,
                   (unsigned long)theirs);
}

static void compare(struct attempt *a, const struct native_state *after)
{
    char name[16];

    for (unsigned i = 0; i < X86_GPR_COUNT; i++) {
        snprintf(name, sizeof(name), "register %u", i);
        if (a->cpu.gpr[i] != after->gpr[i])
            complain(a, name, a->cpu.gpr[i], after->gpr[i]);
    }
    if (((a->cpu.rflags ^ after->rflags) & FLAGS_COMPARED) != 0)
        complain(a, "RFLAGS", a->cpu.rflags & FLAGS_COMPARED,
                 after->rflags & FLAGS_COMPARED);
    for (unsigned i = 0; i < 16; i++)
        if (memcmp(a->xmm[i], after->xmm[i], 16) != 0)
            complain(a, "an XMM register", i, i);
    if (memcmp(a->memory, a->native->memory, NATIVE_MEMORY) != 0)
        complain(a, "memory", 0, 0);
}

/* What the kernel makes of an exception. */
static int signal_of(const struct x86_exception *exception)
{
    return exception->vector == X86_VECTOR_UD ? SIGILL : SIGSEGV;
}

static void try_insn(struct attempt *a)
{
    struct native_state after = a->before;
    struct x86_outcome outcome;
    enum x86_result result = emulate(a, &outcome);
    int signal;

    if (result == X86_UNSUPPORTED)
        return;
    signal = native_run(a->native, a->bytes, a->insn.length, &after);
    if (result == X86_EXCEPTION && signal != signal_of(&outcome.exception))
        complain(a, "the exception", outcome.exception.vector,
                 (uint64_t)signal);
    if (result == X86_DONE && signal != 0)
        complain(a, "the exception", 0, (uint64_t)signal);
    if (result == X86_DONE &&
        a->cpu.rip != (uintptr_t)a->native->code + a->insn.length)
        complain(a, "RIP", a->cpu.rip, (uintptr_t)a->native->code);
    compare(a, &after);
}

Test(x86_native, results_are_the_processors, .timeout = 600)
{
    static struct attempt a;
    static unsigned tried[X86_OP_COUNT];
    uint64_t random = 0x7477696e6178;
    struct native native;
    unsigned long rounds = random_rounds(ROUNDS);

    if (!native_open(&native))
        cr_skip_test("not an x86_64 processor");
    a.random = &random;
    a.native = &native;
    for (unsigned long i = 0; i < rounds; i++) {
        if (!make_insn(&a) || !make_state(&a))
            continue;
        try_insn(&a);
        tried[a.insn.op]++;
    }
    native_close(&native);
    for (unsigned op = X86_OP_add; op <= X86_OP_movhpd; op++)
        if (op != X86_OP_ins && op != X86_OP_outs && op != X86_OP_movntq)
            cr_expect(tried[op] > rounds / 100000, "%s was tried %u times",
                      x86_op_name(op), tried[op]);
}
