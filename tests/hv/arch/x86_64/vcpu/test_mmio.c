/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that access devices, and what is neither device nor memory: in
 * 64-bit mode, on all processors, at any place in a page. What the emulator
 * does with them has its own tests; here it is that they come to it, or need
 * not, and that memory, devices and registers are the guest's.
 */
#include "hv/arch/x86_64/vcpu/rig.h"

#define AT      (RIG_DEVICE + 0x10)          /* holds 0x80, 0x81, ... */
#define PATTERN UINT64_C(0x1122334455667788) /* in all registers but RBX */
#define NONE    X86_GPR_RSP
#define LE32(value)                                            \
    (value) & 0xff, (value) >> 8 & 0xff, (value) >> 16 & 0xff, \
        (value) >> 24 & 0xff

/* RBX is the address less `before`. */
struct row {
    const char *name;
    uint8_t length;
    uint8_t bytes[X86_INSN_MAX];
    uint64_t before;
    unsigned reg; /* that has `value` afterwards; NONE: none does */
    uint64_t value;
    unsigned written; /* bytes, of `stored`, at AT */
    uint64_t stored;
    bool write; /* how it faults */
};

/* clang-format off */
static const struct row rows[] = {
    {"mov al", 2, {0x8a, 0x03}, 0, 0, 0x1122334455667780},
    {"mov ah", 2, {0x8a, 0x23}, 0, 0, 0x1122334455668088},
    {"mov bh", 2, {0x8a, 0x3b}, 0, 3, (AT & ~UINT64_C(0xff00)) | 0x8000},
    {"mov ax", 3, {0x66, 0x8b, 0x03}, 0, 0, 0x1122334455668180},
    {"mov eax", 2, {0x8b, 0x03}, 0, 0, 0x83828180},
    {"mov rax", 3, {0x48, 0x8b, 0x03}, 0, 0, 0x8786858483828180},
    {"mov r15d", 3, {0x44, 0x8b, 0x3b}, 0, 15, 0x83828180},
    {"mov r8b", 3, {0x44, 0x8a, 0x03}, 0, 8, 0x1122334455667780},
    {"mov sil", 3, {0x40, 0x8a, 0x33}, 0, 6, 0x1122334455667780},
    {"movzx eax, byte", 3, {0x0f, 0xb6, 0x03}, 0, 0, 0x80},
    {"movzx eax, word", 3, {0x0f, 0xb7, 0x03}, 0, 0, 0x8180},
    {"movzx ax, byte", 4, {0x66, 0x0f, 0xb6, 0x03}, 0, 0, 0x1122334455660080},
    {"movzx r10, word", 4, {0x4c, 0x0f, 0xb7, 0x13}, 0, 10, 0x8180},
    {"movsx eax, byte", 3, {0x0f, 0xbe, 0x03}, 0, 0, 0xffffff80},
    {"movsx rax, byte", 4, {0x48, 0x0f, 0xbe, 0x03}, 0, 0, 0xffffffffffffff80},
    {"movsx rax, word", 4, {0x48, 0x0f, 0xbf, 0x03}, 0, 0, 0xffffffffffff8180},
    {"movsx ax, byte", 4, {0x66, 0x0f, 0xbe, 0x03}, 0, 0, 0x112233445566ff80},
    {"movsxd rax", 3, {0x48, 0x63, 0x03}, 0, 0, 0xffffffff83828180},
    {"mov eax, moffs", 9, {0xa1, LE32(AT)}, 0, 0, 0x83828180},
    {"mov al, moffs", 9, {0xa0, LE32(AT)}, 0, 0, 0x1122334455667780},
    {"mov eax, disp8", 3, {0x8b, 0x43, 0x40}, 0x40, 0, 0x83828180},
    {"mov eax, -disp8", 3, {0x8b, 0x43, 0xc0}, -UINT64_C(0x40), 0, 0x83828180},
    {"mov eax, disp32", 6, {0x8b, 0x83, LE32(0x12345)}, 0x12345, 0, 0x83828180},
    {"mov eax, index", 3, {0x8b, 0x04, 0xcb}, PATTERN * 8, 0, 0x83828180},
    {"mov eax, abs", 7, {0x8b, 0x04, 0x25, LE32(AT)}, 0, 0, 0x83828180},
    {"addr32 mov eax", 3, {0x67, 0x8b, 0x03}, UINT64_C(1) << 40, 0, 0x83828180},
    {"es mov eax", 3, {0x26, 0x8b, 0x03}, 0, 0, 0x83828180},
    {"fs mov eax", 3, {0x64, 0x8b, 0x03}, 0x10000, 0, 0x83828180},
    {"gs mov eax", 3, {0x65, 0x8b, 0x03}, 0x20000, 0, 0x83828180},
    {"movbe eax", 4, {0x0f, 0x38, 0xf0, 0x03}, 0, 0, 0x80818283},

    {"mov [], al", 2, {0x88, 0x03}, 0, NONE, 0, 1, 0x88, true},
    {"mov [], ah", 2, {0x88, 0x23}, 0, NONE, 0, 1, 0x77, true},
    {"mov [], sil", 3, {0x40, 0x88, 0x33}, 0, NONE, 0, 1, 0x88, true},
    {"mov [], ax", 3, {0x66, 0x89, 0x03}, 0, NONE, 0, 2, 0x7788, true},
    {"mov [], eax", 2, {0x89, 0x03}, 0, NONE, 0, 4, 0x55667788, true},
    {"mov [], rax", 3, {0x48, 0x89, 0x03}, 0, NONE, 0, 8, PATTERN, true},
    {"mov [], r9", 3, {0x4c, 0x89, 0x0b}, 0, NONE, 0, 8, PATTERN, true},
    {"mov [], imm8", 3, {0xc6, 0x03, 0x5a}, 0, NONE, 0, 1, 0x5a, true},
    {"mov [], imm16", 5, {0x66, 0xc7, 0x03, 0x5a, 0xa5}, 0, NONE, 0, 2, 0xa55a,
     true},
    {"mov [], imm32", 6, {0xc7, 0x03, LE32(0xdeadbeef)}, 0, NONE, 0, 4,
     0xdeadbeef, true},
    {"mov [], simm32", 7, {0x48, 0xc7, 0x03, LE32(0xdeadbeef)}, 0, NONE, 0, 8,
     0xffffffffdeadbeef, true},
    {"mov [rip], imm", 10, {0xc7, 0x05, LE32(0), LE32(0x12345678)}, 0, NONE, 0,
     4, 0x12345678, true},
    {"mov moffs, rax", 10, {0x48, 0xa3, LE32(AT)}, 0, NONE, 0, 8, PATTERN,
     true},
    {"movnti [], eax", 3, {0x0f, 0xc3, 0x03}, 0, NONE, 0, 4, 0x55667788, true},

    {"add [], al", 2, {0x00, 0x03}, 0, NONE, 0, 1, 0x08, true},
    {"add eax, []", 2, {0x03, 0x03}, 0, 0, 0xd8e8f908},
    {"or [], imm8", 3, {0x80, 0x0b, 0x01}, 0, NONE, 0, 1, 0x81, true},
    {"lock inc []", 3, {0xf0, 0xff, 0x03}, 0, NONE, 0, 4, 0x83828181, true},
    {"not []", 2, {0xf7, 0x13}, 0, NONE, 0, 4, 0x7c7d7e7f, true},
    {"xchg [], eax", 2, {0x87, 0x03}, 0, 0, 0x83828180, 4, 0x55667788, true},
    {"xadd [], eax", 3, {0x0f, 0xc1, 0x03}, 0, 0, 0x83828180, 4, 0xd8e8f908,
     true},
    {"bts [], 0", 4, {0x0f, 0xba, 0x2b, 0x00}, 0, NONE, 0, 4, 0x83828181,
     true},
    {"lodsb", 1, {0xac}, 0, 0, 0x1122334455667780},
    {"push []", 2, {0xff, 0x33}, 0, NONE, 0},
};
/* clang-format on */

