/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake riscv64 CPU's address translation and TLB. The tables here are made
 * by hand, from the manual, not by the hypervisor's walker.
 */
#include <criterion/criterion.h>

#include "lib/bits.h"
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/sim.h"
#include "support/rows.h"
#include "vcpu/exit.h"

#define V    0x01
#define R    0x02
#define W    0x04
#define X    0x08
#define U    0x10
#define A    0x40
#define D    0x80
#define LEAF (V | R | W | X | U | A | D)

#define SV39 8
#define SV48 9

static struct fake_riscv *cpu;
static struct trap_source guest, other_guest;
static hpa_t root, page;

static uint64_t *table(hpa_t at)
{
    return memory_phys_to_virt(at);
}

static uint64_t entry(hpa_t to, uint64_t bits)
{
    return to.raw >> PAGE_SHIFT << 10 | bits;
}

/* Maps the page at `gpa_raw` in Sv39x4 tables under `root`. */
static uint64_t *map_g(uint64_t gpa_raw, hpa_t to, uint64_t bits)
{
    uint64_t *e = &table(root)[gpa_raw >> 30];

    for (unsigned level = 1; level < 2 + 1; level++) {
        if (*e == 0)
            *e = entry(memory_alloc_frame(), V);
        e = &table(
            hpa(*e >> 10 << PAGE_SHIFT))[gpa_raw >> (30 - 9 * level) & 0x1ff];
    }
    *e = entry(to, bits);
    return e;
}

static void use_vmid(uint64_t vmid)
{
    riscv_hw_write_hgatp(FIELD_PUT(HGATP_MODE, SV39) |
                         FIELD_PUT(HGATP_VMID, vmid) | root.raw >> PAGE_SHIFT);
}

static void setup(void)
{
    sim_reset(1);
    violations_set_print(false);
    cpu = fake_riscv_current();
    root = memory_alloc_contiguous(4, 16384);
    page = memory_alloc_frame();
    fake_riscv_set_source(0, &guest);
    use_vmid(1);
}

TestSuite(mmu, .init = setup);

static struct translation translate(uint64_t address, unsigned access)
{
    return mmu_translate(cpu, address, access, false);
}

Test(mmu, g_stage_permissions)
{
    static const struct {
        uint64_t bits;
        bool read, write, execute;
    } rows[] = {
        {LEAF, true, true, true},
        {0, false, false, false},
        {V | R | U | A, true, false, false},
        {V | R | W | U | A | D, true, true, false},
        {V | X | U | A, false, false, true},
        {V | R | X | U | A, true, false, true},
        {V | W | U | A | D, false, false, false}, /* reserved */
        {LEAF & ~U, false, false, false},         /* not a user page */
        {LEAF | BIT(54), false, false, false},    /* reserved bit */
        {LEAF | BIT(61), false, false, false},    /* PBMT, no Svpbmt */
        {LEAF | BIT(63), false, false, false},    /* NAPOT */
    };

    for_each_row (i, rows) {
        (void)map_g(0x40001000, page, rows[i].bits);
        tlb_reset(cpu);
        cr_assert_eq(translate(0x40001234, ACCESS_READ).ok, rows[i].read,
                     "row %zu", i);
        tlb_reset(cpu);
        cr_assert_eq(translate(0x40001234, ACCESS_WRITE).ok, rows[i].write,
                     "row %zu", i);
        tlb_reset(cpu);
        cr_assert_eq(translate(0x40001234, ACCESS_EXECUTE).ok, rows[i].execute,
                     "row %zu", i);
    }
    cr_assert_eq(violations_count(), 0);
}

Test(mmu, accessed_and_dirty_bits)
{
    uint64_t *e = map_g(0x1000, page, V | R | W | U);

    cr_assert(translate(0x1000, ACCESS_READ).ok);
    cr_assert_eq(*e & (A | D), A, "set by this processor");
    cr_assert(translate(0x1000, ACCESS_WRITE).ok);
    cr_assert_eq(*e & (A | D), A | D);
    fake_riscv_reset(riscv_profile_find("plain"), 1);
    fake_riscv_set_source(0, &guest);
    use_vmid(0);
    *e &= ~(uint64_t)(A | D);
    cr_assert(!translate(0x1000, ACCESS_READ).ok, "a fault on that one");
    *e |= A;
    cr_assert(translate(0x1000, ACCESS_READ).ok);
    tlb_reset(cpu);
    cr_assert(!translate(0x1000, ACCESS_WRITE).ok);
}

