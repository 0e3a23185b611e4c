/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remote fences, seen by what a guest can still reach through the fake TLB:
 * its own stale translation is the guest's business until it asks for a fence,
 * and gone afterwards.
 */
#include "rig.h"
#include "support/rows.h"

#define SATP_SV39   (UINT64_C(8) << 60)
#define GUEST_PAGES 4
#define ROOT        RIG_MEMORY /* guest page tables: ROOT, then two levels */
#define LEAVES      (RIG_MEMORY + 2 * PAGE_SIZE)
#define OLD_PAGE    (RIG_MEMORY + 8 * PAGE_SIZE)
#define NEW_PAGE    (RIG_MEMORY + 9 * PAGE_SIZE)
#define PTE_POINTER 1
#define PTE_LEAF    0xcf /* D A X W R V, not global */

static void write_pte(uint64_t at, uint64_t to, uint64_t flags)
{
    uint64_t pte = to >> PAGE_SHIFT << 10 | flags;

    cr_assert_eq(aspace_write(&rig.memory, gpa(at), &pte, sizeof(pte)), OK);
}

/* Virtual pages 0 to 3 are OLD_PAGE. */
static void make_page_tables(void)
{
    const uint64_t old = 0x01d, new = 0x2e3;

    cr_assert_eq(aspace_write(&rig.memory, gpa(OLD_PAGE), &old, sizeof(old)),
                 OK);
    cr_assert_eq(aspace_write(&rig.memory, gpa(NEW_PAGE), &new, sizeof(new)),
                 OK);
    write_pte(ROOT, ROOT + PAGE_SIZE, PTE_POINTER);
    write_pte(ROOT + PAGE_SIZE, LEAVES, PTE_POINTER);
    for (uint64_t page = 0; page < GUEST_PAGES; page++)
        write_pte(LEAVES + 8 * page, OLD_PAGE, PTE_LEAF);
}

static void map_everything_anew(void)
{
    for (uint64_t page = 0; page < GUEST_PAGES; page++)
        write_pte(LEAVES + 8 * page, NEW_PAGE, PTE_LEAF);
}

static uint64_t load_page(struct riscv_vcpu *v, uint64_t page)
{
    const struct guest_op load = {.kind = OP_LOAD,
                                  .width = 8,
                                  .reg = OP_DEFAULT_REG,
                                  .address = page * PAGE_SIZE};

    cpus_set_current(v->base.cpu);
    return rig_do(v, load).value;
}

/* A guest on CPU `cpu` that has all four pages in its TLB. */
static struct riscv_vcpu *warm_guest(unsigned id, uint32_t cpu)
{
    struct riscv_vcpu *v = rig_bind(id, cpu);

    fake_riscv_current()->vsatp = SATP_SV39 | ROOT >> PAGE_SHIFT;
    for (uint64_t page = 0; page < GUEST_PAGES; page++)
        cr_assert_eq(load_page(v, page), 0x01d);
    return v;
}

#define ALL_HARTS 0, UINT64_MAX

static const struct {
    const char *what;
    struct rig_call call;
    uint64_t self;  /* pages that the caller must see anew */
    uint64_t other; /* and vCPU 1 */
} rows[] = {
    {"everything, by zeros", {SBI_EID_RFENCE, 1, {ALL_HARTS, 0, 0}}, 0xf, 0xf},
    {"everything, by all ones",
     {SBI_EID_RFENCE, 1, {ALL_HARTS, 0, UINT64_MAX}},
     0xf,
     0xf},
    {"everything, by all ones from anywhere",
     {SBI_EID_RFENCE, 1, {ALL_HARTS, 0x5000, UINT64_MAX}},
     0xf,
     0xf},
    {"everything, by a huge range",
     {SBI_EID_RFENCE, 1, {ALL_HARTS, 0, UINT64_C(1) << 40}},
     0xf,
     0xf},
    {"a page", {SBI_EID_RFENCE, 1, {ALL_HARTS, 0x1000, 0x1000}}, 0x2, 0x2},
    {"the byte of a page", {SBI_EID_RFENCE, 1, {ALL_HARTS, 0x1fff, 1}}, 2, 2},
    {"two pages", {SBI_EID_RFENCE, 1, {ALL_HARTS, 0x1000, 0x2000}}, 0x6, 0x6},
    {"the caller alone", {SBI_EID_RFENCE, 1, {1, 10, 0, 0}}, 0xf, 0},
    {"the other alone", {SBI_EID_RFENCE, 1, {2, 10, 0, 0}}, 0, 0xf},
    {"an address space", {SBI_EID_RFENCE, 2, {ALL_HARTS, 0, 0, 0}}, 0xf, 0xf},
    {"a page of one",
     {SBI_EID_RFENCE, 2, {ALL_HARTS, 0x2000, 0x1000, 0}},
     0x4,
     0x4},
    {"legacy, everything", {6, 0, {0, 0, 0}}, 0xf, 0xf},
    {"legacy, a page", {6, 0, {0, 0x1000, 0x1000}}, 0x2, 0x2},
    {"legacy, an address space", {7, 0, {0, 0, 0, 0}}, 0xf, 0xf},
};

