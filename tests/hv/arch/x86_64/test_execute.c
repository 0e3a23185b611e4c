/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executor where a process cannot be an oracle: devices, faults, the
 * modes other than 64-bit, ports, chunks of string instructions.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/compiler.h"
#include "rig.h"

#define M16 X86_MODE_16
#define M32 X86_MODE_32
#define M64 X86_MODE_64

#define CF X86_RFLAGS_CF
#define ZF X86_RFLAGS_ZF
#define SF X86_RFLAGS_SF
#define PF X86_RFLAGS_PF
#define AF X86_RFLAGS_AF

static struct rig rig;

/* Instructions on a device at [RBX]: what is read is 0x8877665544332211, RAX
 * is 0xffffffffffffff80 before; what the device sees, and RAX after. */
Test(x86_execute, devices)
{
    static const struct {
        enum x86_mode mode;
        const char *bytes;
        unsigned count;
        const char *log; /* kinds of accesses */
        unsigned bytes_each;
        uint64_t written; /* by the last 'w' */
        uint64_t rax;
    } rows[] = {
#define ROW(mode, text, ...) {mode, text, sizeof(text) - 1, __VA_ARGS__}
#define RAX                  UINT64_C(0xffffffffffffff80)
        ROW(M64, "\x8b\x03", "r", 4, 0, 0x44332211),
        ROW(M64, "\x66\x8b\x03", "r", 2, 0, 0xffffffffffff2211),
        ROW(M64, "\x8a\x03", "r", 1, 0, 0xffffffffffffff11),
        ROW(M64, "\x8a\x23", "r", 1, 0, 0xffffffffffff1180),
        ROW(M64, "\x48\x8b\x03", "r", 8, 0, 0x8877665544332211),
        ROW(M64, "\x0f\xb6\x03", "r", 1, 0, 0x11),
        ROW(M64, "\x0f\xbe\x03", "r", 1, 0, 0x11),
        ROW(M64, "\x48\x63\x03", "r", 4, 0, 0x44332211),
        ROW(M64, "\x0f\x38\xf0\x03", "r", 4, 0, 0x11223344),
        ROW(M64, "\x89\x03", "w", 4, 0xffffff80, RAX),
        ROW(M64, "\x88\x23", "w", 1, 0xff, RAX),
        ROW(M64, "\xc6\x03\x5a", "w", 1, 0x5a, RAX),
        ROW(M64, "\x48\xc7\x03\x00\x00\x00\x80", "w", 8, 0xffffffff80000000,
            RAX),
        ROW(M64, "\x0f\xc3\x03", "w", 4, 0xffffff80, RAX),
        ROW(M64, "\x01\x03", "rw", 4, 0x44332191, RAX),
        ROW(M64, "\x03\x03", "r", 4, 0, 0x44332191),
        ROW(M64, "\xf0\x83\x0b\x01", "rw", 4, 0x44332211, RAX),
        ROW(M64, "\x85\x03", "r", 4, 0, RAX),
        ROW(M64, "\x39\x03", "r", 4, 0, RAX),
        ROW(M64, "\x87\x03", "rw", 4, 0xffffff80, 0x44332211),
        ROW(M64, "\x0f\xc1\x03", "rw", 4, 0x44332191, 0x44332211),
        ROW(M64, "\x0f\xb1\x03", "rw", 4, 0x44332211, 0x44332211),
        ROW(M64, "\x0f\xba\x2b\x07", "rw", 4, 0x44332291, RAX),
        ROW(M64, "\x0f\xba\x23\x07", "r", 4, 0, RAX),
        ROW(M64, "\xf6\x13", "rw", 1, 0xee, RAX),
        ROW(M64, "\xff\x03", "rw", 4, 0x44332212, RAX),
        ROW(M64, "\x0f\x11\x0b", "ww", 8, 0, RAX),
        ROW(M32, "\x8b\x03", "r", 4, 0, 0x44332211),
        ROW(M32, "\x66\x89\x03", "w", 2, 0xff80, RAX),
        ROW(M16, "\x67\x8b\x03", "r", 2, 0, 0xffffffffffff2211),
        ROW(M16, "\x67\x66\x8b\x03", "r", 4, 0, 0x44332211),
        /* A segment with a selector of 8. */
        ROW(M64, "\x8c\x1b", "w", 2, 8, RAX),
#undef ROW
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig_access *last;

        rig_init(&rig, rows[i].mode);
        rig.cpu.gpr[X86_GPR_RAX] = RAX;
        rig.cpu.gpr[X86_GPR_RBX] = RIG_DEVICES;
        cr_assert_eq(rig_run(&rig, rows[i].bytes, rows[i].count), X86_DONE,
                     "row %u", i);
        cr_expect_eq(rig.cpu.rip, RIG_CODE + rows[i].count, "row %u", i);
        cr_expect_eq(rig.cpu.gpr[X86_GPR_RAX], rows[i].rax, "row %u: RAX %#lx",
                     i, rig.cpu.gpr[X86_GPR_RAX]);
        cr_assert_eq(rig.log_count, strlen(rows[i].log), "row %u", i);
        for (unsigned k = 0; k < rig.log_count; k++) {
            cr_expect_eq(rig.log[k].kind, rows[i].log[k], "row %u", i);
            cr_expect_eq(rig.log[k].bytes, rows[i].bytes_each, "row %u", i);
        }
        last = &rig.log[rig.log_count - 1];
        if (last->kind == 'w')
            cr_expect_eq(last->value, rows[i].written, "row %u: wrote %#lx", i,
                         last->value);
    }
}