static void set_registers(uint64_t rbx)
{
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        rig_set_gpr(0, i, PATTERN);
    rig_set_gpr(0, X86_GPR_RSP, RIG_STACK);
    rig_set_gpr(0, X86_GPR_RBX, rbx);
    for (unsigned i = 0; i < 32; i++)
        *rig_device(AT - 16 + i) = (uint8_t)(0x70 + i);
}

static void try_row(const char *profile, uint64_t rip, const struct row *row)
{
    uint8_t bytes[X86_INSN_MAX];
    uint64_t found = 0;

    memcpy(bytes, row->bytes, sizeof(bytes));
    set_registers(AT - row->before);
    if (row->bytes[0] == 0xac)
        rig_set_gpr(0, X86_GPR_RSI, AT);
    if (row->bytes[1] == 0x05) {
        uint32_t displacement = (uint32_t)(AT - rip - row->length);

        memcpy(bytes + 2, &displacement, sizeof(displacement));
    }
    rig_set_rip(0, rip);
    cr_expect_eq(rig_access(0, AT, row->write, row->length, bytes),
                 VERDICT_RESUME, "%s: %s", row->name, rig.vm->reason);
    cr_expect_eq(rig_rip(0), rip + row->length, "%s: %s goes on at 0x%llx",
                 profile, row->name, (unsigned long long)rig_rip(0));
    for (unsigned i = 0; i < X86_GPR_COUNT; i++) {
        if (i == row->reg && row->reg != NONE)
            cr_expect_eq(rig_gpr(0, i), row->value, "%s: %s: 0x%llx", profile,
                         row->name, (unsigned long long)rig_gpr(0, i));
        else if (i != X86_GPR_RBX && i != X86_GPR_RSP && i != X86_GPR_RSI)
            cr_expect_eq(rig_gpr(0, i), PATTERN, "%s: register %u", row->name,
                         i);
    }
    memcpy(&found, rig_device(AT), 8);
    if (row->written != 0)
        cr_expect_eq(zero_extend(found, 8 * row->written), row->stored,
                     "%s: %s: 0x%llx", profile, row->name,
                     (unsigned long long)found);
    cr_expect_eq(*rig_device(AT + row->written), 0x80 + row->written, "%s",
                 row->name);
}