Test(mmu, large_leaves)
{
    hpa_t big = memory_alloc_contiguous(512, UINT64_C(2) << 20);

    cr_assert(!hpa_is_none(big));
    (void)map_g(0, page, LEAF);
    table(hpa(table(root)[0] >> 10 << PAGE_SHIFT))[3] = entry(big, LEAF);
    cr_assert_eq(translate(0x600000 + 0x12345, ACCESS_READ).hpa,
                 big.raw + 0x12345);
    table(hpa(table(root)[0] >> 10 << PAGE_SHIFT))[4] =
        entry(hpa_add(big, PAGE_SIZE), LEAF);
    cr_assert(!translate(0x800000, ACCESS_READ).ok, "misaligned");
    table(root)[5] = entry(hpa(UINT64_C(1) << 30), LEAF);
    cr_assert_eq(translate((UINT64_C(5) << 30) + 77, ACCESS_READ).hpa,
                 (UINT64_C(1) << 30) + 77);
}

Test(mmu, faults_say_what_and_where)
{
    static const struct {
        unsigned access;
        uint32_t cause;
    } rows[] = {
        {ACCESS_READ, CAUSE_LOAD_GUEST_PAGE_FAULT},
        {ACCESS_WRITE, CAUSE_STORE_GUEST_PAGE_FAULT},
        {ACCESS_EXECUTE, CAUSE_INSN_GUEST_PAGE_FAULT},
    };

    for_each_row (i, rows) {
        struct translation t = translate(0x123456789, rows[i].access);

        cr_assert(!t.ok);
        cr_assert_eq(t.cause, rows[i].cause);
        cr_assert_eq(t.gpa, 0x123456789);
        cr_assert(!t.implicit);
    }
    cr_assert(!translate(UINT64_C(1) << 41, ACCESS_READ).ok, "41 bits");
}

Test(mmu, a_missing_fence_is_reported)
{
    hpa_t second = memory_alloc_frame();
    uint64_t *e = map_g(0x5000, page, LEAF);

    cr_assert_eq(translate(0x5008, ACCESS_READ).hpa, page.raw + 8);
    *e = entry(second, LEAF);
    (void)translate(0x5008, ACCESS_READ);
    cr_assert_eq(violations_of(RULE_STALE_G_STAGE), 1, "another frame");
    riscv_hw_hfence_gvma_vmid(1);
    cr_assert_eq(translate(0x5008, ACCESS_READ).hpa, second.raw + 8);
    *e = entry(second, V | R | U | A);
    cr_assert(translate(0x5008, ACCESS_READ).ok, "reads are as before");
    cr_assert_eq(violations_count(), 1);
    (void)translate(0x5008, ACCESS_WRITE);
    cr_assert_eq(violations_of(RULE_STALE_G_STAGE), 2, "no more writes");
    riscv_hw_hfence_gvma_all();
    (void)translate(0x5008, ACCESS_READ);
    *e = 0;
    (void)translate(0x5008, ACCESS_READ);
    cr_assert_eq(violations_of(RULE_STALE_G_STAGE), 3, "unmapped");
}

Test(mmu, what_has_become_possible_needs_a_fence_too)
{
    uint64_t *e = map_g(0x5000, page, V | R | U | A);

    cr_assert(translate(0x5000, ACCESS_READ).ok);
    *e = entry(page, LEAF);
    cr_assert(!translate(0x5000, ACCESS_WRITE).ok, "the old entry holds");
    cr_assert_eq(violations_count(), 0, "which is no harm");
    riscv_hw_hfence_gvma_range(1, 0x5000, PAGE_SIZE);
    cr_assert(translate(0x5000, ACCESS_WRITE).ok);
}

Test(mmu, fences_reach_what_they_name_and_nothing_else)
{
    static const struct {
        uint64_t vmid, start, size;
        bool stale;
    } rows[] = {
        {1, 0x5000, 0x1000, false},   {1, 0x4000, 0x1000, true},
        {1, 0x5800, 1, false},        {1, 0x6000, 0x1000, true},
        {2, 0x5000, 0x1000, true},    {1, 0, TLB_ANY, false},
        {TLB_ANY, 0, TLB_ANY, false},
    };
    hpa_t second = memory_alloc_frame();

    for_each_row (i, rows) {
        uint64_t *e = map_g(0x5000, page, LEAF);

        tlb_reset(cpu);
        violations_reset();
        (void)translate(0x5000, ACCESS_READ);
        *e = entry(second, LEAF);
        tlb_flush_g(cpu, rows[i].vmid, rows[i].start, rows[i].size);
        (void)translate(0x5000, ACCESS_READ);
        cr_assert_eq(violations_count(), rows[i].stale, "row %zu", i);
    }
}

Test(mmu, vmids_keep_guests_apart)
{
    hpa_t second = memory_alloc_frame();
    uint64_t *e = map_g(0x5000, page, LEAF);

    (void)translate(0x5000, ACCESS_READ);
    use_vmid(2);
    *e = entry(second, LEAF);
    cr_assert_eq(translate(0x5000, ACCESS_READ).hpa, second.raw);
    cr_assert_eq(violations_count(), 0);
    use_vmid(1);
    (void)translate(0x5000, ACCESS_READ);
    cr_assert_eq(violations_count(), 1, "VMID 1 still has the old one");
}