/* An access is split where one device ends, and made in order. */
Test(x86_execute, borders)
{
    static const struct {
        uint64_t address;
        unsigned count, first, second;
    } rows[] = {
        {RIG_DEVICE, 1, 8, 0},
        {RIG_DEVICE + 4, 2, 4, 4},
        {RIG_DEVICE + 7, 2, 1, 7},
        {RIG_DEVICE - 3, 2, 3, 5},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        rig_init(&rig, M64);
        rig.cpu.gpr[X86_GPR_RBX] = rows[i].address;
        rig.cpu.gpr[X86_GPR_RAX] = 0x0807060504030201;
        cr_assert_eq(RIG_RUN(&rig, "\x48\x89\x03"), X86_DONE);
        cr_assert_eq(rig.log_count, rows[i].count, "row %u", i);
        cr_expect_eq(rig.log[0].address, rows[i].address);
        cr_expect_eq(rig.log[0].bytes, rows[i].first);
        cr_expect_eq(rig.log[0].value & 0xff, 1);
        if (rows[i].second == 0)
            continue;
        cr_expect_eq(rig.log[1].bytes, rows[i].second);
        cr_expect_eq(rig.log[1].address, rows[i].address + rows[i].first);
        cr_expect_eq(rig.log[1].value & 0xff, rows[i].first + 1);
    }
}

/*
 * Exceptions, and that nothing else has changed. RBX is the address; memory at
 * RIG_READ_ONLY is read-only, the page behind it absent.
 */
