/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EPT: the tables that the hypervisor really built in fake RAM, and what an
 * access that they do not allow reports. SDM volume 3, chapter on VMX support
 * for address translation. Mappings of EPT are tagged by EP4TA, combined ones
 * by VPID as well. Not modelled: the "advanced" information of EPT violations.
 */
#include "sim/fake_hw/x86_64/vmx/guest.h"

#define EPT_R       BIT(0)
#define EPT_W       BIT(1)
#define EPT_X       BIT(2)
#define EPT_RIGHTS  BIT_MASK(2, 0)
#define EPT_TYPE    BIT_MASK(5, 3)
#define EPT_PS      BIT(7)
#define EPT_A       BIT(8)
#define EPT_D       BIT(9)
#define EPT_ADDRESS BIT_MASK(51, 12)

#define MAX_LEVELS 5
#define INDEX_BITS 9
#define PTE_SIZE   8

/* In the info of a translation: what is no EPT violation. */
#define INFO_MISCONFIGURED BIT(63)
#define INFO_APIC_ACCESS   BIT(62)

/* A walk's result; at first, all rights. */
struct walk {
    bool ok;
    bool misconfigured;
    unsigned rights; /* EPT_R, EPT_W, EPT_X; those of CPU_CAN_... too */
    uint64_t page;
    uint64_t *entry[MAX_LEVELS]; /* NULL below the leaf */
};

_Static_assert(EPT_R == CPU_CAN_READ && EPT_W == CPU_CAN_WRITE &&
                   EPT_X == CPU_CAN_EXECUTE,
               "rights");

static bool has_cap(const struct fake_x86 *cpu, uint64_t capability)
{
    return (cpu->profile->vmx->ept_vpid & capability) != 0;
}

/* Types 2, 3 and 7 are reserved. */
static bool type_is_legal(uint64_t entry)
{
    uint64_t type = FIELD_GET(EPT_TYPE, entry);

    return type != 2 && type != 3 && type != 7;
}

/* A leaf above the page tables, of a size that the processor has. */
static bool is_large(const struct fake_x86 *cpu, uint64_t entry, unsigned level)
{
    return (entry & EPT_PS) != 0 &&
           ((level == 1 && has_cap(cpu, VMX_EPT_CAP_2M)) ||
            (level == 2 && has_cap(cpu, VMX_EPT_CAP_1G)));
}

/* Bits that must be 0 in an entry that is present; level 0 is the page
 * tables'. */
static uint64_t reserved_bits(const struct fake_x86 *cpu, uint64_t entry,
                              unsigned level)
{
    uint64_t reserved = EPT_ADDRESS & ~(BIT(cpu->profile->phys_bits) - 1);

    if (level == 0)
        return reserved;
    if (is_large(cpu, entry, level))
        return reserved | BIT_MASK(11 + INDEX_BITS * level, 12);
    return reserved | EPT_PS | BIT_MASK(6, 3);
}

static bool is_misconfigured(const struct fake_x86 *cpu, uint64_t entry,
                             unsigned level)
{
    uint64_t rights = entry & EPT_RIGHTS;
    bool is_leaf = level == 0 || is_large(cpu, entry, level);

    return (rights & (EPT_R | EPT_W)) == EPT_W ||
           (rights == EPT_X && !has_cap(cpu, VMX_EPT_CAP_EXECUTE_ONLY)) ||
           (entry & reserved_bits(cpu, entry, level)) != 0 ||
           (is_leaf && !type_is_legal(entry));
}

static void walk_ept(const struct fake_x86 *cpu, uint64_t gpa,
                     struct walk *walk)
{
    uint64_t eptp = VMCS(cpu, EPTP);
    uint64_t table = eptp & EPT_ADDRESS;
    unsigned levels = (unsigned)FIELD_GET(VMX_EPTP_WALK, eptp) + 1;

