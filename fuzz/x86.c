/* SPDX-License-Identifier: Apache-2.0 */
/* x86_64 machines for fuzz targets: see x86.h. */
#include "fuzz/x86.h"

#include "arch/x86_64/hw.h"
#include "arch/x86_64/x86.h"

#define LAPIC  UINT64_C(0xfee00000)
#define IOAPIC UINT64_C(0xfec00000)
#define TABLES (SPEC_MEMORY + 0x100000) /* whatever the guest puts there */

void fuzz_x86_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus)
{
    x86_64_sim_arch.usual_vm(vm, id, vcpus);
    fuzz_small_vm(vm);
}

static void bystander(struct spec_vm *vm, uint32_t id)
{
    *vm = (struct spec_vm){
        .id = id,
        .memory_count = 1,
        .memory = {{.base = SPEC_MEMORY, .size = FUZZ_MEMORY}}};
}

void fuzz_x86_pair(struct machine_spec *spec, const struct sim_arch *arch,
                   uint32_t vcpus)
{
    spec->arch = arch;
    spec->vm_count = 2;
    fuzz_x86_vm(&spec->vms[0], 1, vcpus);
    bystander(&spec->vms[1], 2);
    spec->vms[1].no_autostart = true; /* each input would switch to it */
}

void fuzz_x86_describe_guests(struct machine_spec *spec,
                              const struct sim_arch *arch)
{
    spec->arch = arch;
    spec->vm_count = 3;
    fuzz_x86_vm(&spec->vms[0], 1, 2);
    fuzz_x86_vm(&spec->vms[1], 2, 2);
    bystander(&spec->vms[2], FUZZ_X86_BYSTANDER);
}

static unsigned take_width(struct fuzz_input *input)
{
    return 1U << fuzz_pick(input, 4);
}

uint64_t fuzz_x86_address(struct fuzz_input *input)
{
    static const uint64_t bases[] = {
        SPEC_MEMORY,
        SPEC_MEMORY + 0x1000,
        LAPIC,
        SPEC_UART,
        SPEC_VIRTIO,
        LAPIC + 0x300,
        IOAPIC,
        TABLES,
        0,
        SPEC_MEMORY + FUZZ_MEMORY - 8,
        LAPIC + 0x80,
        SPEC_FINISHER,
        0x9f000,
        0x98000,
        0x20000000,
        UINT64_C(1) << 40,
    };

    return bases[fuzz_pick(input, ARRAY_SIZE(bases))] + fuzz_number(input);
}

uint32_t fuzz_x86_port(struct fuzz_input *input)
{
    static const uint16_t bases[] = {0x20, 0xa0, 0x40,   0x61,  0x70,  0x60,
                                     0x64, 0x43, 0xb000, 0xcf8, 0x3f8, 0x80};

    return bases[fuzz_pick(input, ARRAY_SIZE(bases))] +
           (uint32_t)fuzz_number(input);
}

static uint32_t take_msr(struct fuzz_input *input)
{
    static const uint32_t msrs[] = {
#define X(name, number) (number),
        X86_MSRS(X)
#undef X
            0x800, /* x2APIC's first */
        0x830,
    };

    return msrs[fuzz_pick(input, ARRAY_SIZE(msrs))] +
           (uint32_t)fuzz_number(input);
}

static void decode_memory(struct fuzz_input *input, struct guest_op *op)
{
    static const uint8_t kinds[] = {OP_LOAD,  OP_STORE, OP_AMO,
                                    OP_FETCH, OP_LOAD,  OP_STORE};

    op->kind = kinds[fuzz_pick(input, sizeof(kinds))];
    op->width = (uint8_t)take_width(input);
    op->reg = (uint8_t)fuzz_pick(input, X86_GPR_COUNT);
    op->address = fuzz_x86_address(input);
    if (op->kind != OP_FETCH && (fuzz_take(input, 1) & 1) != 0) {
        op->flags |= OP_HAS_VALUE;
        op->value = fuzz_number(input);
    }
}