Test(x86_execute, faults)
{
    static const uint64_t hole = UINT64_C(0x800000000000);
    static const struct {
        enum x86_mode mode;
        const char *bytes;
        unsigned count;
        uint64_t rbx, rsp;
        uint8_t vector;
        uint32_t error;
        uint64_t address;
    } rows[] = {
#define ROW(mode, text, ...) {mode, text, sizeof(text) - 1, __VA_ARGS__}
        ROW(M64, "\x8b\x03", RIG_ABSENT, 0, X86_VECTOR_PF, 0, RIG_ABSENT),
        ROW(M64, "\x89\x03", RIG_ABSENT, 0, X86_VECTOR_PF, X86_FAULT_RW,
            RIG_ABSENT),
        ROW(M64, "\x89\x03", RIG_READ_ONLY, 0, X86_VECTOR_PF,
            X86_FAULT_RW | X86_FAULT_P, RIG_READ_ONLY),
        ROW(M64, "\x01\x03", RIG_READ_ONLY, 0, X86_VECTOR_PF,
            X86_FAULT_RW | X86_FAULT_P, RIG_READ_ONLY),
        /* The second page of two is the absent one; the first is untouched. */
        ROW(M64, "\x8b\x03", RIG_ABSENT - 2, 0, X86_VECTOR_PF, 0, RIG_ABSENT),
        ROW(M64, "\x89\x03", RIG_READ_ONLY - 2, 0, X86_VECTOR_PF,
            X86_FAULT_RW | X86_FAULT_P, RIG_READ_ONLY),
        /* A comparison that fails writes, too. */
        ROW(M64, "\x0f\xb1\x03", RIG_READ_ONLY, 0, X86_VECTOR_PF,
            X86_FAULT_RW | X86_FAULT_P, RIG_READ_ONLY),
        /* The device is not read when the destination is absent. */
        ROW(M64, "\xff\x33", RIG_DEVICES, RIG_ABSENT + 8, X86_VECTOR_PF,
            X86_FAULT_RW, RIG_ABSENT),
        ROW(M64, "\x8f\x03", RIG_READ_ONLY, RIG_MEMORY, X86_VECTOR_PF,
            X86_FAULT_RW | X86_FAULT_P, RIG_READ_ONLY),
        ROW(M64, "\x8b\x03", hole, 0, X86_VECTOR_GP, 0, 0),
        ROW(M64, "\x8b\x03", hole - 2, 0, X86_VECTOR_GP, 0, 0),
        ROW(M64, "\x36\x8b\x03", hole, 0, X86_VECTOR_GP, 0, 0),
        ROW(M64, "\x8b\x04\x24", 0, hole, X86_VECTOR_SS, 0, 0),
        ROW(M64, "\x0f\x28\x03", RIG_MEMORY + 8, 0, X86_VECTOR_GP, 0, 0),
        ROW(M64, "\x66\x0f\xe7\x03", RIG_MEMORY + 8, 0, X86_VECTOR_GP, 0, 0),
        ROW(M64, "\x48\x0f\xc7\x0b", RIG_MEMORY + 8, 0, X86_VECTOR_GP, 0, 0),
        ROW(M64, "\xf0\x89\x03", RIG_MEMORY, 0, X86_VECTOR_UD, 0, 0),
        ROW(M64,
            "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
            "\x89\x03",
            RIG_MEMORY, 0, X86_VECTOR_GP, 0, 0),
        ROW(M32, "\x8b\x03", UINT32_MAX - 2, 0, X86_VECTOR_GP, 0, 0),
        ROW(M32, "\x8b\x04\x24", 0, UINT32_MAX - 2, X86_VECTOR_SS, 0, 0),
        ROW(M32, "\x2e\x89\x03", RIG_MEMORY, 0, X86_VECTOR_GP, 0, 0),
#undef ROW
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        static uint8_t memory[RIG_SIZE];
        struct x86_cpu before;
        const struct x86_exception *fault = &rig.outcome.exception;

        rig_init(&rig, rows[i].mode);
        rig.cpu.gpr[X86_GPR_RBX] = rows[i].rbx;
        rig.cpu.gpr[X86_GPR_RSP] = rows[i].rsp;
        rig.cpu.rip = RIG_CODE;
        before = rig.cpu;
        rig_poke(&rig, RIG_CODE, 0, 8);
        memcpy(memory, rig.memory, sizeof(memory));
        memcpy(memory + (RIG_CODE - RIG_MEMORY), rows[i].bytes, rows[i].count);
        cr_expect_eq(rig_run(&rig, rows[i].bytes, rows[i].count), X86_EXCEPTION,
                     "row %u", i);
        cr_expect_eq(fault->vector, rows[i].vector, "row %u: vector %u", i,
                     fault->vector);
        cr_expect_eq(fault->error, rows[i].error, "row %u: %#x", i,
                     fault->error);
        cr_expect_eq(fault->has_error, rows[i].vector != X86_VECTOR_UD,
                     "row %u", i);
        cr_expect_eq(fault->address, rows[i].address, "row %u", i);
        cr_expect_eq(memcmp(&before, &rig.cpu, offsetof(struct x86_cpu, cpl)),
                     0, "row %u", i);
        cr_expect_eq(memcmp(memory, rig.memory, sizeof(memory)), 0, "row %u",
                     i);
        cr_expect_eq(rig.log_count, 0, "row %u", i);
    }
}