Test(mmu, vmids_keep_guests_apart_where_they_share_an_entry)
{
    hpa_t second = memory_alloc_frame();
    uint64_t *e = map_g(0x5000, page, LEAF);

    for (uint64_t vmid = 2; vmid < 2 + 4 * TLB_ENTRIES; vmid++) {
        use_vmid(1);
        *e = entry(page, LEAF);
        riscv_hw_hfence_gvma_vmid(1);
        cr_assert_eq(translate(0x5000, ACCESS_READ).hpa, page.raw);
        use_vmid(vmid);
        *e = entry(second, LEAF);
        cr_assert_eq(translate(0x5000, ACCESS_READ).hpa, second.raw);
        cr_assert_eq(violations_count(), 0, "VMID %u", (unsigned)vmid);
    }
}

Test(mmu, memory_that_is_nobodys)
{
    hpa_t last;

    (void)map_g(0x5000, hpa(0x10000000), LEAF);
    (void)map_g(0x6000, hpa_add(page, PAGE_SIZE * 99), LEAF);
    last = memory_alloc_frame();
    cr_assert(translate(0x5000, ACCESS_READ).ok);
    cr_assert_null(mmu_host_memory(cpu, 0x10000000, 8));
    cr_assert_null(mmu_host_memory(cpu, page.raw + PAGE_SIZE * 99, 8));
    cr_assert_null(mmu_host_memory(cpu, last.raw + PAGE_SIZE - 4, 8));
    cr_assert_eq(violations_of(RULE_REACHES_HOST), 3);
    cr_assert_not_null(mmu_host_memory(cpu, page.raw, PAGE_SIZE));
}

/* VS-stage: a page of tables at guest-physical 0x10000, a page of memory. */
#define VS_ROOT 0x10000
#define VS_PAGE 0x20000

static uint64_t *vs_setup(void)
{
    hpa_t vs_root = memory_alloc_frame();

    (void)map_g(VS_ROOT, vs_root, LEAF);
    (void)map_g(VS_PAGE, page, LEAF);
    cpu->vsatp = UINT64_C(8) << 60 | VS_ROOT >> PAGE_SHIFT;
    return table(vs_root);
}

Test(mmu, vs_stage_permissions)
{
    static const struct {
        uint64_t bits, status;
        bool user, read, write, execute;
    } rows[] = {
        {V | R | W | X | A | D, 0, false, true, true, true},
        {V | R | W | X | A | D, 0, true, false, false, false},
        {V | R | W | X | U | A | D, 0, true, true, true, true},
        {V | R | W | X | U | A | D, 0, false, false, false, false},
        {V | R | W | X | U | A | D, STATUS_SUM, false, true, true, false},
        {V | X | A, 0, false, false, false, true},
        {V | X | A, STATUS_MXR, false, true, false, true},
        {V | R | A, 0, false, true, false, false},
        {0, 0, false, false, false, false},
    };
    uint64_t *vs_root = vs_setup();

    for_each_row (i, rows) {
        static const unsigned accesses[] = {ACCESS_READ, ACCESS_WRITE,
                                            ACCESS_EXECUTE};
        static const uint32_t causes[] = {CAUSE_LOAD_PAGE_FAULT,
                                          CAUSE_STORE_PAGE_FAULT,
                                          CAUSE_INSN_PAGE_FAULT};
        const bool want[] = {rows[i].read, rows[i].write, rows[i].execute};

        cpu->vsstatus = rows[i].status;
        for (unsigned a = 0; a < 3; a++) {
            struct translation t;

            vs_root[0] = entry(hpa(0), rows[i].bits);
            tlb_reset(cpu);
            t = mmu_translate(cpu, VS_PAGE + 5, accesses[a], rows[i].user);
            cr_assert_eq(t.ok, want[a], "row %zu access %u", i, a);
            if (t.ok)
                cr_assert_eq(t.hpa, page.raw + 5);
            else
                cr_assert_eq(t.cause, causes[a], "row %zu access %u", i, a);
        }
    }
}

