/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets an interrupt: SDM volume 3A, section 11.6. */
#include "pc.h"

#define VCPUS 20

/* Who has been interrupted since the last look: bit n is vCPU n. */
static uint32_t take_interrupted(struct pc *pc)
{
    uint32_t found = 0;

    for (vcpu_id id = 0; id < VCPUS; id++) {
        if (lapic_attention(pc_apic(pc, id)) & LAPIC_INTERRUPT) {
            found |= 1U << id;
            (void)lapic_acknowledge(pc_apic(pc, id));
            if (pc_rdmsr(pc, id, MSR_BASE) & 0x400)
                pc_wrmsr(pc, id, MSR_OF(APIC_EOI), 0);
            else
                pc_put(pc, id, APIC_EOI, 0);
        }
    }
    return found;
}

/* ICR2 and ICR of vCPU 2, in xAPIC mode. */
static uint32_t send(struct pc *pc, uint32_t high, uint32_t low)
{
    pc_put(pc, 2, APIC_ICR2, high);
    pc_put(pc, 2, APIC_ICR, low);
    return take_interrupted(pc);
}

#define ALL ((1U << VCPUS) - 1)

Test(lapic_ipi, physical_and_shorthands)
{
    static const struct {
        uint32_t high, low, who;
    } rows[] = {
        {0x00000000, 0x00050, 1 << 0},
        {0x05000000, 0x00050, 1 << 5},
        {0x13000000, 0x00050, 1 << 19},
        {0x14000000, 0x00050, 0}, /* nobody */
        {0xfe000000, 0x00050, 0},
        {0xff000000, 0x00050, ALL},
        {0x02000000, 0x00050, 1 << 2},
        {0x05000000, 0x40050, 1 << 2},
        {0x05000000, 0x80050, ALL},
        {0x05000000, 0xc0050, ALL & ~(1U << 2)},
        {0x05000000, 0x08050, 1 << 5}, /* a level is not known */
        {0x05000000, 0x0c050, 1 << 5},
        {0x05000000, 0x00150, 1 << 5}, /* lowest priority, of one */
        /* Modes that do not go with these shorthands, or with an ICR. */
        {0x05000000, 0x40150, 0},
        {0x05000000, 0x80150, 0},
        {0x05000000, 0x00250, 0},
        {0x05000000, 0x00350, 0},
        {0x05000000, 0x00750, 0},
    };
    struct pc pc;

    pc_make(&pc, VCPUS, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        cr_expect_eq(send(&pc, rows[i].high, rows[i].low), rows[i].who,
                     "row %zu", i);
    pc_end(&pc);
}

Test(lapic_ipi, logical)
{
    static const struct {
        uint32_t dfr;
        uint8_t ldr[4]; /* of vCPU 0 to 3 */
        uint8_t destination;
        uint32_t who;
    } rows[] = {
        /* Flat: any bit. */
        {0xf0000000, {1, 2, 4, 8}, 0x01, 1},
        {0xf0000000, {1, 2, 4, 8}, 0x0a, 0xa},
        {0xf0000000, {1, 2, 4, 8}, 0x10, 0},
        {0xf0000000, {1, 2, 4, 8}, 0x00, 0},
        {0xf0000000, {3, 2, 0, 0x80}, 0x82, 0xb},
        {0xf0000000, {1, 2, 4, 8}, 0xff, ALL},
        /* Cluster: the same cluster, and any of four bits. */
        {0x00000000, {0x11, 0x12, 0x21, 0x28}, 0x11, 1},
        {0x00000000, {0x11, 0x12, 0x21, 0x28}, 0x13, 3},
        {0x00000000, {0x11, 0x12, 0x21, 0x28}, 0x2f, 0xc},
        {0x00000000, {0x11, 0x12, 0x21, 0x28}, 0x3f, 0},
        {0x00000000, {0x11, 0x12, 0x21, 0x28}, 0x20, 0},
        {0x00000000, {0x11, 0x12, 0x21, 0x28}, 0xff, ALL},
        /* No model at all. */
        {0x50000000, {1, 2, 4, 8}, 0x0f, 0},
    };
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        pc_make(&pc, VCPUS, NULL);
        for (vcpu_id id = 0; id < VCPUS; id++)
            pc_put(&pc, id, APIC_DFR, rows[i].dfr);
        for (vcpu_id id = 0; id < 4; id++)
            pc_put(&pc, id, APIC_LDR, (uint32_t)rows[i].ldr[id] << 24);
        cr_expect_eq(send(&pc, (uint32_t)rows[i].destination << 24, 0x850),
                     rows[i].who, "row %zu", i);
        pc_end(&pc);
    }
}

