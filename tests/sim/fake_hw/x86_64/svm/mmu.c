/* SPDX-License-Identifier: Apache-2.0 */
/* Nested paging on the fake SVM CPU, the guest's own tables, and the TLB. */
#include <string.h>

#include "rig.h"

TestSuite(mmu, .init = rig_setup);

static const struct guest_op load = {
    .kind = OP_LOAD, .width = 4, .reg = 2, .address = RIG_DATA};
static const struct guest_op store = {
    .kind = OP_STORE, .width = 4, .reg = 2, .address = RIG_DATA};
static const struct guest_op fetch = {.kind = OP_FETCH, .address = RIG_DATA};

static const struct vmcb_control *control(void)
{
    return &rig.vmcb->control;
}

static void flush(void)
{
    rig.vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
    rig_run(NULL, 0);
    rig.vmcb->control.tlb_control = TLB_CONTROL_NOTHING;
}

/* EXITINFO1 of the access; 0: it has retired. */
static uint64_t fault_of(const struct guest_op *op)
{
    flush();
    rig_one(op);
    if (control()->exitcode == VMEXIT_INTR) {
        cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED);
        return 0;
    }
    cr_assert_eq(control()->exitcode, VMEXIT_NPF);
    cr_assert_eq(control()->exitinfo2, RIG_DATA);
    return control()->exitinfo1;
}

Test(mmu, nested_faults)
{
    static const struct {
        uint64_t clear, set;
        uint64_t read, write, fetch; /* EXITINFO1; 0: none */
    } rows[] = {
        {0, 0, 0, 0, 0},
        {NPT_P, 0, 0x100000004, 0x100000006, 0x100000014},
        {NPT_RW, 0, 0, 0x100000007, 0},
        {NPT_US, 0, 0x100000005, 0x100000007, 0x100000015},
        {0, NPT_NX, 0, 0, 0x100000015},
        {0, BIT(50), 0x10000000d, 0x10000000f, 0x10000001d},
    };

    for_each_row (i, rows) {
        uint64_t *entry;

        rig_setup();
        entry = rig_nested(RIG_DATA);
        *entry = (*entry & ~rows[i].clear) | rows[i].set;
        cr_assert_eq(fault_of(&load), rows[i].read, "row %zu: 0x%llx", i,
                     (unsigned long long)control()->exitinfo1);
        cr_assert_eq(fault_of(&store), rows[i].write, "row %zu", i);
        cr_assert_eq(fault_of(&fetch), rows[i].fetch, "row %zu", i);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
    }
}

/* QEMU takes what other processors refuse. */
Test(mmu, nested_reserved_bits)
{
    static const struct {
        const char *profile;
        uint64_t info1;
    } rows[] = {{"full", 0x10000000d}, {"toliman", 0x10000000d}, {"qemu", 0}};

    for_each_row (i, rows) {
        uint64_t *pml4;

        rig_load(rows[i].profile);
        (void)rig_nested(RIG_DATA);
        pml4 = memory_phys_to_virt(hpa(control()->n_cr3));
        rig_one(&load);
        flush();
        pml4[0] |= NPT_PS;
        rig_one(&fetch);
        cr_assert_eq(control()->exitinfo1 & ~X86_FAULT_ID, rows[i].info1,
                     "row %zu", i);
    }
}

Test(mmu, nested_large_pages)
{
    uint64_t *directory;
    struct guest_op far = {
        .kind = OP_LOAD, .width = 1, .reg = 2, .address = 0x40212345};
    hpa_t frames = memory_alloc_contiguous(512, 0x200000);
    uint8_t *bytes = memory_phys_to_virt(frames);

    /* The page table of the address becomes a page of 2 MiB. */
    (void)rig_nested(far.address);
    directory = memory_phys_to_virt(hpa(control()->n_cr3));
    for (unsigned level = 3; level > 1; level--)
        directory = memory_phys_to_virt(hpa(
            directory[far.address >> (12 + 9 * level) & 511] & NPT_ADDRESS));
    directory += far.address >> 21 & 511;
    *directory = frames.raw | RIG_LEAF | NPT_PS;
    bytes[0x12345] = 0x5a;
    rig_one(&far);
    cr_assert_eq(rig.last.value & 0xff, 0x5a);
    *directory |= BIT(13);
    flush();
    rig_one(&far);
    cr_assert_eq(control()->exitinfo1, 0x10000000d, "reserved");
}

Test(mmu, nested_accessed_and_dirty)
{
    uint64_t *entry = rig_nested(RIG_DATA);

    rig_one(&load);
    cr_assert_eq(*entry & (NPT_A | NPT_D), NPT_A);
    rig_one(&store);
    cr_assert_eq(*entry & (NPT_A | NPT_D), NPT_A | NPT_D);
}