/* Few repeat INS or OUTS more often than there are things to find out by that:
 * what a repetition costs, an operation does. */
#define REPEATS_MANY 0x90 /* from here on */
#define REPEATS      3
#define REPEATS_MOST 15

static void decode_port(struct fuzz_input *input, struct guest_op *op)
{
    static const uint8_t kinds[] = {OP_X86_IN, OP_X86_OUT, OP_X86_OUT,
                                    OP_X86_INS, OP_X86_OUTS};

    op->kind = kinds[fuzz_pick(input, sizeof(kinds))];
    op->width = (uint8_t)(1U << fuzz_pick(input, 3));
    op->number = fuzz_x86_port(input) & 0xffff;
    op->value = fuzz_number(input);
    if (op->kind == OP_X86_INS || op->kind == OP_X86_OUTS) {
        op->value &= op->value >= REPEATS_MANY ? REPEATS_MOST : REPEATS;
        op->address = fuzz_x86_address(input);
    }
}

static void decode_msr(struct fuzz_input *input, struct guest_op *op)
{
    op->kind = fuzz_pick(input, 2) == 0 ? OP_X86_RDMSR : OP_X86_WRMSR;
    op->number = take_msr(input);
    op->value = fuzz_number(input);
}

static void decode_control(struct fuzz_input *input, struct guest_op *op)
{
    static const uint8_t kinds[] = {OP_X86_WRITE_CR, OP_X86_READ_CR,
                                    OP_X86_WRITE_DR, OP_X86_READ_DR,
                                    OP_X86_LMSW,     OP_X86_XSETBV};

    op->kind = kinds[fuzz_pick(input, sizeof(kinds))];
    op->number = (uint32_t)fuzz_take(input, 1) & 15;
    op->reg = (uint8_t)fuzz_pick(input, X86_GPR_COUNT);
    op->value = fuzz_number(input);
}

/* Those with few operands, or none. */
static void decode_plain(struct fuzz_input *input, struct guest_op *op)
{
    static const uint8_t kinds[] = {
        OP_X86_CPUID,   OP_X86_HLT,     OP_X86_VMMCALL, OP_X86_PAUSE,
        OP_X86_MONITOR, OP_X86_MWAIT,   OP_X86_RDTSC,   OP_X86_RDPMC,
        OP_X86_INT,     OP_X86_INT3,    OP_X86_RAISE,   OP_X86_IRET,
        OP_X86_STI,     OP_X86_CLI,     OP_X86_INVD,    OP_X86_WBINVD,
        OP_X86_LIDT,    OP_X86_LGDT,    OP_X86_SGDT,    OP_X86_LTR,
        OP_X86_STR,     OP_X86_JMP_FAR, OP_X86_PUSHF,   OP_X86_POPF,
        OP_X86_RSM,     OP_X86_VMRUN,   OP_X86_STGI,    OP_X86_INVLPGA,
        OP_X86_INVLPG,  OP_X86_INVPCID, OP_X86_RDPRU,   OP_X86_NMI,
        OP_X86_SMI,     OP_X86_INIT,    OP_INSN,        OP_X86_SHUTDOWN,
    };

    op->kind = kinds[fuzz_pick(input, sizeof(kinds))];
    op->number = (uint32_t)fuzz_number(input);
    op->value = fuzz_number(input);
    op->args[0] = op->number;
    op->args[1] = op->value;
    if (op->kind >= OP_X86_INT && op->kind <= OP_X86_INVPCID)
        op->address = fuzz_x86_address(input);
}

/* No instructions: registers, RIP, mode, time. */
static void decode_state(struct fuzz_input *input, struct guest_op *op)
{
    static const uint8_t kinds[] = {
        OP_SET_REG,   OP_SET_PC, OP_USER_MODE, OP_DELAY,
        OP_X86_TRAPS, OP_FP,     OP_X86_TRAPS, OP_SUPERVISOR_MODE};

    op->kind = kinds[fuzz_pick(input, sizeof(kinds))];
    op->reg = (uint8_t)fuzz_pick(input, X86_GPR_COUNT);
    if (op->kind == OP_SET_PC || op->kind == OP_X86_TRAPS)
        op->address = SPEC_MEMORY + fuzz_number(input);
    op->value = op->kind == OP_DELAY ? fuzz_take(input, 3) : fuzz_number(input);
}