    if (levels > MAX_LEVELS || gpa >> (PAGE_SHIFT + INDEX_BITS * levels) != 0) {
        walk->rights = 0;
        return;
    }
    for (unsigned level = levels; level-- > 0;) {
        unsigned shift = PAGE_SHIFT + INDEX_BITS * level;
        uint64_t at = table + (gpa >> shift & (BIT(INDEX_BITS) - 1)) * PTE_SIZE;
        uint64_t *host = cpu_host_memory(cpu, at, PTE_SIZE);
        uint64_t entry =
            host != NULL ? __atomic_load_n(host, __ATOMIC_RELAXED) : 0;
        uint64_t low = BIT(shift) - 1;

        walk->rights &= (unsigned)(entry & EPT_RIGHTS);
        if ((entry & EPT_RIGHTS) == 0)
            return;
        walk->misconfigured = is_misconfigured(cpu, entry, level);
        if (walk->misconfigured)
            return;
        walk->entry[level] = host;
        if (level == 0 || is_large(cpu, entry, level)) {
            walk->ok = true;
            walk->page =
                ((entry & EPT_ADDRESS & ~low) | (gpa & low)) >> PAGE_SHIFT;
            return;
        }
        table = entry & EPT_ADDRESS;
    }
}

/* Accessed flags of all entries, and the leaf's dirty flag. */
static void set_used(const struct walk *walk, enum cpu_access access)
{
    uint64_t used = EPT_A | (access == CPU_WRITE ? EPT_D : 0);

    for (unsigned level = 0; level < MAX_LEVELS; level++) {
        uint64_t *entry = walk->entry[level];

        if (entry == NULL)
            continue;
        if ((*entry & used) != used)
            *entry |= used;
        used = EPT_A;
    }
}

static struct cpu_translation fault(const struct fake_x86 *cpu,
                                    const struct walk *walk, uint64_t gpa,
                                    enum cpu_access access,
                                    enum cpu_place place)
{
    uint64_t info = (uint64_t)walk->rights << 3;

    info |= access == CPU_READ    ? VMX_EPT_READ
            : access == CPU_WRITE ? VMX_EPT_WRITE
                                  : VMX_EPT_FETCH;
    /* With accessed and dirty flags, a walk's reads count as writes. */
    if (place == CPU_TABLE && access == CPU_WRITE)
        info |= VMX_EPT_READ;
    if (walk->misconfigured)
        info = INFO_MISCONFIGURED;
    return (struct cpu_translation){
        .nested = true, .place = place, .info = info, .gpa = gpa};
}

static bool is_apic_access(const struct fake_x86 *cpu, uint64_t page)
{
    return vmx_cpu2(cpu, VMX_CPU2_APIC_ACCESSES) &&
           page == VMCS(cpu, APIC_ACCESS_ADDRESS) >> PAGE_SHIFT;
}

/* Those of the guest's page walks are by guest-physical addresses. */
static enum vmx_apic_type apic_type(const struct fake_x86 *cpu,
                                    enum cpu_access access,
                                    enum cpu_place place)
{
    if (place == CPU_TABLE)
        return cpu->delivering != 0 ? VMX_APIC_PHYSICAL_DELIVERY
                                    : VMX_APIC_PHYSICAL;
    if (cpu->delivering != 0)
        return VMX_APIC_DELIVERY;
    return access == CPU_WRITE   ? VMX_APIC_WRITE
           : access == CPU_FETCH ? VMX_APIC_FETCH
                                 : VMX_APIC_READ;
}

static struct cpu_translation apic_access(struct fake_x86 *cpu, uint64_t gpa,
                                          enum cpu_access access,
                                          enum cpu_place place)
{
    uint32_t offset = gpa & VMX_APIC_OFFSET;

    if (place == CPU_FINAL && fake_vmx_virtualizes(cpu, offset, access)) {
        if (access == CPU_WRITE)
            cpu->vmx_guest.apic_written = (uint16_t)offset;
        return (struct cpu_translation){.ok = true,
                                        .gpa = gpa,
                                        .hpa = VMCS(cpu, VIRTUAL_APIC_ADDRESS) +
                                               offset};
    }
    return (struct cpu_translation){
        .nested = true,
        .place = place,
        .info = INFO_APIC_ACCESS | offset |
                FIELD_PUT(VMX_APIC_TYPE, apic_type(cpu, access, place)),
        .gpa = gpa};
}

/* What the walk has come by, flags and all, if there are any. */
static void remember(struct fake_x86 *cpu, uint64_t page,
                     const struct walk *walk, enum cpu_access access)
{
    struct cpu_walk found = {
        .root = VMCS(cpu, EPTP),
        .flagged = CPU_READ | CPU_FETCH | CPU_WRITE,
    };

    if ((found.root & VMX_EPTP_AD) != 0 && access != CPU_WRITE)
        found.flagged &= (uint8_t)~CPU_WRITE;
    for (unsigned level = 0; level < MAX_LEVELS; level++) {
        if (walk->entry[level] == NULL)
            continue;
        found.entry[found.levels].at = walk->entry[level];
        found.entry[found.levels++].value = *walk->entry[level];
    }
    cpu_tlb_put_nested(cpu, page, walk->page, walk->rights, &found);
}