Test(mmu, instruction_fetch)
{
    static const struct guest_op cpuid = {.kind = OP_X86_CPUID};

    *rig_nested(RIG_CODE) = 0;
    rig_one(&cpuid);
    cr_assert_eq(control()->exitcode, VMEXIT_NPF);
    cr_assert_eq(control()->exitinfo1, 0x100000014);
    cr_assert_eq(control()->exitinfo2, RIG_CODE);
    cr_assert_eq(control()->bytes_fetched, 0);
    *rig_nested(RIG_CODE) = (rig.memory.raw + RIG_CODE) | RIG_LEAF;
    rig_enter();
    cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED);
    cr_assert_eq(rig.last.exits, 1);
}

/* A translation that is taken away, or changed, with and without a flush. */
Test(mmu, flushes)
{
    static const struct {
        const char *profile;
        uint8_t tlb_control;
        uint32_t asid; /* of the second entry */
        bool flushed;
    } rows[] = {
        {"full", TLB_CONTROL_NOTHING, 1, false},
        {"full", TLB_CONTROL_FLUSH_ALL, 1, true},
        {"full", TLB_CONTROL_FLUSH_GUEST, 1, true},
        {"full", TLB_CONTROL_FLUSH_GUEST_NONGLOBAL, 1, false},
        {"full", TLB_CONTROL_NOTHING, 2, true},
        {"qemu", TLB_CONTROL_NOTHING, 1, false},
        {"qemu", TLB_CONTROL_FLUSH_ALL, 1, true},
        {"toliman", TLB_CONTROL_NOTHING, 3, true},
    };

    for_each_row (i, rows) {
        for (unsigned change = 0; change < 3; change++) {
            uint64_t *entry;

            rig_load(rows[i].profile);
            entry = rig_nested(RIG_DATA);
            rig_one(&store);
            cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED);
            if (change == 0)
                *entry = 0;
            else if (change == 1)
                *entry &= ~NPT_RW;
            else
                *entry += PAGE_SIZE;
            rig.vmcb->control.tlb_control = rows[i].tlb_control;
            rig.vmcb->control.guest_asid = rows[i].asid;
            rig.vmcb->control.clean = 0;
            rig_one(&store);
            cr_assert_eq(violations_of(RULE_STALE_NPT), !rows[i].flushed,
                         "row %zu, %u", i, change);
            cr_assert_eq(violations_count(), !rows[i].flushed);
            cr_assert_eq(control()->exitcode,
                         change == 2 && rows[i].flushed ? VMEXIT_INTR
                                                        : VMEXIT_NPF,
                         "row %zu, %u", i, change);
        }
    }
}

/* More rights need no flush. */
Test(mmu, rights_that_are_added)
{
    uint64_t *entry = rig_nested(RIG_DATA);

    *entry &= ~NPT_RW;
    rig_one(&load);
    *entry |= NPT_RW;
    rig_one(&store);
    cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED);
    cr_assert_eq(violations_count(), 0);
}

/* An ASID that another guest has left its translations in. */
Test(mmu, asid_of_another_guest)
{
    struct trap_source other = {.next = rig.source.next,
                                .done = rig.source.done};
    hpa_t frame = memory_alloc_frame();

    rig_one(&load);
    *rig_nested(RIG_DATA) = frame.raw | RIG_LEAF;
    fake_x86_set_source(0, &other);
    rig_one(&load);
    cr_assert_eq(violations_of(RULE_STALE_ASID), 1);
    cr_assert_eq(violations_of(RULE_STALE_NPT), 0);
}

Test(mmu, guest_memory_that_is_not_allocated)
{
    *rig_nested(RIG_DATA) = 0x1000 | RIG_LEAF;
    rig_one(&load);
    cr_assert_eq(violations_of(RULE_REACHES_HOST), 1);
    cr_assert_eq(control()->exitcode, VMEXIT_SHUTDOWN);
}

/* The same of the guest's own tables: nothing is found there. */
Test(mmu, guest_tables_that_are_not_allocated)
{
    rig_long_mode();
    *rig_nested(RIG_CR3) = 0x1000 | RIG_LEAF;
    rig_one(&load);
    cr_assert_eq(violations_of(RULE_REACHES_HOST), 1);
    cr_assert_eq(control()->exitcode, VMEXIT_NPF);
    cr_assert_eq(control()->exitinfo2, RIG_CR3);
    cr_assert_eq(rig.done, 0);
}