/* Segments outside of 64-bit mode: DS is given, an offset in EBX. */
Test(x86_execute, segments)
{
    static const uint16_t data = X86_SEG_PRESENT | X86_SEG_WRITABLE;
    static const struct {
        struct x86_segment ds;
        uint32_t offset;
        bool write, ok;
    } rows[] = {
        {{RIG_MEMORY, 0xfff, 8, data}, 0xffc, false, true},
        {{RIG_MEMORY, 0xfff, 8, data}, 0xffd, false, false},
        {{RIG_MEMORY, 0xfff, 8, data | X86_SEG_DOWN}, 0x1000, true, true},
        {{RIG_MEMORY, 0xfff, 8, data | X86_SEG_DOWN}, 0xfff, true, false},
        {{RIG_MEMORY, 0xfff, 8, data | X86_SEG_DOWN}, 0xfffd, true, false},
        {{RIG_MEMORY - 0x10000, 0xfff, 8, data | X86_SEG_DOWN | X86_SEG_BIG},
         0x10000,
         true,
         true},
        {{RIG_MEMORY, 0xfff, 8, X86_SEG_PRESENT}, 0, false, true},
        {{RIG_MEMORY, 0xfff, 8, X86_SEG_PRESENT}, 0, true, false},
        {{RIG_MEMORY, 0xfff, 0, X86_SEG_WRITABLE}, 0, false, false},
        {{RIG_MEMORY, 0xfff, 8, data | X86_SEG_CODE}, 0, false, true},
        {{RIG_MEMORY, 0xfff, 8, data | X86_SEG_CODE}, 0, true, false},
        {{RIG_MEMORY, 0xfff, 8, X86_SEG_PRESENT | X86_SEG_CODE},
         0,
         false,
         false},
        /* Linear addresses have 32 bits. */
        {{RIG_MEMORY + 0x1000, UINT32_MAX, 8, data}, 0xfffff000, true, true},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        enum x86_result result;

        rig_init(&rig, M32);
        rig.cpu.segment[X86_DS] = rows[i].ds;
        rig.cpu.gpr[X86_GPR_RBX] = rows[i].offset;
        rig.cpu.gpr[X86_GPR_RAX] = 0x11223344;
        result = rows[i].write ? RIG_RUN(&rig, "\x89\x03")
                               : RIG_RUN(&rig, "\x8b\x03");
        cr_expect_eq(result, rows[i].ok ? X86_DONE : X86_EXCEPTION, "row %u",
                     i);
        if (!rows[i].ok)
            cr_expect_eq(rig.outcome.exception.vector, X86_VECTOR_GP, "row %u",
                         i);
        else if (rows[i].write)
            cr_expect_eq(
                rig_peek(&rig, (uint32_t)(rows[i].ds.base + rows[i].offset), 4),
                0x11223344, "row %u", i);
    }
}

/* Real mode: addresses of 16 bits, faults without error codes. */
Test(x86_execute, real_mode)
{
    rig_init_real(&rig);
    rig.cpu.gpr[X86_GPR_RBX] = 0xffff1000;
    rig.cpu.gpr[X86_GPR_RSI] = 0xaaaa0010;
    rig.cpu.gpr[X86_GPR_RAX] = 0x11223344;
    cr_expect_eq(RIG_RUN(&rig, "\x89\x40\xff"), X86_DONE);
    cr_expect_eq(rig_peek(&rig, RIG_MEMORY + 0x100f, 4), 0x3344);

    rig.cpu.gpr[X86_GPR_RBX] = 0xffff;
    rig.cpu.gpr[X86_GPR_RSI] = 0;
    cr_expect_eq(RIG_RUN(&rig, "\x89\x00"), X86_EXCEPTION);
    cr_expect_eq(rig.outcome.exception.vector, X86_VECTOR_GP);
    cr_expect_not(rig.outcome.exception.has_error);

    /* The stack's pointer wraps at 16 bits, and keeps what is above. */
    rig.cpu.gpr[X86_GPR_RSP] = 0x12340000;
    rig.cpu.gpr[X86_GPR_RBX] = 0x2000;
    rig_poke(&rig, RIG_MEMORY + 0x2000, 0xbeef, 2);
    rig.cpu.segment[X86_SS].base = RIG_MEMORY - 0xf000;
    cr_expect_eq(RIG_RUN(&rig, "\xff\x37"), X86_DONE);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RSP], 0x1234fffe);
    cr_expect_eq(rig_peek(&rig, RIG_MEMORY + 0xffe, 2), 0xbeef);

    /* REP MOVSB with CX, SI and DI only. */
    rig.cpu.gpr[X86_GPR_RCX] = 0xffff0002;
    rig.cpu.gpr[X86_GPR_RSI] = 0xffff2000;
    rig.cpu.gpr[X86_GPR_RDI] = 0xffff3000;
    rig.cpu.segment[X86_ES].base = RIG_MEMORY - 0x1000;
    cr_expect_eq(RIG_RUN(&rig, "\xf3\xa4"), X86_DONE);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RCX], 0xffff0000);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RSI], 0xffff2002);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RDI], 0xffff3002);
    cr_expect_eq(rig_peek(&rig, RIG_MEMORY + 0x2000, 2), 0xbeef);
}