Test(mmio, instructions)
{
    static const unsigned rooms[] = {64, 15, 9, 2, 1};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start(rig_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        rig_do(0, (struct guest_op){.kind = OP_X86_WRMSR,
                                    .number = X86_MSR_FS_BASE,
                                    .value = 0x10000});
        rig_do(0, (struct guest_op){.kind = OP_X86_WRMSR,
                                    .number = X86_MSR_GS_BASE,
                                    .value = 0x20000});
        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
            for (unsigned room = 0; room < ARRAY_SIZE(rooms); room++)
                try_row(rig_profiles[p], RIG_CODE + PAGE_SIZE - rooms[room],
                        &rows[i]);
        }
        cr_expect_eq(rig_peek(RIG_STACK - 8, 8), 0x8786858483828180, "push");
        rig_stop();
    }
}

/* The operations that the fake processor has, with its own faults. */
Test(mmio, moves_of_all_modes)
{
    static const uint8_t widths[] = {1, 2, 4, 8};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned mode = RIG_PROTECTED; mode < RIG_MODES; mode++) {
            rig_start(rig_profiles[p], 1, 1);
            rig_mode(0, mode);
            for (unsigned i = 0; i < (mode == RIG_LONG ? 4 : 3); i++) {
                uint64_t value = zero_extend(PATTERN, 8 * widths[i]);
                struct guest_op op = {.kind = OP_STORE,
                                      .width = widths[i],
                                      .reg = X86_GPR_RDX,
                                      .flags = OP_HAS_VALUE,
                                      .address = AT,
                                      .value = PATTERN};
                struct guest_result result = rig_do(0, op);

                cr_expect_eq(result.outcome, OUTCOME_RETIRED, "%s, %s, %u: %s",
                             rig_profiles[p], rig_mode_names[mode], widths[i],
                             rig.vm->reason);
                cr_expect_eq(memcmp(rig_device(AT), &value, widths[i]), 0);
                op.kind = OP_LOAD;
                op.value = 0;
                result = rig_do(0, op);
                cr_expect_eq(result.value, value, "%s, %s, %u: 0x%llx",
                             rig_profiles[p], rig_mode_names[mode], widths[i],
                             (unsigned long long)result.value);
                op.kind = OP_AMO;
                op.value = 0x55;
                result = rig_do(0, op);
                cr_expect_eq(result.value, value);
                cr_expect_eq(*rig_device(AT), 0x55);
            }
            rig_stop();
        }
    }
}