static void expect_fenced(struct riscv_vcpu *v, uint64_t pages,
                          const char *what)
{
    for (uint64_t page = 0; page < GUEST_PAGES; page++) {
        if (pages & BIT(page))
            cr_expect_eq(load_page(v, page), 0x2e3, "%s: page %llu of vCPU %u",
                         what, (unsigned long long)page, v->base.id);
    }
}

Test(rfence, what_was_fenced_is_seen_anew)
{
    for_each_row (i, rows) {
        rig_start("virt");
        make_page_tables();
        struct riscv_vcpu *other = warm_guest(1, 1);
        struct riscv_vcpu *self = warm_guest(0, 0);
        map_everything_anew();
        struct rig_answer answer = rig_call(self, rows[i].call);
        cr_expect_eq(answer.error, 0, "%s", rows[i].what);
        expect_fenced(self, rows[i].self, rows[i].what);
        expect_fenced(other, rows[i].other, rows[i].what);
        rig_stop();
    }
}

/* An ASID that the guest does not use leaves its translations alone. */
Test(rfence, another_address_space_is_left_alone)
{
    rig_start("virt");
    make_page_tables();
    struct riscv_vcpu *v = warm_guest(0, 0);
    map_everything_anew();
    cr_expect_eq(
        rig_call(v, (struct rig_call){SBI_EID_RFENCE, 2, {1, 10, 0, 0, 5}})
            .error,
        0);
    cr_expect_eq(load_page(v, 0), 0x01d);
    rig_stop();
}

/* A CPU that is in the target's guest is made to leave it. */
Test(rfence, a_vcpu_in_its_guest_is_kicked_out)
{
    rig_start("virt");
    make_page_tables();
    struct riscv_vcpu *other = warm_guest(1, 1);
    struct riscv_vcpu *self = warm_guest(0, 0);
    map_everything_anew();
    atomic_store(&other->base.in_guest, true);
    cr_expect_not(cpus_is_kicked(1));
    cr_expect_eq(
        rig_call(self, (struct rig_call){SBI_EID_RFENCE, 0, {2, 10}}).error, 0);
    cr_expect(cpus_take_kick(1));
    cr_expect_eq(atomic_load(&other->base.requests) & VCPU_REQUEST_ARCH,
                 VCPU_REQUEST_ARCH);
    /* One that is not there need not be. */
    atomic_store(&other->base.in_guest, false);
    cr_expect_eq(
        rig_call(self, (struct rig_call){SBI_EID_RFENCE, 1, {2, 10}}).error, 0);
    cr_expect_not(cpus_is_kicked(1));
    expect_fenced(other, 0xf, "after the kick");
    rig_stop();
}

Test(rfence, calls_that_are_wrong)
{
    static const struct {
        const char *what;
        struct rig_call call;
        int64_t error;
    } wrong[] = {
        {"no such hart", {SBI_EID_RFENCE, 0, {1, 0}}, SBI_ERR_INVALID_PARAM},
        {"no such hart", {SBI_EID_RFENCE, 1, {1, 14}}, SBI_ERR_INVALID_PARAM},
        {"no such hart",
         {SBI_EID_RFENCE, 2, {0x1f, 10}},
         SBI_ERR_INVALID_PARAM},
        {"a range that wraps",
         {SBI_EID_RFENCE, 1, {1, 10, UINT64_MAX, 2}},
         SBI_ERR_INVALID_ADDRESS},
        {"a range that wraps",
         {SBI_EID_RFENCE, 2, {1, 10, 0x1000, UINT64_MAX - 1, 0}},
         SBI_ERR_INVALID_ADDRESS},
        {"the last byte", {SBI_EID_RFENCE, 1, {1, 10, UINT64_MAX, 1}}, 0},
        {"an empty range", {SBI_EID_RFENCE, 1, {1, 10, 0x1000, 0}}, 0},
        {"hfence", {SBI_EID_RFENCE, 3, {1, 10}}, SBI_ERR_NOT_SUPPORTED},
        {"hfence", {SBI_EID_RFENCE, 4, {1, 10}}, SBI_ERR_NOT_SUPPORTED},
        {"hfence", {SBI_EID_RFENCE, 5, {1, 10}}, SBI_ERR_NOT_SUPPORTED},
        {"hfence", {SBI_EID_RFENCE, 6, {1, 10}}, SBI_ERR_NOT_SUPPORTED},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct rig_answer answer = rig_call(v, wrong[i].call);

        cr_expect_eq(answer.error, wrong[i].error, "%s: %lld", wrong[i].what,
                     (long long)answer.error);
        cr_expect_eq(answer.value, 0);
        cr_expect_eq(answer.moved, 4);
    }
    rig_stop();
}