void fuzz_x86_operation(struct fuzz_input *input, struct guest_op *op)
{
    static void (*const decoders[])(struct fuzz_input * input,
                                    struct guest_op * op) = {
        decode_memory, decode_port,  decode_msr,    decode_control,
        decode_plain,  decode_state, decode_memory, decode_plain};

    decoders[fuzz_pick(input, ARRAY_SIZE(decoders))](input, op);
}

/* --- Guests --- */

/* From outside: an interrupt, or something is typed. */
static void decode_event(struct fuzz_input *input, struct guest_op *op)
{
    if (fuzz_pick(input, 2) == 0) {
        op->kind = FUZZ_INJECT;
        op->number = (uint32_t)fuzz_take(input, 1);
        return;
    }
    op->kind = FUZZ_TYPE;
    op->width = (uint8_t)fuzz_pick(input, 9);
    op->value = fuzz_number(input);
}

void fuzz_x86_decode_guest(struct fuzz_input *input, struct fuzz_script *script)
{
    struct guest_op *op = fuzz_add(script);

    if (fuzz_take(input, 1) < 0x10)
        decode_event(input, op);
    else
        fuzz_x86_operation(input, op);
}

/* --- Raw exits --- */

/* What an operation's first byte says; below these, it is a raw exit: of the
 * code that it is, if there is one. */
enum {
    KIND_KNOWN = 0x70,
    KIND_NESTED = 0xa0,
    KIND_IO = 0xb8,
    KIND_ANY = 0xc8,
    KIND_GUEST = 0xd0,
};

/* Codes that the hypervisor's controls allow are much the most frequent: any
 * other ends the machine, and with it what can be found out by this input. */
static uint64_t take_code(struct fuzz_input *input, unsigned kind,
                          const struct fuzz_x86_exits *exits)
{
    if (kind < KIND_KNOWN)
        return kind + (kind >= exits->gap ? exits->gap_size : 0u);
    if (kind < KIND_NESTED)
        return exits->codes[kind % exits->count];
    return fuzz_number(input);
}

static void decode_raw(struct fuzz_input *input, unsigned kind,
                       struct guest_op *op, const struct fuzz_x86_exits *exits)
{
    op->kind = OP_RAW_EXIT;
    if (kind >= KIND_NESTED && kind < KIND_IO) {
        op->args[0] = exits->nested;
        op->args[1] = fuzz_take(input, 1) | exits->nested_info[kind & 1];
        op->args[2] = fuzz_x86_address(input);
    } else if (kind >= KIND_IO && kind < KIND_ANY) {
        op->args[0] = exits->io;
        op->args[1] = (uint64_t)fuzz_x86_port(input) << 16 |
                      (fuzz_take(input, 2) & 0xffff);
        op->args[2] = fuzz_number(input);
    } else {
        op->args[0] = take_code(input, kind, exits);
        op->args[1] = fuzz_number(input);
        op->args[2] = fuzz_number(input);
    }
    op->args[3] =
        fuzz_take(input, 1) < 8 ? fuzz_number(input) | X86_EVENT_VALID : 0;
    op->args[4] = fuzz_take(input, 1) & 15;
    op->number = (uint32_t)fuzz_number(input);
    if (exits->event >= 0 && op->args[0] <= (unsigned)exits->event)
        op->args[5] = fuzz_number(input) | X86_EVENT_VALID;
}

void fuzz_x86_decode_exit(struct fuzz_input *input, struct fuzz_script *script,
                          const struct fuzz_x86_exits *exits)
{
    unsigned kind = (unsigned)fuzz_take(input, 1);
    struct guest_op *op = fuzz_add(script);

    if (kind < KIND_GUEST)
        decode_raw(input, kind, op, exits);
    else
        fuzz_x86_operation(input, op);
}