/* The bytes that a processor gives end with the page; behind them are those of
 * an exit before. */
Test(mmio, bytes_of_another_instruction)
{
    /* Both in the same place of whatever remembers them. */
    static const uint64_t first = RIG_CODE + PAGE_SIZE - 2 - 0x100;
    static const uint64_t second = RIG_CODE + PAGE_SIZE - 2;
    uint8_t mov[] = {0xc7, 0x03, 0x11, 0x11, 0x11, 0x11};
    uint32_t found;

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start(rig_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        set_registers(AT);
        mov[2] = 0x11;
        rig_set_rip(0, first);
        cr_expect_eq(rig_access(0, AT, true, 6, mov), VERDICT_RESUME);
        memcpy(&found, rig_device(AT), 4);
        cr_expect_eq(found, 0x11111111);
        mov[2] = 0x22;
        rig_set_rip(0, second);
        cr_expect_eq(rig_access(0, AT, true, 6, mov), VERDICT_RESUME);
        memcpy(&found, rig_device(AT), 4);
        cr_expect_eq(found, 0x11111122, "%s: 0x%x", rig_profiles[p], found);
        rig_stop();
    }
}

/* Where an access goes, piece by piece, and what is read there. */
Test(mmio, borders)
{
    static const struct {
        const char *name;
        uint64_t at;
        uint8_t bytes[3];
        uint64_t value;
        unsigned count;
        struct {
            uint64_t at;
            unsigned width;
        } pieces[4];
    } accesses[] = {
        {"misaligned word",
         AT + 1,
         {0x66, 0x8b, 0x03},
         0x1122334455668281,
         2,
         {{AT + 1, 1}, {AT + 2, 1}}},
        {"misaligned quadword",
         AT + 1,
         {0x48, 0x8b, 0x03},
         0x8887868584838281,
         4,
         {{AT + 1, 1}, {AT + 2, 2}, {AT + 4, 4}, {AT + 8, 1}}},
        {"two devices",
         RIG_DEVICE + 4096 - 4,
         {0x48, 0x8b, 0x03},
         0xdddddddd,
         2,
         {{RIG_DEVICE + 4096 - 4, 4}, {RIG_DEVICE + 4096, 4}}},
        {"device and hole",
         RIG_DEVICE + 2 * 4096 - 4,
         {0x48, 0x8b, 0x03},
         0xffffffffdddddddd,
         1,
         {{RIG_DEVICE + 2 * 4096 - 4, 4}}},
        {"hole", RIG_HOLE, {0x48, 0x8b, 0x03}, ~UINT64_C(0), 0, {{0}}},
        {"hole across pages",
         RIG_HOLE + 4094,
         {0x48, 0x8b, 0x03},
         ~UINT64_C(0),
         0,
         {{0}}},
        {"byte of a hole",
         RIG_HOLE,
         {0x8a, 0x03, 0x90},
         0x11223344556677ff,
         0,
         {{0}}},
    };

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start(rig_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++) {
            unsigned before = rig.accesses;

            set_registers(accesses[i].at);
            memset(rig_device(RIG_DEVICE + 4096 - 4), 0xdd, 4);
            memset(rig_device(RIG_DEVICE + 2 * 4096 - 4), 0xdd, 4);
            memset(rig_device(RIG_DEVICE + 4096), 0, 4);
            cr_expect_eq(
                rig_access(0, accesses[i].at, false, 3, accesses[i].bytes),
                VERDICT_RESUME, "%s: %s", accesses[i].name, rig.vm->reason);
            cr_expect_eq(rig_gpr(0, X86_GPR_RAX), accesses[i].value,
                         "%s: 0x%llx", accesses[i].name,
                         (unsigned long long)rig_gpr(0, X86_GPR_RAX));
            cr_assert_eq(rig.accesses - before, accesses[i].count, "%s",
                         accesses[i].name);
            for (unsigned n = 0; n < accesses[i].count; n++) {
                const struct rig_access *made = &rig.log[before + n];

                cr_expect_eq(made->address, accesses[i].pieces[n].at, "%s",
                             accesses[i].name);
                cr_expect_eq(made->width, accesses[i].pieces[n].width, "%s",
                             accesses[i].name);
            }
        }
        rig_stop();
    }
}

