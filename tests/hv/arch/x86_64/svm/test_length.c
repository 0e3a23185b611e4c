/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a guest goes on after an instruction that was answered: processors
 * without NRIPS do not say how long it was. With prefixes, at a page's end,
 * across pages, through all kinds of page tables, and when the guest changes
 * these meanwhile.
 */
#include "hv/arch/x86_64/svm/rig.h"

#define PTE UINT64_C(0x63)

struct row {
    const char *name;
    uint64_t code;
    uint8_t length;
    uint8_t bytes[X86_INSN_MAX];
    uint64_t info1;
    bool is_64bit_only;
};

/* clang-format off */
static const struct row rows[] = {
    {"cpuid", VMEXIT_CPUID, 2, {0x0f, 0xa2}},
    {"data16 cpuid", VMEXIT_CPUID, 3, {0x66, 0x0f, 0xa2}},
    {"rex cpuid", VMEXIT_CPUID, 3, {0x48, 0x0f, 0xa2}, 0, true},
    {"rep cpuid", VMEXIT_CPUID, 3, {0xf3, 0x0f, 0xa2}},
    {"repne cpuid", VMEXIT_CPUID, 3, {0xf2, 0x0f, 0xa2}},
    {"addr32 gs cpuid", VMEXIT_CPUID, 4, {0x67, 0x65, 0x0f, 0xa2}},
    {"15 bytes", VMEXIT_CPUID, 15,
     {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
      0x66, 0x0f, 0xa2}},
    {"hlt", VMEXIT_HLT, 1, {0xf4}},
    {"data16 hlt", VMEXIT_HLT, 2, {0x66, 0xf4}},
    {"rex hlt", VMEXIT_HLT, 2, {0x4f, 0xf4}, 0, true},
    {"rdmsr", VMEXIT_MSR, 2, {0x0f, 0x32}},
    {"rep rdmsr", VMEXIT_MSR, 3, {0xf3, 0x0f, 0x32}},
    {"wrmsr", VMEXIT_MSR, 2, {0x0f, 0x30}, MSR_EXIT_WRITE},
    {"cs wrmsr", VMEXIT_MSR, 3, {0x2e, 0x0f, 0x30}, MSR_EXIT_WRITE},
    {"vmmcall", VMEXIT_VMMCALL, 3, {0x0f, 0x01, 0xd9}},
    {"rex vmmcall", VMEXIT_VMMCALL, 4, {0x48, 0x0f, 0x01, 0xd9}, 0, true},
    {"invd", VMEXIT_INVD, 2, {0x0f, 0x08}},
    {"ss invd", VMEXIT_INVD, 3, {0x36, 0x0f, 0x08}},
    {"wbinvd", VMEXIT_WBINVD, 2, {0x0f, 0x09}},
    {"wbnoinvd", VMEXIT_WBINVD, 3, {0xf3, 0x0f, 0x09}},
    {"mov cr4, rdi", VMEXIT_CR0_WRITE + 4, 3, {0x0f, 0x22, 0xe7}},
    {"rex mov cr4, rdi", VMEXIT_CR0_WRITE + 4, 4, {0x48, 0x0f, 0x22, 0xe7}, 0,
     true},
    {"mov cr8, rdi", VMEXIT_CR0_WRITE + 8, 4, {0x44, 0x0f, 0x22, 0xc7}, 0,
     true},
    {"mov rdi, cr8", VMEXIT_CR0_READ + 8, 4, {0x44, 0x0f, 0x20, 0xc7}, 0,
     true},
    {"lock mov cr0, edi", VMEXIT_CR0_WRITE + 8, 4, {0xf0, 0x0f, 0x22, 0xc7}},
    {"lock mov edi, cr0", VMEXIT_CR0_READ + 8, 4, {0xf0, 0x0f, 0x20, 0xc7}},
};
/* clang-format on */

/* Registers that no row's instruction is refused for. */
static void set_registers(void)
{
    rig_set_gpr(0, X86_GPR_RCX, X86_MSR_HWCR);
    rig_set_gpr(0, X86_GPR_RAX, 0);
    rig_set_gpr(0, X86_GPR_RDX, 0);
    rig_set_gpr(0, X86_GPR_RDI, 0);
}