Test(lapic_ipi, x2apic)
{
    static const struct {
        uint64_t icr;
        uint32_t who;
    } rows[] = {
        {0x0000000000000050, 1 << 0},
        {0x0000001300000050, 1 << 19},
        {0x0000010000000050, 0},
        {0x000000ff00000050, 0}, /* not everybody, in this mode */
        {0xffffffff00000050, ALL},
        {0x0000000500000850, 1 << 0 | 1 << 2}, /* logical: cluster 0 */
        {0x0001000900000850, 1 << 16 | 1 << 19},
        {0x0002ffff00000850, 0},
        {0xffffffff00000850, ALL},
        {0x0000000000040050, 1 << 2},
        {0x0000000000080050, ALL},
        {0x00000000000c0050, ALL & ~(1U << 2)},
    };
    struct pc pc;

    pc_make(&pc, VCPUS, NULL);
    for (vcpu_id id = 0; id < VCPUS; id++)
        pc_wrmsr(&pc, id, MSR_BASE, BASE_X2APIC);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        pc_wrmsr(&pc, 2, 0x830, rows[i].icr);
        cr_expect_eq(take_interrupted(&pc), rows[i].who, "row %zu", i);
    }
    pc_wrmsr(&pc, 7, 0x83f, 0x77);
    cr_expect_eq(take_interrupted(&pc), 1 << 7);
    pc_end(&pc);
}

/* MSIs: the address says who, the data what. */
Test(lapic_ipi, msi)
{
    static const struct {
        uint64_t address;
        uint32_t data, who;
    } rows[] = {
        {0xfee00000, 0x50, 1 << 0},
        {0xfee05000, 0x50, 1 << 5},
        {0xfeeff000, 0x50, ALL},
        {0xfee03004, 0x50, 3}, /* logical: flat */
        {0xfee05000, 0xc050, 1 << 5},
        {0xfee05000, 0x8050, 0}, /* a de-assertion */
        {0xfee05000, 0x05, 0},
        {0xfef05000, 0x50, 0}, /* not an address of theirs */
        {0x1fee05000, 0x50, 0},
    };
    struct pc pc;

    pc_make(&pc, VCPUS, NULL);
    pc_put(&pc, 0, APIC_LDR, 0x01000000);
    pc_put(&pc, 1, APIC_LDR, 0x02000000);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        lapics_deliver_msi(pc.lapics, rows[i].address, rows[i].data);
        cr_expect_eq(take_interrupted(&pc), rows[i].who, "row %zu", i);
    }
    pc_end(&pc);
}

/* The lowest priority, in turns where it is equal; those that are disabled
 * take no part. */
Test(lapic_ipi, lowest_priority)
{
    struct pc pc;
    uint32_t all = 0;

    pc_make(&pc, VCPUS, NULL);
    for (vcpu_id id = 0; id < VCPUS; id++) {
        pc_put(&pc, id, APIC_LDR, 0x01000000);
        pc_put(&pc, id, APIC_TPR, id < 4 ? 0x20 : 0x40);
    }
    for (unsigned i = 0; i < 4; i++) {
        uint32_t who = send(&pc, 0x01000000, 0x950);

        cr_expect_eq(who & (who - 1), 0);
        all |= who;
    }
    cr_expect_eq(all, 0xf);
    pc_put(&pc, 9, APIC_TPR, 0x10);
    cr_expect_eq(send(&pc, 0x01000000, 0x950), 1 << 9);
    pc_put(&pc, 9, APIC_SVR, 0xff);
    pc_put(&pc, 3, APIC_TPR, 0x1f);
    cr_expect_eq(send(&pc, 0x01000000, 0x950), 1 << 3);
    pc_end(&pc);
}