/* Nobody answers, or not to that: no exception comes of it on a PC. */
Test(mmio, what_takes_no_notice)
{
    static const struct {
        const char *name;
        uint64_t at;
        uint8_t load[3], store[3];
        bool is_memory;
        uint64_t value;
    } places[] = {
        {"hole",
         RIG_HOLE,
         {0x48, 0x8b, 0x03},
         {0x48, 0x89, 0x03},
         false,
         ~UINT64_C(0)},
        {"ROM", RIG_ROM + 8, {0x48, 0x8b, 0x03}, {0x48, 0x89, 0x03}, true, 0},
        {"too wide",
         RIG_NARROW,
         {0x48, 0x8b, 0x03},
         {0x48, 0x89, 0x03},
         false,
         ~UINT64_C(0)},
        {"too narrow",
         RIG_NARROW,
         {0x40, 0x8a, 0x03},
         {0x40, 0x88, 0x03},
         false,
         0x11223344556677ff},
    };

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
            rig_start(rig_profiles[p], 1, 1);
            rig_mode(0, RIG_LONG);
            set_registers(places[i].at);
            cr_expect_eq(rig_access(0, places[i].at, true, 3, places[i].store),
                         VERDICT_RESUME, "%s: %s", places[i].name,
                         rig.vm->reason);
            cr_expect_eq(rig_rip(0), RIG_CODE + 3, "%s: store", places[i].name);
            cr_expect_eq(rig_handler(0), -1, "%s: %d", places[i].name,
                         rig_handler(0));
            cr_expect_eq(rig.accesses, 0);
            if (places[i].is_memory) {
                cr_expect_eq(rig_peek(places[i].at, 8), places[i].value);
                rig_stop();
                continue;
            }
            cr_expect_eq(rig_access(0, places[i].at, false, 3, places[i].load),
                         VERDICT_RESUME, "%s: %s", places[i].name,
                         rig.vm->reason);
            cr_expect_eq(rig_rip(0), RIG_CODE + 6, "%s: load", places[i].name);
            cr_expect_eq(rig_gpr(0, X86_GPR_RAX), places[i].value, "%s",
                         places[i].name);
            rig_stop();
        }
    }
}

/* XMM registers of the guest, to and from devices. */
Test(mmio, sse)
{
    static const uint8_t load[] = {0x0f, 0x10, 0x0b};  /* movups xmm1, [] */
    static const uint8_t store[] = {0x0f, 0x11, 0x13}; /* movups [], xmm2 */

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        uint64_t quad;

        rig_start(rig_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        rig_do(0, (struct guest_op){.kind = OP_X86_WRITE_CR,
                                    .number = 4,
                                    .reg = X86_GPR_RDI,
                                    .value = X86_CR4_PAE | X86_CR4_OSFXSR});
        rig_do(0, (struct guest_op){.kind = OP_FP, .reg = 2, .value = PATTERN});
        rig_set_rip(0, RIG_CODE);
        set_registers(AT);
        cr_expect_eq(rig_access(0, AT, false, 3, load), VERDICT_RESUME, "%s",
                     rig.vm->reason);
        cr_expect_eq(
            rig_do(0, (struct guest_op){.kind = OP_FP_READ, .reg = 1}).value,
            0x8786858483828180);
        set_registers(AT);
        cr_expect_eq(rig_access(0, AT, true, 3, store), VERDICT_RESUME);
        memcpy(&quad, rig_device(AT), 8);
        cr_expect_eq(quad, PATTERN);
        memcpy(&quad, rig_device(AT + 8), 8);
        cr_expect_eq(quad, 0);
        rig_stop();
    }
}