/* At `rip`, of which `room` bytes are in this page. */
static void try_row(const char *profile, enum rig_mode mode, uint64_t rip,
                    const struct row *row)
{
    struct vmcb_save *save = &rig_vmcb(0)->save;
    struct rig_exit exit = {
        .code = row->code, .info1 = row->info1, .length = row->length};
    enum verdict verdict;

    memcpy(exit.bytes, row->bytes, row->length);
    set_registers();
    rig_svm(0)->x86.wait = X86_RUNS;
    if (row->code == VMEXIT_CR0_WRITE + 4)
        rig_set_gpr(0, X86_GPR_RDI, save->cr4);
    save->rip = rip - save->cs.base;
    verdict = rig_exit(0, &exit);
    cr_expect_eq(verdict,
                 row->code == VMEXIT_HLT ? VERDICT_BLOCK : VERDICT_RESUME);
    cr_expect_eq(save->rip + save->cs.base, rip + row->length,
                 "%s, %s: %s goes on at 0x%llx", profile, rig_mode_names[mode],
                 row->name, (unsigned long long)save->rip);
}

static void try_rows(const char *profile, enum rig_mode mode)
{
    static const unsigned rooms[] = {64, 15, 4, 3, 2, 1};

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].is_64bit_only && mode != RIG_LONG)
            continue;
        for (unsigned room = 0; room < ARRAY_SIZE(rooms); room++)
            try_row(profile, mode, RIG_CODE + PAGE_SIZE - rooms[room],
                    &rows[i]);
    }
}

Test(length, all_forms)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        for (unsigned mode = 0; mode < RIG_MODES; mode++) {
            rig_start(rig_svm_profiles[p], 1, 1);
            rig_mode(0, mode);
            try_rows(rig_svm_profiles[p], mode);
            rig_stop();
        }
    }
}

/* Tables of 4 KiB pages for the first 2 or 4 MiB; the entry of a page. */
static uint64_t make_small_pages(enum rig_mode mode, uint64_t page)
{
    unsigned size = mode == RIG_TWO_LEVEL ? 4 : 8;
    uint64_t directory =
        mode == RIG_TWO_LEVEL ? RIG_TABLES : RIG_TABLES + 2 * PAGE_SIZE;

    for (unsigned i = 0; i < PAGE_SIZE / size; i++)
        rig_poke(RIG_SPARE + i * size, i << PAGE_SHIFT | PTE, size);
    rig_poke(directory, RIG_SPARE | PTE, size);
    return RIG_SPARE + page / PAGE_SIZE * size;
}

/* The second half of the instruction is in another page than the one behind
 * the first in physical memory. */
Test(length, across_pages_that_are_apart)
{
    static const uint8_t bytes[] = {0x66, 0x66, 0x66, 0x0f, 0xa2};

    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        for (unsigned mode = RIG_TWO_LEVEL; mode < RIG_MODES; mode++) {
            for (unsigned room = 1; room < sizeof(bytes); room++) {
                uint64_t rip = RIG_CODE + PAGE_SIZE - room;
                unsigned size = mode == RIG_TWO_LEVEL ? 4 : 8;
                uint64_t entry;

                rig_start(rig_svm_profiles[p], 1, 1);
                rig_mode(0, mode);
                entry = make_small_pages(mode, RIG_CODE + PAGE_SIZE);
                rig_poke(entry, RIG_DATA | PTE, size);
                rig_write(rip, bytes, room);
                rig_poke(RIG_CODE + PAGE_SIZE, 0x0b0f, 2); /* UD2 */
                rig_write(RIG_DATA, bytes + room, sizeof(bytes) - room);
                rig_vmcb(0)->save.rip = rip;
                rig_exit(0, &(struct rig_exit){.code = VMEXIT_CPUID,
                                               .length = sizeof(bytes),
                                               .is_there = true});
                cr_expect_eq(rig_vmcb(0)->save.rip, rip + sizeof(bytes),
                             "%s, %s, %u", rig_svm_profiles[p],
                             rig_mode_names[mode], room);
                rig_stop();
            }
        }
    }
}

