/* SPDX-License-Identifier: Apache-2.0 */
/* Which MSRs a guest has, what it may write, and who is in the way. */
#include <criterion/criterion.h>
#include <string.h>

#include "arch/x86_64/guest_msr.h"
#include "arch/x86_64/svm/msrpm.h"
#include "hosts.h"
#include "random.h"
#include "support/rows.h"

/* All there are. D: without an exit; C, L, S: by the core, the local APIC, the
 * stored state. */
static const struct {
    uint32_t first, last;
    char home;
    const char *only;
} all[] = {
    {0x10, 0x10, 'C', NULL},             /* TSC */
    {0x17, 0x17, 'S', INTEL},            /* IA32_PLATFORM_ID */
    {0x1b, 0x1b, 'L', NULL},             /* IA32_APIC_BASE */
    {0x3b, 0x3b, 'C', NULL},             /* IA32_TSC_ADJUST */
    {0x8b, 0x8b, 'S', NULL},             /* microcode */
    {0xfe, 0xfe, 'S', NULL},             /* MTRRcap */
    {0x174, 0x176, 'D', NULL},           /* SYSENTER */
    {0x179, 0x17a, 'S', NULL},           /* MCG_CAP, MCG_STATUS */
    {0x1a0, 0x1a0, 'S', INTEL},          /* IA32_MISC_ENABLE */
    {0x1d9, 0x1d9, 'S', NULL},           /* DebugCtl */
    {0x1db, 0x1de, 'S', AMD},            /* last branch */
    {0x200, 0x20f, 'S', NULL},           /* variable MTRRs */
    {0x250, 0x250, 'S', NULL},           /* fixed ones */
    {0x258, 0x259, 'S', NULL},           /* ... */
    {0x268, 0x26f, 'S', NULL},           /* ... */
    {0x277, 0x277, 'C', NULL},           /* PAT */
    {0x2ff, 0x2ff, 'S', NULL},           /* MTRRdefType */
    {0x6e0, 0x6e0, 'L', NULL},           /* IA32_TSC_DEADLINE */
    {0x800, 0x8ff, 'L', NULL},           /* x2APIC */
    {0xc0000080, 0xc0000080, 'C', NULL}, /* EFER */
    {0xc0000081, 0xc0000084, 'D', NULL}, /* SYSCALL */
    {0xc0000100, 0xc0000102, 'D', NULL}, /* bases of FS and GS */
    {0xc0000103, 0xc0000103, 'C', NULL}, /* TSC_AUX */
    {0xc0010010, 0xc0010010, 'S', AMD},  /* SYS_CFG */
    {0xc0010015, 0xc0010015, 'S', AMD},  /* HWCR */
    {0xc001001f, 0xc001001f, 'S', AMD},  /* NB_CFG */
    {0xc0010055, 0xc0010055, 'S', AMD},  /* interrupt pending */
    {0xc0010058, 0xc0010058, 'S', AMD},  /* MMIO configuration */
    {0xc0010112, 0xc0010113, 'S', AMD},  /* TSEG */
    {0xc0010140, 0xc0010141, 'S', NULL}, /* OSVW */
    {0xc0011029, 0xc0011029, 'S', AMD},  /* DE_CFG */
};

static const char homes[] = {
    [X86_MSR_DIRECT] = 'D',
    [X86_MSR_CORE] = 'C',
    [X86_MSR_LAPIC] = 'L',
    [X86_MSR_STATE] = 'S',
};

/* 0: it does not exist. */
static char home_of(uint32_t msr)
{
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (msr >= all[i].first && msr <= all[i].last &&
            (!all[i].only || strcmp(all[i].only, host.vendor) == 0))
            return all[i].home;
    }
    return 0;
}

static void check_existence(const struct x86_guest_cpuid *cpuid, uint32_t msr)
{
    const struct x86_msr_row *row = x86_msr_find(cpuid, msr);

    cr_assert_eq(row ? homes[row->home] : 0, home_of(msr), "%s: MSR %x",
                 host.vendor, msr);
    if (row)
        cr_assert(msr >= row->first && msr <= row->last, "MSR %x", msr);
}

/* The ranges in which there are MSRs at all, and their borders. */
static const uint32_t starts[] = {0,          0x3ffff000, 0x40000000,
                                  0x80000000, 0xbffff000, 0xc0000000,
                                  0xc0010000, 0xc0ff0000, 0xffffc000};