/* Repeats stop after a chunk, at a fault, at TF, with their progress kept. */
Test(x86_execute, repeats)
{
    const uint64_t many = X86_STRING_CHUNK + 5;

    rig_init(&rig, M64);
    rig.cpu.gpr[X86_GPR_RCX] = many;
    rig.cpu.gpr[X86_GPR_RDI] = RIG_DEVICES;
    rig.cpu.gpr[X86_GPR_RAX] = 0x5a;
    cr_expect_eq(RIG_RUN(&rig, "\xf3\xaa"), X86_RETRY);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RCX], 5);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RDI], RIG_DEVICES + X86_STRING_CHUNK);
    cr_expect_eq(rig.cpu.rip, RIG_CODE);
    cr_expect_eq(rig.cpu.rflags, 2 | X86_RFLAGS_RF);
    cr_expect_eq(RIG_RUN(&rig, "\xf3\xaa"), X86_DONE);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RCX], 0);
    cr_expect_eq(rig.cpu.rip, RIG_CODE + 2);
    cr_expect_eq(rig.cpu.rflags, 2);
    cr_expect_eq(rig.log_count, many);

    rig_init(&rig, M64);
    rig.cpu.gpr[X86_GPR_RCX] = 8;
    rig.cpu.gpr[X86_GPR_RSI] = RIG_DEVICES;
    rig.cpu.gpr[X86_GPR_RDI] = RIG_READ_ONLY - 12;
    cr_expect_eq(RIG_RUN(&rig, "\xf3\xa5"), X86_EXCEPTION);
    cr_expect_eq(rig.outcome.exception.address, RIG_READ_ONLY);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RCX], 5);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RSI], RIG_DEVICES + 12);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RDI], RIG_READ_ONLY);
    cr_expect_eq(rig.log_count, 3, "the device was read %u times",
                 rig.log_count);

    /* Flags of a comparison are lost if a later iteration faults. */
    rig_init(&rig, M64);
    rig.cpu.rflags |= CF;
    rig.cpu.gpr[X86_GPR_RCX] = 8;
    rig.cpu.gpr[X86_GPR_RDI] = RIG_ABSENT - 2;
    cr_expect_eq(RIG_RUN(&rig, "\xf3\xae"), X86_EXCEPTION);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RCX], 6);
    cr_expect_eq(rig.cpu.rflags, 2 | CF);

    rig_init(&rig, M64);
    rig.cpu.rflags |= X86_RFLAGS_TF;
    rig.cpu.gpr[X86_GPR_RCX] = 2;
    rig.cpu.gpr[X86_GPR_RDI] = RIG_DEVICES;
    cr_expect_eq(RIG_RUN(&rig, "\xf3\xab"), X86_RETRY);
    cr_expect(rig.outcome.single_step);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RCX], 1);
    cr_expect_eq(RIG_RUN(&rig, "\xf3\xab"), X86_DONE);
    cr_expect(rig.outcome.single_step);
    cr_expect_eq(RIG_RUN(&rig, "\x66\x90"), X86_DONE);
    cr_expect(rig.outcome.single_step);

    /* Nothing is accessed if the count is 0. */
    rig_init(&rig, M64);
    rig.cpu.gpr[X86_GPR_RCX] = UINT64_C(1) << 32;
    rig.cpu.gpr[X86_GPR_RDI] = RIG_ABSENT;
    cr_expect_eq(RIG_RUN(&rig, "\x67\xf3\xaa"), X86_DONE);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RCX], UINT64_C(1) << 32);
}