Test(mmu, vs_stage_tables_that_cannot_be_reached)
{
    struct translation t;

    (void)vs_setup();
    cpu->vsatp = UINT64_C(8) << 60 | 0x7777;
    t = translate(0x3000, ACCESS_WRITE);
    cr_assert(!t.ok);
    cr_assert(t.implicit);
    cr_assert_eq(t.access, ACCESS_READ, "the walker reads an entry");
    cr_assert_eq(t.cause, CAUSE_STORE_GUEST_PAGE_FAULT, "for a store");
    cr_assert_eq(t.gpa, 0x7777000);
    /* An entry in read-only memory whose D bit must be set. */
    uint64_t *vs_root = vs_setup();
    vs_root[0] = entry(hpa(0), V | R | W);
    (void)map_g(VS_ROOT, memory_virt_to_phys(vs_root), V | R | U | A);
    tlb_reset(cpu);
    t = translate(VS_PAGE, ACCESS_WRITE);
    cr_assert(t.implicit);
    cr_assert_eq(t.access, ACCESS_WRITE);
    cr_assert_eq(t.gpa, VS_ROOT);
}

Test(mmu, vs_stage_entries_live_until_the_guest_fences)
{
    uint64_t *vs_root = vs_setup();

    vs_root[0] = entry(hpa(0), V | R | W | A | D);
    cr_assert(translate(VS_PAGE, ACCESS_READ).ok);
    vs_root[0] = 0;
    cr_assert(translate(VS_PAGE, ACCESS_READ).ok, "its own business");
    riscv_hw_hfence_vvma_asid(5);
    cr_assert(translate(VS_PAGE, ACCESS_READ).ok, "another ASID");
    riscv_hw_hfence_vvma_range(0x100000, 0x1000);
    cr_assert(translate(VS_PAGE, ACCESS_READ).ok, "another page");
    riscv_hw_hfence_vvma_all();
    cr_assert(!translate(VS_PAGE, ACCESS_READ).ok);
    cr_assert_eq(violations_count(), 0);
}

Test(mmu, another_vcpu_must_not_find_them)
{
    uint64_t *vs_root = vs_setup();

    vs_root[0] = entry(hpa(0), V | R | W | A | D);
    (void)translate(VS_PAGE, ACCESS_READ);
    fake_riscv_set_source(0, &other_guest);
    (void)translate(VS_PAGE, ACCESS_READ);
    cr_assert_eq(violations_of(RULE_STALE_VS_STAGE), 1);
    violations_reset();
    riscv_hw_hfence_vvma_all();
    (void)translate(VS_PAGE, ACCESS_READ);
    cr_assert_eq(violations_count(), 0);
}

Test(mmu, vs_stage_addresses_are_canonical)
{
    uint64_t *vs_root = vs_setup();

    vs_root[511] = entry(hpa(0), V | R | A);
    cr_assert(translate(0xffffffffc0000000 + VS_PAGE, ACCESS_READ).ok);
    cr_assert(!translate(0x7fc0000000 + VS_PAGE, ACCESS_READ).ok);
    cr_assert_eq(translate(0x7fc0000000, ACCESS_READ).cause,
                 CAUSE_LOAD_PAGE_FAULT);
}

Test(mmu, the_hypervisors_own_accesses_go_through_it)
{
    uint64_t *vs_root = vs_setup();
    char text[8] = "";

    /* Executable, not readable: a fetch can, a load cannot. */
    vs_root[0] = entry(hpa(0), V | X | A);
    cpu->hstatus |= HSTATUS_SPVP;
    memory_write_guest(page, "ABCD", 4);
    cr_assert_eq(riscv_hw_fetch_insn(VS_PAGE), 0x4241, "a compressed one");
    memory_write_guest(page, "CBAD", 4);
    cr_assert_eq(riscv_hw_fetch_insn(VS_PAGE), 0x44414243);
    memory_write_guest(hpa_add(page, PAGE_SIZE - 2), "AB", 2);
    cr_assert_eq(riscv_hw_fetch_insn(VS_PAGE + PAGE_SIZE - 2), 0x4241);
    memory_write_guest(hpa_add(page, PAGE_SIZE - 2), "CB", 2);
    cr_assert_eq(riscv_hw_fetch_insn(VS_PAGE + PAGE_SIZE - 2), RISCV_NO_INSN,
                 "its second half is in a page that is not there");
    cr_assert_eq(riscv_hw_read_guest_virtual(VS_PAGE, text, 2), 0);
    vs_root[0] = entry(hpa(0), V | R | A);
    riscv_hw_hfence_vvma_all();
    cr_assert_eq(riscv_hw_fetch_insn(VS_PAGE), RISCV_NO_INSN);
    memory_write_guest(hpa_add(page, PAGE_SIZE - 2), "YZ", 2);
    cr_assert_eq(riscv_hw_read_guest_virtual(VS_PAGE + PAGE_SIZE - 2, text, 8),
                 2, "the next page is not there");
    cr_assert_str_eq(text, "YZ");
    cpu->hstatus &= ~HSTATUS_SPVP;
    cr_assert_eq(riscv_hw_read_guest_virtual(VS_PAGE, text, 2), 0,
                 "the user may not");
}