static void each_msr(const struct x86_guest_cpuid *cpuid,
                     void (*check)(const struct x86_guest_cpuid *cpuid,
                                   uint32_t msr))
{
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        for (uint32_t offset = 0; offset < 0x4000; offset++)
            check(cpuid, starts[i] + offset);
    }
}

Test(guest_msr, those_of_the_list_and_no_other)
{
    static const char *const vendors[] = {AMD, INTEL};
    uint64_t state = 7;

    for_each_row (i, vendors) {
        struct x86_guest_cpuid cpuid;

        host_set(vendors[i], HOST_ONES);
        host_guest(&cpuid, 1);
        each_msr(&cpuid, check_existence);
        for (unsigned round = 0; round < 100000; round++)
            check_existence(&cpuid, (uint32_t)random_next(&state));
    }
}

Test(guest_msr, only_with_the_feature)
{
    static const uint32_t absent[] = {
        0x10,       0x174,      0x175,      0x176,      0x277,
        0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
        0xc0000101, 0xc0000102, 0xc0000103, 0xc0010140, 0xc0010141};
    static const uint32_t of_apic[] = {0x1b, 0x6e0, 0x800, 0x830, 0x8ff};
    const struct x86_vm_facts no_apic = {1, 48, 1, false};
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ONES);
    x86_guest_cpuid_init(&cpuid, &no_apic, host_cpuid);
    for_each_row (i, of_apic)
        cr_expect_null(x86_msr_find(&cpuid, of_apic[i]), "MSR %x", of_apic[i]);
    host_set(AMD, HOST_ZEROS);
    host_guest(&cpuid, 1);
    for_each_row (i, absent)
        cr_expect_null(x86_msr_find(&cpuid, absent[i]), "MSR %x", absent[i]);
    cr_expect_not_null(x86_msr_find(&cpuid, 0xc0000080));
}

/* As the core does it: false is #GP. */
static bool do_write(const struct x86_guest_cpuid *cpuid,
                     struct x86_msr_state *msrs, uint32_t msr, uint64_t value)
{
    const struct x86_msr_row *row = x86_msr_find(cpuid, msr);

    if (!row || !x86_msr_accepts(cpuid, row, value))
        return false;
    if (row->home == X86_MSR_STATE)
        x86_msr_store(msrs, row, msr, value);
    return true;
}

static bool do_read(const struct x86_guest_cpuid *cpuid,
                    const struct x86_msr_state *msrs, uint32_t msr,
                    uint64_t *value)
{
    const struct x86_msr_row *row = x86_msr_find(cpuid, msr);

    if (!row || row->home != X86_MSR_STATE)
        return false;
    *value = x86_msr_load(msrs, row, msr);
    return true;
}

static const struct reset {
    uint32_t msr;
    uint64_t value;
    const char *vendor;
} resets[] = {
    {0x17, 0, INTEL},
    {0x8b, UINT64_C(0x100000001), AMD},
    {0xfe, 0x508, AMD},
    {0x179, 0, AMD},
    {0x17a, 0, AMD},
    {0x1a0, 0x1801, INTEL},
    {0x1d9, 0, AMD},
    {0x1db, 0, AMD},
    {0x200, 0, AMD},
    {0x20f, 0, AMD},
    {0x250, 0, AMD},
    {0x26f, 0, AMD},
    {0x2ff, 0, AMD},
    {0xc0010010, 0, AMD},
    {0xc0010015, BIT(24), AMD},
    {0xc001001f, 0, AMD},
    {0xc0010055, 0, AMD},
    {0xc0010058, 0, AMD},
    {0xc0010112, 0, AMD},
    {0xc0010113, 0, AMD},
    {0xc0010140, 4, AMD},
    {0xc0010141, 0, AMD},
    {0xc0011029, 2, AMD},
};

Test(guest_msr, after_power_on)
{
    struct x86_guest_cpuid cpuid;
    struct x86_msr_state msrs;

    memset(&msrs, 0xa5, sizeof(msrs));
    x86_msr_reset(&msrs);
    for_each_row (i, resets) {
        uint64_t value = 1;

        host_set(resets[i].vendor, HOST_ONES);
        host_guest(&cpuid, 1);
        cr_expect(do_read(&cpuid, &msrs, resets[i].msr, &value), "%x",
                  resets[i].msr);
        cr_expect_eq(value, resets[i].value, "%x: %lx", resets[i].msr, value);
    }
}

#define GP UINT64_C(0xdeadbeef) /* instead of a value */