/* The guest's own page tables: an entry of its page directory, for 2 MiB. */
Test(mmu, guest_page_faults)
{
    static const struct {
        uint64_t clear, set;
        uint8_t cpl;
        uint64_t read, write; /* error code plus 1; 0: none */
    } rows[] = {
        {0, 0, 0, 0, 0},
        {0, 0, 3, 0, 0},
        {NPT_P, 0, 0, 1 + 0, 1 + 2},
        {NPT_P, 0, 3, 1 + 4, 1 + 6},
        {NPT_RW, 0, 0, 0, 1 + 3},
        {NPT_RW, 0, 3, 0, 1 + 7},
        {NPT_US, 0, 0, 0, 0},
        {NPT_US, 0, 3, 1 + 5, 1 + 7},
        {0, BIT(50), 0, 1 + 9, 1 + 11},
    };

    for_each_row (i, rows) {
        for (unsigned write = 0; write < 2; write++) {
            uint64_t expected = write ? rows[i].write : rows[i].read;
            struct guest_op op = write ? store : load;
            uint64_t *directory;

            rig_setup();
            rig_long_mode();
            rig_idt();
            rig.vmcb->control.intercept_exceptions = 1u << X86_VECTOR_PF;
            /* The second 2 MiB, onto the same memory. */
            directory = rig_memory(RIG_CR3 + 2 * PAGE_SIZE);
            directory[1] = ((NPT_PS | RIG_LEAF) & ~rows[i].clear) | rows[i].set;
            op.address += 0x200000;
            rig.vmcb->save.cpl = rows[i].cpl;
            rig_one(&op);
            if (expected == 0) {
                cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED, "row %zu", i);
                continue;
            }
            cr_assert_eq(control()->exitcode, VMEXIT_EXCP0 + X86_VECTOR_PF,
                         "row %zu: 0x%llx", i,
                         (unsigned long long)control()->exitcode);
            cr_assert_eq(control()->exitinfo1, expected - 1, "row %zu", i);
            cr_assert_eq(control()->exitinfo2, op.address, "row %zu", i);
        }
    }
}

/* The tables of the guest are in memory that the hypervisor has not mapped, or
 * not for writing. */
Test(mmu, nested_faults_in_guest_tables)
{
    rig_long_mode();
    *rig_nested(RIG_CR3 + PAGE_SIZE) = 0;
    rig_one(&load);
    cr_assert_eq(control()->exitcode, VMEXIT_NPF);
    cr_assert_eq(control()->exitinfo1, 0x200000006);
    cr_assert_eq(control()->exitinfo2, RIG_CR3 + PAGE_SIZE);
    *rig_nested(RIG_CR3 + PAGE_SIZE) =
        (rig.memory.raw + RIG_CR3 + PAGE_SIZE) | NPT_P | NPT_US;
    rig_enter();
    cr_assert_eq(control()->exitinfo1, 0x200000007);
}

/* What a guest remembers of its own tables is its own affair, until it says
 * so: with INVLPG, CR3, or the hypervisor for it. */
Test(mmu, guest_translations)
{
    static const struct {
        struct guest_op op;
        uint8_t tlb_control;
        bool forgotten;
    } rows[] = {
        {{.kind = OP_X86_CPUID}, 0, false},
        {{.kind = OP_X86_INVLPG, .address = 0x200000 + RIG_DATA}, 0, true},
        {{.kind = OP_X86_INVLPG, .address = RIG_DATA}, 0, false},
        {{.kind = OP_X86_WRITE_CR, .number = 3, .value = RIG_CR3, .reg = 6},
         0,
         true},
        {{.kind = OP_X86_CPUID}, TLB_CONTROL_FLUSH_GUEST, true},
        {{.kind = OP_X86_CPUID}, TLB_CONTROL_FLUSH_GUEST_NONGLOBAL, true},
    };

    for_each_row (i, rows) {
        struct guest_op far = load;
        uint64_t *directory;

        rig_setup();
        rig_long_mode();
        directory = rig_memory(RIG_CR3 + 2 * PAGE_SIZE);
        directory[1] = NPT_PS | RIG_LEAF;
        far.address += 0x200000;
        rig_one(&far);
        directory[1] = 0;
        rig.vmcb->control.tlb_control = rows[i].tlb_control;
        rig_one(&rows[i].op);
        rig.vmcb->control.tlb_control = 0;
        rig.vmcb->control.intercept_exceptions = 1u << X86_VECTOR_PF;
        rig_one(&far);
        cr_assert_eq(control()->exitcode == VMEXIT_EXCP0 + X86_VECTOR_PF,
                     rows[i].forgotten, "row %zu: 0x%llx", i,
                     (unsigned long long)control()->exitcode);
        cr_assert_eq(violations_count(), 0, "row %zu", i);
    }
}

/* Entries that are as they were, and are not the guest's tables any more. */
Test(mmu, other_tables)
{
    rig_one(&store);
    cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED);
    rig.vmcb->control.n_cr3 = memory_alloc_frame().raw;
    rig.vmcb->control.clean = 0;
    rig_one(&store);
    cr_assert_eq(control()->exitcode, VMEXIT_NPF);
    cr_assert_eq(violations_of(RULE_STALE_NPT), 1);
}

Test(mmu, freed_tables)
{
    hpa_t table;

    rig_one(&store);
    cr_assert_eq(rig.last.outcome, OUTCOME_RETIRED);
    table = memory_virt_to_phys(rig_nested(RIG_DATA));
    memory_free_frame(hpa(align_down(table.raw, PAGE_SIZE)));
    rig_one(&store);
    cr_assert_eq(control()->exitcode, VMEXIT_NPF);
    cr_assert_geq(violations_of(RULE_REACHES_HOST), 1);
}