/* String moves between device and memory, longer than one call makes. */
EACH_VENDOR(mmio, moves_of_strings)
{
    static const uint8_t rep_movsb[] = {0xf3, 0xa4};

    for (unsigned to_device = 0; to_device < 2; to_device++) {
        uint64_t from = to_device ? RIG_DATA : RIG_DEVICE;
        uint64_t to = to_device ? RIG_DEVICE : RIG_DATA;
        unsigned exits = 0;

        rig_start(profile, 1, 1);
        rig_mode(0, RIG_LONG);
        for (unsigned i = 0; i < 200; i++) {
            *rig_device(RIG_DEVICE + i) = (uint8_t)(i * 3);
            rig_poke(RIG_DATA + i, to_device ? i * 3 : 0, 1);
        }
        rig_set_gpr(0, X86_GPR_RSI, from);
        rig_set_gpr(0, X86_GPR_RDI, to);
        rig_set_gpr(0, X86_GPR_RCX, 200);
        while (rig_rip(0) == RIG_CODE && exits++ < 100)
            rig_access(0, RIG_DEVICE, to_device, 2, rep_movsb);
        cr_expect_eq(rig_gpr(0, X86_GPR_RCX), 0);
        cr_expect_eq(rig_rip(0), RIG_CODE + 2);
        for (unsigned i = 0; i < 200; i++) {
            cr_expect_eq(*rig_device(RIG_DEVICE + i), (uint8_t)(i * 3));
            cr_expect_eq(rig_peek(RIG_DATA + i, 1), (uint8_t)(i * 3));
        }
        rig_stop();
    }
}

/* Ones are no instruction. */
Test(mmio, fetch_from_a_hole)
{
    static const uint64_t places[] = {RIG_HOLE, RIG_DEVICE, RIG_RAM};

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
            rig_start(rig_profiles[p], 1, 1);
            rig_mode(0, RIG_LONG);
            rig_do(0,
                   (struct guest_op){.kind = OP_SET_PC, .address = places[i]});
            cr_expect_eq(
                rig_do(0, (struct guest_op){.kind = OP_X86_CPUID}).cause,
                X86_VECTOR_UD);
            cr_expect_eq(rig_handler(0), X86_VECTOR_UD);
            cr_expect_eq(rig_peek(rig_rsp(0), 8), places[i]);
            cr_expect_eq(rig.accesses, 0);
            rig_stop();
        }
    }
}