static const struct write {
    uint32_t msr;
    uint64_t value;
    uint64_t reads; /* afterwards; GP: the write is refused */
    const char *vendor;
} writes[] = {
    /* Read-only, whatever is written. */
    {0x17, 0, GP, INTEL},
    {0xfe, 0x508, GP, AMD},
    {0x179, 0, GP, AMD},
    {0x1db, 0, GP, AMD},
    {0xc0010055, 0, GP, AMD},
    {0xc0010058, 0, GP, AMD},
    {0xc0010112, 0, GP, AMD},
    {0xc0010140, 4, GP, AMD},
    {0xc0010141, 0, GP, AMD},
    /* Without effect. */
    {0x8b, UINT64_MAX, UINT64_C(0x100000001), INTEL},
    {0x8b, 0, UINT64_C(0x100000001), AMD},
    {0x1d9, 0, 0, AMD},
    {0xc0010010, BIT(18) | BIT(22), 0, AMD},
    {0xc0011029, 0, 2, AMD},
    {0xc0011029, 2, 2, AMD},
    {0xc001001f, UINT64_MAX, BIT(46), AMD},
    /* Reserved bits. */
    {0x1d9, 1, GP, AMD}, /* LBR */
    {0x1d9, 2, GP, AMD}, /* BTF */
    {0x17a, 7, 7, AMD},
    {0x17a, 8, GP, AMD},
    {0xc0010010, BIT(23), GP, AMD}, /* MemEncryptionModEn */
    {0xc0011029, BIT(9), GP, AMD},
    /* HWCR: McStatusWrEn is kept, TscFreqSel is set, others are ignored. */
    {0xc0010015, BIT(18), BIT(18) | BIT(24), AMD},
    {0xc0010015, BIT(3) | BIT(6) | BIT(8), BIT(24), AMD},
    {0xc0010015, BIT(30), GP, AMD}, /* IRPerfEn */
    {0xc0010015, BIT(0), GP, AMD},  /* SmmLock */
    /* MISC_ENABLE: fast strings can be turned off, the rest stays. */
    {0x1a0, 0, 0x1800, INTEL},
    {0x1a0, 1, 0x1801, INTEL},
    {0x1a0, BIT(16), GP, INTEL}, /* EIST */
    {0x1a0, BIT(18), GP, INTEL}, /* MONITOR */
    {0x1a0, BIT(22), GP, INTEL}, /* limit CPUID */
    {0x1a0, BIT(34), GP, INTEL}, /* XD disable */
    /* MTRRs: types 2, 3 and 7 and up are not, nor bits beyond 48. */
    {0x2ff, 0xc06, 0xc06, AMD},
    {0x2ff, 0x006, 0x006, AMD},
    {0x2ff, 0xc02, GP, AMD},
    {0x2ff, 0xc03, GP, AMD},
    {0x2ff, 0xc07, GP, AMD},
    {0x2ff, 0x100, GP, AMD},
    {0x2ff, 0x1000, GP, AMD},
    {0x200, UINT64_C(0xffffc0000000), UINT64_C(0xffffc0000000), AMD},
    {0x200, UINT64_C(0x1ffffc0000000), GP, AMD},
    {0x202, 0x1006, 0x1006, AMD},
    {0x202, 0x1002, GP, AMD},
    {0x202, 0x1007, GP, AMD},
    {0x202, 0x1106, GP, AMD},
    {0x20e, 0x5, 0x5, AMD},
    {0x201, UINT64_C(0xffffc0000800), UINT64_C(0xffffc0000800), AMD},
    {0x201, UINT64_C(0x1000000000800), GP, AMD},
    {0x203, 0x400, GP, AMD},
    {0x20f, 0x800, 0x800, AMD},
    {0x250, UINT64_C(0x0605040100060504), UINT64_C(0x0605040100060504), AMD},
    {0x258, UINT64_C(0x0200000000000000), GP, AMD},
    {0x259, UINT64_C(0x0000000000000003), GP, AMD},
    {0x268, UINT64_C(0x0000000700000000), GP, AMD},
    {0x26f, UINT64_C(0x0606060606060606), UINT64_C(0x0606060606060606), AMD},
};