Test(x86_execute, ports)
{
    rig_init(&rig, M64);
    rig.cpu.gpr[X86_GPR_RDX] = 0xffff0170;
    rig.cpu.gpr[X86_GPR_RCX] = 2;
    rig.cpu.gpr[X86_GPR_RDI] = RIG_MEMORY + 0x2000;
    cr_expect_eq(RIG_RUN(&rig, "\xf3\x66\x6d"), X86_DONE);
    cr_expect_eq(rig_peek(&rig, RIG_MEMORY + 0x2000, 8), 0x22122211);
    cr_expect_eq(rig.log[1].kind, 'i');
    cr_expect_eq(rig.log[1].address, 0x170);
    cr_expect_eq(rig.log[1].bytes, 2);

    rig.cpu.rflags |= X86_RFLAGS_DF;
    rig.cpu.gpr[X86_GPR_RSI] = RIG_MEMORY + 0x2002;
    rig.cpu.gpr[X86_GPR_RCX] = 2;
    cr_expect_eq(RIG_RUN(&rig, "\xf3\x66\x6f"), X86_DONE);
    cr_expect_eq(rig.log[2].value, 0x2212);
    cr_expect_eq(rig.log[3].value, 0x2211);
    cr_expect_eq(rig.cpu.gpr[X86_GPR_RSI], RIG_MEMORY + 0x1ffe);
}

/* Vector state that is switched off; alignment checks. */
Test(x86_execute, vector_and_alignment)
{
    static const struct {
        uint64_t cr0, cr4;
        uint8_t vector;
    } rows[] = {
        {X86_CR0_EM, X86_CR4_OSFXSR, X86_VECTOR_UD},
        {0, 0, X86_VECTOR_UD},
        {X86_CR0_TS, X86_CR4_OSFXSR, X86_VECTOR_NM},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        rig_init(&rig, M64);
        rig.cpu.gpr[X86_GPR_RBX] = RIG_DEVICES;
        rig.cpu.control.cr0 |= rows[i].cr0;
        rig.cpu.control.cr4 = rows[i].cr4;
        cr_expect_eq(RIG_RUN(&rig, "\x0f\x10\x03"), X86_EXCEPTION);
        cr_expect_eq(rig.outcome.exception.vector, rows[i].vector);
    }
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        rig_init(&rig, M64);
        rig.cpu.cpl = (uint8_t)cpl;
        rig.cpu.control.cr0 |= X86_CR0_AM;
        rig.cpu.rflags |= X86_RFLAGS_AC;
        rig.cpu.gpr[X86_GPR_RBX] = RIG_MEMORY + 1;
        cr_expect_eq(RIG_RUN(&rig, "\x8b\x03"),
                     cpl == 3 ? X86_EXCEPTION : X86_DONE);
        cr_expect_eq(rig.outcome.exception.vector,
                     cpl == 3 ? X86_VECTOR_AC : 0);
        cr_expect_eq(RIG_RUN(&rig, "\x8a\x03"), X86_DONE);
    }
}

/* Instructions across pages: the second is asked for only if it is needed. */
Test(x86_execute, fetches)
{
    static const struct {
        const char *bytes;
        unsigned count;
        enum x86_result result;
        uint64_t address;
    } rows[] = {
        {"\x8b\x03", 2, X86_DONE, 0},
        {"\x8b\x43", 2, X86_EXCEPTION, RIG_ABSENT},
        {"\x0f\xa2", 2, X86_UNSUPPORTED, 0},
        {"\x0f\x0b", 2, X86_UNSUPPORTED, 0},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        rig_init(&rig, M64);
        rig.cpu.gpr[X86_GPR_RBX] = RIG_MEMORY;
        rig.cpu.segment[X86_CS].base = RIG_CODE + 2 - RIG_ABSENT;
        memcpy(rig.memory + RIG_SIZE - 2, rows[i].bytes, 2);
        cr_expect_eq(rig_run(&rig, "", 0), rows[i].result, "row %u", i);
        cr_expect_eq(rig.outcome.exception.address, rows[i].address);
        if (rows[i].result == X86_UNSUPPORTED)
            cr_expect_eq(memcmp(rig.outcome.bytes, rows[i].bytes, 2), 0);
    }
    /* A limit in the middle of an instruction. */
    rig_init(&rig, M32);
    rig.cpu.segment[X86_CS].limit = RIG_CODE + 1;
    rig.cpu.gpr[X86_GPR_RBX] = RIG_MEMORY;
    cr_expect_eq(RIG_RUN(&rig, "\x8b\x03"), X86_DONE);
    cr_expect_eq(RIG_RUN(&rig, "\x8b\x43\x00"), X86_EXCEPTION);
    cr_expect_eq(rig.outcome.exception.vector, X86_VECTOR_GP);
}