/* What cannot be, and how it ends. */
Test(mmio, impossible_places)
{
    static const struct {
        const char *name;
        enum { TABLES_HOLE, TABLES_DEVICE, IDT, STACK } what;
    } places[] = {
        {"page tables", TABLES_HOLE},
        {"page tables", TABLES_DEVICE},
        {"event", IDT},
        {"event", STACK},
    };

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
            struct guest_op op = {.kind = OP_X86_RDPMC};

            rig_start(rig_profiles[p], 1, 1);
            rig_mode(0, RIG_LONG);
            rig_do(0, (struct guest_op){.kind = OP_X86_PAUSE});
            switch (places[i].what) {
            case TABLES_HOLE:
            case TABLES_DEVICE:
                op = (struct guest_op){.kind = OP_X86_WRITE_CR,
                                       .number = 3,
                                       .reg = X86_GPR_RDI,
                                       .value = places[i].what == TABLES_HOLE
                                                    ? RIG_HOLE
                                                    : RIG_DEVICE};
                rig_do(0, op);
                op = (struct guest_op){
                    .kind = OP_LOAD, .width = 8, .address = RIG_DATA};
                break;
            case IDT:
                op = (struct guest_op){
                    .kind = OP_X86_LIDT, .address = RIG_HOLE, .number = 0xfff};
                rig_do(0, op);
                op = (struct guest_op){.kind = OP_X86_RDPMC};
                break;
            case STACK:
                rig_do(0, (struct guest_op){.kind = OP_SET_REG,
                                            .reg = X86_GPR_RSP,
                                            .value = RIG_DEVICE + 64});
                break;
            }
            rig_do(0, op);
            cr_expect_eq(rig.vm->state, VM_STOPPED, "%s", places[i].name);
            cr_expect_not_null(strstr(rig.vm->reason, places[i].name), "%s",
                               rig.vm->reason);
            cr_expect_eq(rig.accesses, 0);
            rig_stop();
        }
    }
}

/* What is not emulated is the end, with its name and bytes. */
EACH_VENDOR(mmio, not_emulated)
{
    static const uint8_t fld[] = {0xdd, 0x03};
    static const uint8_t vmovups[] = {0xc5, 0xf8, 0x10, 0x03};

    for (unsigned i = 0; i < 2; i++) {
        rig_start(profile, 1, 1);
        rig_mode(0, RIG_LONG);
        set_registers(AT);
        cr_expect_eq(
            rig_access(0, AT, false, i == 0 ? 2 : 4, i == 0 ? fld : vmovups),
            VERDICT_STOP_VM);
        cr_expect_not_null(
            strstr(rig.vm->reason, i == 0 ? "dd 03" : "c5 f8 10 03"), "%s",
            rig.vm->reason);
        rig_stop();
    }
}

/* A page fault of an emulated instruction is the guest's, and a walk sets A and
 * D as the processor's does. */
Test(mmio, page_tables_of_an_emulated_instruction)
{
    static const uint8_t movsb[] = {0xa4};
    uint64_t entry = RIG_SPARE + RIG_DATA / PAGE_SIZE * 8;

    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        rig_start(rig_profiles[p], 1, 1);
        rig_mode(0, RIG_LONG);
        for (unsigned i = 0; i < 512; i++)
            rig_poke(RIG_SPARE + 8 * i, i << PAGE_SHIFT | 0x3, 8);
        rig_poke(RIG_TABLES + 2 * PAGE_SIZE, RIG_SPARE | 0x3, 8);
        rig_set_gpr(0, X86_GPR_RSI, AT);
        rig_set_gpr(0, X86_GPR_RDI, RIG_DATA);
        *rig_device(AT) = 0x99;
        cr_expect_eq(rig_access(0, AT, false, 1, movsb), VERDICT_RESUME);
        cr_expect_eq(rig_peek(RIG_DATA, 1), 0x99);
        cr_expect_eq(rig_peek(entry, 8), RIG_DATA | 0x63);
        cr_expect_eq(rig_peek(RIG_TABLES + 2 * PAGE_SIZE, 8), RIG_SPARE | 0x23);

        rig_poke(entry, RIG_DATA | 0x1, 8);
        rig_vcpu(0)->vendor->set(rig_vcpu(0), X86_REG_CR0,
                                 rig_get(0, X86_REG_CR0) | X86_CR0_WP);
        vcpu_request(rig.vm->vcpus[0], VCPU_REQUEST_FLUSH);
        rig_set_gpr(0, X86_GPR_RDI, RIG_DATA + 7);
        rig_access(0, AT, false, 1, movsb);
        rig_run();
        cr_expect_eq(rig_handler(0), X86_VECTOR_PF);
        cr_expect_eq(rig_get(0, X86_REG_CR2), RIG_DATA + 7);
        cr_expect_eq(rig_peek(rig_rsp(0), 8), X86_FAULT_P | X86_FAULT_RW);
        rig_stop();
    }
}