Test(guest_msr, writes)
{
    for_each_row (i, writes) {
        struct x86_guest_cpuid cpuid;
        struct x86_msr_state msrs, before;
        uint64_t value = 0;
        bool done;

        host_set(writes[i].vendor, HOST_ONES);
        host_guest(&cpuid, 1);
        x86_msr_reset(&msrs);
        before = msrs;
        done = do_write(&cpuid, &msrs, writes[i].msr, writes[i].value);
        cr_expect_eq(done, writes[i].reads != GP, "%x: %lx", writes[i].msr,
                     writes[i].value);
        cr_expect(do_read(&cpuid, &msrs, writes[i].msr, &value));
        if (writes[i].reads == GP)
            cr_expect_arr_eq(&msrs, &before, sizeof(msrs), "%x", writes[i].msr);
        else
            cr_expect_eq(value, writes[i].reads, "%x: %lx reads %lx",
                         writes[i].msr, writes[i].value, value);
    }
}

/* Of those that are not stored, the values that are #GP. */
Test(guest_msr, values_that_are_refused)
{
    static const uint64_t canonical[] = {0, UINT64_C(0x00007fffffffffff),
                                         UINT64_C(0xffff800000000000),
                                         UINT64_MAX};
    static const uint64_t not_canonical[] = {
        UINT64_C(0x0000800000000000), UINT64_C(0xffff7fffffffffff),
        UINT64_C(0x8000000000000000), UINT64_C(0x0100000000000000)};
    static const uint32_t addresses[] = {0x175,      0x176,      0xc0000082,
                                         0xc0000083, 0xc0000100, 0xc0000101,
                                         0xc0000102};
    static const struct {
        uint32_t msr;
        uint64_t value;
        bool accepted;
    } rows[] = {
        {0x10, UINT64_MAX, true},
        {0x1b, UINT64_MAX, true}, /* the local APIC says */
        {0x6e0, UINT64_MAX, true},
        {0x80b, UINT64_MAX, true},
        {0xc0000080, UINT64_MAX, true}, /* x86_efer_write() says */
        {0x3b, UINT64_MAX, true},
        {0x174, UINT64_MAX, true},
        {0xc0000081, UINT64_MAX, true},
        {0xc0000084, UINT32_MAX, true},
        {0xc0000084, BIT(32), false},
        {0xc0000103, UINT32_MAX, true},
        {0xc0000103, BIT(32), false},
        {0x277, UINT64_C(0x0007040600070406), true},
        {0x277, UINT64_C(0x0706050401000000), true},
        {0x277, UINT64_C(0x0000000000000002), false},
        {0x277, UINT64_C(0x0300000000000000), false},
        {0x277, UINT64_C(0x0000000008000000), false},
        {0x277, UINT64_C(0x0000000000860000), false},
    };
    struct x86_guest_cpuid cpuid;
    struct x86_msr_state msrs;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    for_each_row (i, addresses) {
        for (size_t j = 0; j < ARRAY_SIZE(canonical); j++) {
            cr_expect(do_write(&cpuid, &msrs, addresses[i], canonical[j]));
            cr_expect(!do_write(&cpuid, &msrs, addresses[i], not_canonical[j]),
                      "%x: %lx", addresses[i], not_canonical[j]);
        }
    }
    for_each_row (i, rows)
        cr_expect_eq(do_write(&cpuid, &msrs, rows[i].msr, rows[i].value),
                     rows[i].accepted, "%x: %lx", rows[i].msr, rows[i].value);
}

/* Each MSR has a place of its own: a write changes no other. */
Test(guest_msr, do_not_touch_each_other)
{
    static uint32_t stored[64];
    static uint64_t model[64];
    struct x86_guest_cpuid cpuid;
    struct x86_msr_state msrs;
    uint64_t state = 11;
    unsigned count = 0;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    x86_msr_reset(&msrs);
    for (uint32_t msr = 0x200; msr < 0x300; msr++) {
        if (home_of(msr) == 'S')
            stored[count++] = msr;
    }
    cr_assert_eq(count, 16 + 11 + 1);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned which = random_pick(&state, count);
        /* Types that all of them take, if the rest of it fits. */
        uint64_t value = random_pick(&state, 2) * UINT64_C(0x0606060606060606) &
                         random_next(&state);

        if (do_write(&cpuid, &msrs, stored[which], value))
            model[which] = value;
        for (unsigned i = 0; i < count; i++) {
            uint64_t now = 1;

            cr_assert(do_read(&cpuid, &msrs, stored[i], &now));
            cr_assert_eq(now, model[i], "MSR %x: %lx, not %lx", stored[i], now,
                         model[i]);
        }
    }
}

/* What a guest can find out of the memory types, by the rules of section 12.11
 * of the SDM, volume 3A: bytes of [0, 1 MiB) by fixed ranges. */