static struct cpu_translation translated(struct fake_x86 *cpu, uint64_t gpa,
                                         uint64_t page, enum cpu_access access,
                                         enum cpu_place place)
{
    if (is_apic_access(cpu, page))
        return apic_access(cpu, gpa, access, place);
    return (struct cpu_translation){.ok = true,
                                    .gpa = gpa,
                                    .hpa = page << PAGE_SHIFT |
                                           (gpa & (PAGE_SIZE - 1))};
}

struct cpu_translation fake_vmx_translate(struct fake_x86 *cpu, uint64_t gpa,
                                          enum cpu_access access,
                                          enum cpu_place place)
{
    uint64_t page = gpa >> PAGE_SHIFT;
    struct walk fresh = {.rights = EPT_RIGHTS};
    const struct cpu_tlb_entry *same;

    if (!vmx_cpu2(cpu, VMX_CPU2_EPT)) {
        violation(RULE_REACHES_HOST, "no EPT on CPU %u: GPA 0x%llx", cpu->index,
                  (unsigned long long)gpa);
        return (struct cpu_translation){.ok = true, .gpa = gpa, .hpa = gpa};
    }
    same = cpu_tlb_recall(cpu, page, access, VMCS(cpu, EPTP));
    if (likely(same != NULL))
        return translated(cpu, gpa, same->to, access, place);
    walk_ept(cpu, gpa, &fresh);
    if (!cpu_tlb_is_right(cpu, page, access, fresh.ok, fresh.rights,
                          fresh.page) ||
        !fresh.ok || (fresh.rights & access) == 0)
        return fault(cpu, &fresh, gpa, access, place);
    if ((VMCS(cpu, EPTP) & VMX_EPTP_AD) != 0)
        set_used(&fresh, access);
    remember(cpu, page, &fresh, access);
    return translated(cpu, gpa, fresh.page, access, place);
}

void fake_vmx_nested_fault(struct fake_x86 *cpu, uint64_t linear,
                           const struct cpu_translation *translation)
{
    struct fake_vmx_exit exit = {
        .reason = VMX_REASON_EPT_VIOLATION,
        .rf = VMX_RF_SET,
        .qualification =
            translation->info | VMX_EPT_LINEAR |
            (translation->place == CPU_FINAL ? VMX_EPT_FINAL : 0) |
            (cpu->vmx_guest.nmi_unblocked ? VMX_EPT_NMI_UNBLOCKED : 0),
    };

    if ((translation->info & INFO_MISCONFIGURED) != 0) {
        exit.reason = VMX_REASON_EPT_MISCONFIGURATION;
        exit.qualification = 0;
    } else if ((translation->info & INFO_APIC_ACCESS) != 0) {
        exit.reason = VMX_REASON_APIC_ACCESS;
        exit.qualification = translation->info & ~INFO_APIC_ACCESS;
        exit.has_length = cpu_in_op(cpu);
    }
    VMCS(cpu, GUEST_PHYSICAL_ADDRESS) = translation->gpa;
    VMCS(cpu, GUEST_LINEAR_ADDRESS) = linear;
    if (cpu_in_op(cpu))
        fake_vmx_op_exit(cpu, &exit);
    else
        fake_vmx_exit(cpu, &exit);
}

void fake_vmx_tag_guest(struct fake_x86 *cpu)
{
    uint64_t tables =
        vmx_cpu2(cpu, VMX_CPU2_EPT) ? VMCS(cpu, EPTP) & VMX_EP4TA : 0;
    uint32_t vpid =
        vmx_cpu2(cpu, VMX_CPU2_VPID) ? (uint32_t)VMCS(cpu, VPID) : 0;

    cpu->nested_tag = (struct cpu_tag){.tables = tables};
    cpu->linear_tag = (struct cpu_tag){.tables = tables, .id = vpid};
    cpu->table_access =
        (VMCS(cpu, EPTP) & VMX_EPTP_AD) != 0 ? CPU_WRITE : CPU_READ;
}

/* Without a VPID, entries and exits drop what is of VPID 0. */
void fake_vmx_drop_untagged(struct fake_x86 *cpu)
{
    if (cpu->linear_tag.id == 0)
        cpu_tlb_flush_linear(
            cpu, (struct cpu_tag){.tables = CPU_ANY_TABLES, .id = 0}, true);
}