/* What is no longer there is made again. */
Test(length, changed_meanwhile)
{
    for (unsigned mode = RIG_TWO_LEVEL; mode < RIG_MODES; mode++) {
        unsigned size = mode == RIG_TWO_LEVEL ? 4 : 8;
        uint64_t entry;

        rig_start("qemu", 1, 1);
        rig_mode(0, mode);
        entry = make_small_pages(mode, RIG_CODE);
        rig_write(RIG_CODE, "\x0f\xa2", 2);
        rig_poke(entry, 0, size);
        cr_expect_eq(rig_exit(0, &(struct rig_exit){.code = VMEXIT_CPUID}),
                     VERDICT_RESUME);
        cr_expect_eq(rig_vmcb(0)->save.rip, RIG_CODE);
        rig_poke(entry, RIG_CODE | PTE, size);
        cr_expect_eq(rig_exit(0, &(struct rig_exit){.code = VMEXIT_CPUID}),
                     VERDICT_RESUME);
        cr_expect_eq(rig_vmcb(0)->save.rip, RIG_CODE + 2);
        rig_stop();
    }
}

/* Another vCPU has put another instruction there: neither that one nor the
 * first is made with what belongs to the other. */
Test(length, another_control_register_meanwhile)
{
    static const uint8_t mov_cr3[] = {0x0f, 0x22, 0xdf};
    struct rig_exit exit = {.code = VMEXIT_CR0_WRITE + 4, .length = 3};
    uint64_t cr4;

    rig_start("full", 1, 1);
    rig_mode(0, RIG_LONG);
    memcpy(exit.bytes, mov_cr3, sizeof(mov_cr3));
    cr4 = rig_vmcb(0)->save.cr4;
    rig_set_gpr(0, X86_GPR_RDI, cr4 | X86_CR4_PGE);
    cr_expect_eq(rig_exit(0, &exit), VERDICT_RESUME);
    cr_expect_eq(rig_vmcb(0)->save.cr4, cr4);
    cr_expect_eq(rig_vmcb(0)->save.rip, RIG_CODE);
    cr_expect_eq(rig_handler(0), -1);
    rig_stop();
}

/* It makes no progress, and its VM ends. */
Test(length, never_there)
{
    unsigned exits = 0;

    rig_start("qemu", 1, 1);
    rig_mode(0, RIG_LONG);
    rig_poke(make_small_pages(RIG_LONG, RIG_CODE), 0, 8);
    while (exits < 1000 &&
           rig_exit(0, &(struct rig_exit){.code = VMEXIT_CPUID}) !=
               VERDICT_STOP_VM)
        exits++;
    cr_expect_lt(exits, 1000);
    rig_stop();
}

/* RFLAGS.RF is for one instruction. */
Test(length, resume_flag)
{
    rig_start("full", 1, 1);
    rig_mode(0, RIG_LONG);
    rig_set_flags(0, X86_RFLAGS_RF, 0);
    rig_exit(0, &(struct rig_exit){
                    .code = VMEXIT_CPUID, .length = 2, .bytes = {0x0f, 0xa2}});
    cr_expect_eq(rig_vmcb(0)->save.rflags & X86_RFLAGS_RF, 0);
    rig_stop();
}

/* The instruction pointer has the width of the mode. */
Test(length, end_of_the_address_space)
{
    rig_start("full", 1, 1);
    rig_mode(0, RIG_PROTECTED);
    rig_vmcb(0)->save.rip = UINT64_C(0xfffffffe);
    rig_vmcb(0)->control.exitcode = VMEXIT_CPUID;
    rig_vmcb(0)->control.nrip = UINT64_C(0x100000000);
    vm_handle_exit(rig.vm, rig.vm->vcpus[0]);
    cr_expect_eq(rig_vmcb(0)->save.rip, 0);
    rig_mode(0, RIG_PROTECTED);
    rig_stop();
}