static uint64_t type_at(const struct x86_guest_cpuid *cpuid,
                        const struct x86_msr_state *msrs, uint64_t address)
{
    uint64_t def_type = 0, base = 0, mask = 0;

    cr_assert(do_read(cpuid, msrs, 0x2ff, &def_type));
    cr_assert_eq(def_type & 0xc00, 0xc00, "they are enabled");
    for (uint32_t i = 0; i < X86_MTRR_RANGES; i++) {
        cr_assert(do_read(cpuid, msrs, 0x200 + 2 * i, &base));
        cr_assert(do_read(cpuid, msrs, 0x201 + 2 * i, &mask));
        if ((mask & 0x800) != 0 && (address & mask & ~UINT64_C(0xfff)) ==
                                       (base & mask & ~UINT64_C(0xfff)))
            return base & 0xff;
    }
    return def_type & 0xff;
}

Test(guest_msr, mtrrs_as_firmware_leaves_them)
{
    static const uint64_t devices[] = {
        UINT64_C(0xc0000000), UINT64_C(0xe0000000), UINT64_C(0x80000000),
        UINT64_C(0x04000000), UINT64_C(0xfc000000), UINT64_C(0x54000000)};
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    for_each_row (i, devices) {
        const struct {
            uint64_t address, type;
        } rows[] = {{0x100000, 6},
                    {devices[i] - 1, 6},
                    {devices[i], 0},
                    {UINT64_C(0xffffffff), 0},
                    {devices[i] / 2 | 1, 6},
                    {UINT64_C(0x100000000), 6},
                    {UINT64_C(0x7fffffffffff), 6}};
        struct x86_msr_state msrs;
        uint64_t value = 1;

        x86_msr_reset(&msrs);
        x86_msr_set_mtrrs(&msrs, &cpuid, devices[i]);
        for (size_t j = 0; j < ARRAY_SIZE(rows); j++)
            cr_expect_eq(type_at(&cpuid, &msrs, rows[j].address), rows[j].type,
                         "%lx: %lx", devices[i], rows[j].address);
        cr_expect(do_read(&cpuid, &msrs, 0x259, &value));
        cr_expect_eq(value, 0, "display memory");
        /* A guest may write back all of it. */
        for (uint32_t msr = 0x200; msr < 0x300; msr++) {
            if (do_read(&cpuid, &msrs, msr, &value))
                cr_expect(do_write(&cpuid, &msrs, msr, value), "%x: %lx", msr,
                          value);
        }
    }
}

Test(guest_msr, mtrrs_without_a_device_window)
{
    static const uint64_t devices[] = {0, UINT64_C(0x100000000), UINT64_MAX};
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    for_each_row (i, devices) {
        struct x86_msr_state msrs;

        x86_msr_reset(&msrs);
        x86_msr_set_mtrrs(&msrs, &cpuid, devices[i]);
        cr_expect_eq(type_at(&cpuid, &msrs, UINT64_C(0xffffffff)), 6);
    }
}

/* The map ----------------------------------------------------------------*/

static uint8_t map[MSRPM_SIZE];

/* APM volume 2, section 15.11: bits 2n and 2n + 1 are of the read and the
 * write; outside of the three ranges every access exits. */
static void check_map(const struct x86_guest_cpuid *cpuid, uint32_t msr)
{
    uint32_t at, exits = 3;

    if (msr < 0x2000)
        at = msr;
    else if (msr >= 0xc0000000 && msr < 0xc0002000)
        at = msr - 0xc0000000 + 0x2000;
    else if (msr >= 0xc0010000 && msr < 0xc0012000)
        at = msr - 0xc0010000 + 0x4000;
    else
        return;
    exits = map[at / 4] >> at % 4 * 2 & 3;
    cr_assert_eq(exits, home_of(msr) == 'D' ? 0 : 3, "MSR %x: %u", msr, exits);
}

Test(guest_msr, permission_map)
{
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ONES);
    host_guest(&cpuid, 1);
    svm_msrpm_init(map, &cpuid);
    each_msr(&cpuid, check_map);
    for (size_t i = 0x1800; i < MSRPM_SIZE; i++)
        cr_assert_eq(map[i], 0xff);
}

/* Without the features there is nothing to let through. */
Test(guest_msr, permission_map_of_a_host_with_nothing)
{
    struct x86_guest_cpuid cpuid;

    host_set(AMD, HOST_ZEROS);
    host_guest(&cpuid, 1);
    svm_msrpm_init(map, &cpuid);
    for (size_t i = 0; i < MSRPM_SIZE; i++)
        cr_assert_eq(map[i], 0xff);
}
