/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two-stage address translation, on the tables that the hypervisor really
 * built in fake RAM and that the guest built in its memory. Manual: "Sv39",
 * "Two-Stage Address Translation", "Memory-Management Fences".
 *
 * Each use of a remembered translation is checked against a fresh walk. Where
 * the TLB still allows what the tables no longer do, the hypervisor has left
 * out a fence: that is a violation. Where it allows less, the access faults, as
 * it may on hardware. A VS-stage entry that is stale is the guest's own doing,
 * and is used as it is, unless another virtual CPU left it there.
 */
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/ram.h"
#include "vcpu/exit.h"

/* Page-table entries. */
#define PTE_V        BIT(0)
#define PTE_R        BIT(1)
#define PTE_W        BIT(2)
#define PTE_X        BIT(3)
#define PTE_U        BIT(4)
#define PTE_G        BIT(5)
#define PTE_A        BIT(6)
#define PTE_D        BIT(7)
#define PTE_RWX      (PTE_R | PTE_W | PTE_X)
#define PTE_PPN      BIT_MASK(53, 10)
#define PTE_PBMT     BIT_MASK(62, 61)
#define PTE_RESERVED (BIT_MASK(60, 54) | BIT(63))

#define SATP_MODE       BIT_MASK(63, 60)
#define SATP_PPN        BIT_MASK(43, 0)
#define INDEX_BITS      9
#define G_ROOT_BITS     11 /* of index: the root is four frames */
#define PTE_SIZE        8
#define LEVELS_OF(mode) ((unsigned)(mode)-5) /* Sv39: 3, Sv48: 4, Sv57: 5 */

/* A page-table walk's result. */
struct walk {
    bool ok;
    uint64_t pte;
    uint64_t page;   /* page number it leads to */
    uint64_t pte_at; /* where the leaf's entry is: HPA, or GPA */
};

void *mmu_host_memory(const struct fake_riscv *cpu, uint64_t hpa_raw,
                      uint64_t size)
{
    if (likely(ram_is_allocated(hpa(hpa_raw), size)))
        return memory_phys_to_virt(hpa(hpa_raw));
    violation(RULE_REACHES_HOST, "HPA 0x%llx from pc 0x%llx on CPU %u",
              (unsigned long long)hpa_raw,
              (unsigned long long)(cpu->regs != NULL ? cpu->regs->pc : 0),
              cpu->index);
    return NULL;
}

static uint64_t index_of(uint64_t address, unsigned level, unsigned bits)
{
    return (address >> (PAGE_SHIFT + INDEX_BITS * level)) & (BIT(bits) - 1);
}

/* Whether an entry is well-formed; memory types need Svpbmt and `pbmte`. */
static bool pte_is_legal(const struct fake_riscv *cpu, uint64_t pte, bool pbmte)
{
    bool has_pbmt =
        pbmte && (cpu->profile->features & RISCV_FEATURE_SVPBMT) != 0;

    if ((pte & PTE_V) == 0 || (pte & PTE_RESERVED) != 0)
        return false;
    if ((pte & PTE_PBMT) != 0 &&
        (!has_pbmt || FIELD_GET(PTE_PBMT, pte) == 3 || (pte & PTE_RWX) == 0))
        return false;
    return (pte & (PTE_R | PTE_W)) != PTE_W;
}

/* The page that a leaf at `level` gives `address`. False: it is misaligned. */
static bool leaf_page(uint64_t pte, uint64_t address, unsigned level,
                      uint64_t *page)
{
    uint64_t low = BIT(INDEX_BITS * level) - 1;
    uint64_t ppn = FIELD_GET(PTE_PPN, pte);

    if ((ppn & low) != 0)
        return false;
    *page = ppn | ((address >> PAGE_SHIFT) & low);
    return true;
}

/* G-stage: the walk of guest-physical `address`. */
static struct walk walk_g(const struct fake_riscv *cpu, uint64_t address)
{
    unsigned mode = (unsigned)FIELD_GET(HGATP_MODE, cpu->hgatp);
    unsigned levels = LEVELS_OF(mode);
    uint64_t table = FIELD_GET(HGATP_PPN, cpu->hgatp) << PAGE_SHIFT;
    unsigned bits = G_ROOT_BITS;
    struct walk walk = {0};

    if (mode == HGATP_BARE)
        return (struct walk){true, PTE_RWX | PTE_U | PTE_A | PTE_D,
                             address >> PAGE_SHIFT, 0};
    if (address >> (PAGE_SHIFT + INDEX_BITS * levels + 2) != 0)
        return walk;
    for (unsigned level = levels; level-- > 0; bits = INDEX_BITS) {
        const uint64_t *entry;

        walk.pte_at = table + index_of(address, level, bits) * PTE_SIZE;
        entry = mmu_host_memory(cpu, walk.pte_at, PTE_SIZE);
        if (entry == NULL)
            return walk;
        walk.pte = __atomic_load_n(entry, __ATOMIC_RELAXED);
        if (!pte_is_legal(cpu, walk.pte, true))
            return walk;
        if ((walk.pte & PTE_RWX) != 0) {
            walk.ok = (walk.pte & PTE_U) != 0 &&
                      leaf_page(walk.pte, address, level, &walk.page);
            return walk;
        }
        table = FIELD_GET(PTE_PPN, walk.pte) << PAGE_SHIFT;
    }
    return walk;
}

/* What a leaf allows; without A, or D for a write, nothing, unless the walker
 * sets them. */
static unsigned pte_allows(const struct fake_riscv *cpu, uint64_t pte)
{
    unsigned allows = 0;

    if (cpu->profile->hardware_ad)
        pte |= PTE_A | PTE_D;
    if ((pte & PTE_A) == 0)
        return 0;
    if ((pte & PTE_R) != 0)
        allows |= ACCESS_READ;
    if ((pte & PTE_W) != 0 && (pte & PTE_D) != 0)
        allows |= ACCESS_WRITE;
    if ((pte & PTE_X) != 0)
        allows |= ACCESS_EXECUTE;
    return allows;
}

static uint64_t pte_used(uint64_t pte, unsigned access)
{
    return pte | PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
}

bool mmu_walk_g(const struct fake_riscv *cpu, uint64_t address, uint64_t *to,
                unsigned *allows)
{
    struct walk walk = walk_g(cpu, address);

    if (!walk.ok)
        return false;
    *to = walk.page << PAGE_SHIFT | (address & (PAGE_SIZE - 1));
    *allows = pte_allows(cpu, walk.pte);
    return true;
}

/* Sets A and D of a G-stage leaf that is being used. */
static void use_g(struct fake_riscv *cpu, const struct walk *walk,
                  unsigned access)
{
    uint64_t used = pte_used(walk->pte, access);

    if (used != walk->pte && walk->pte_at != 0) {
        uint64_t *entry = mmu_host_memory(cpu, walk->pte_at, PTE_SIZE);

        if (entry != NULL)
            *entry = used;
    }
}

/* A remembered translation that would be used although it no longer holds. */
static void report_stale_g(const struct fake_riscv *cpu,
                           const struct tlb_entry *entry,
                           const struct walk *fresh)
{
    violation(
        RULE_STALE_G_STAGE,
        "GPA 0x%llx of VMID %u on CPU %u: TLB has page 0x%llx, the "
        "tables %s 0x%llx",
        (unsigned long long)entry->page << PAGE_SHIFT, entry->vmid, cpu->index,
        (unsigned long long)entry->to,
        fresh->ok ? "have" : "have nothing:", (unsigned long long)fresh->page);
}

/* G-stage translation of `address` through the TLB. */
static bool translate_g(struct fake_riscv *cpu, uint64_t address,
                        unsigned access, uint64_t *to)
{
    uint64_t page = address >> PAGE_SHIFT;
    struct walk fresh = walk_g(cpu, address);
    unsigned allows = fresh.ok ? pte_allows(cpu, fresh.pte) : 0;
    const struct tlb_entry *entry = tlb_find_g(cpu, page);

    if (entry != NULL) {
        if ((entry->access & access) == 0)
            return false;
        if (unlikely((allows & access) == 0 || fresh.page != entry->to)) {
            report_stale_g(cpu, entry, &fresh);
            return false;
        }
    } else if ((allows & access) == 0) {
        return false;
    } else {
        tlb_put_g(cpu, page, fresh.page, allows);
    }
    use_g(cpu, &fresh, access);
    *to = fresh.page << PAGE_SHIFT | (address & (PAGE_SIZE - 1));
    return true;
}

static struct translation fault(uint32_t cause, uint64_t address)
{
    return (struct translation){.cause = cause, .gpa = address};
}

static uint32_t page_fault(unsigned access)
{
    return access == ACCESS_EXECUTE ? CAUSE_INSN_PAGE_FAULT
           : access == ACCESS_WRITE ? CAUSE_STORE_PAGE_FAULT
                                    : CAUSE_LOAD_PAGE_FAULT;
}

static uint32_t guest_page_fault(unsigned access)
{
    return access == ACCESS_EXECUTE ? CAUSE_INSN_GUEST_PAGE_FAULT
           : access == ACCESS_WRITE ? CAUSE_STORE_GUEST_PAGE_FAULT
                                    : CAUSE_LOAD_GUEST_PAGE_FAULT;
}

/* The guest's access to its own page tables faulted in the G-stage. */
static struct translation implicit_fault(uint64_t pte_at, unsigned implicit,
                                         unsigned access)
{
    struct translation result = fault(guest_page_fault(access), pte_at);

    result.implicit = true;
    result.access = (uint8_t)implicit;
    return result;
}

static uint64_t *vs_entry(struct fake_riscv *cpu, uint64_t at, unsigned access)
{
    uint64_t to;

    if (!translate_g(cpu, at, access, &to))
        return NULL;
    if (access == ACCESS_WRITE)
        ram_note_write(hpa(to), PTE_SIZE);
    return mmu_host_memory(cpu, to, PTE_SIZE);
}

/*
 * VS-stage: the walk of guest-virtual `address` for `access`. An ok result has
 * the leaf and its page; otherwise `*why` is the fault.
 */
static struct walk walk_vs(struct fake_riscv *cpu, uint64_t address,
                           unsigned access, struct translation *why)
{
    unsigned levels = LEVELS_OF(FIELD_GET(SATP_MODE, cpu->vsatp));
    unsigned bits = PAGE_SHIFT + INDEX_BITS * levels;
    uint64_t table = FIELD_GET(SATP_PPN, cpu->vsatp) << PAGE_SHIFT;
    bool pbmte = (cpu->henvcfg & HENVCFG_PBMTE) != 0;
    struct walk walk = {0};

    *why = fault(page_fault(access), address);
    if ((uint64_t)sign_extend(address, bits) != address)
        return walk;
    for (unsigned level = levels; level-- > 0;) {
        const uint64_t *entry;

        walk.pte_at = table + index_of(address, level, INDEX_BITS) * PTE_SIZE;
        entry = vs_entry(cpu, walk.pte_at, ACCESS_READ);
        if (entry == NULL) {
            *why = implicit_fault(walk.pte_at, ACCESS_READ, access);
            return walk;
        }
        walk.pte = __atomic_load_n(entry, __ATOMIC_RELAXED);
        if (!pte_is_legal(cpu, walk.pte, pbmte))
            return walk;
        if ((walk.pte & PTE_RWX) != 0) {
            walk.ok = leaf_page(walk.pte, address, level, &walk.page);
            return walk;
        }
        table = FIELD_GET(PTE_PPN, walk.pte) << PAGE_SHIFT;
    }
    return walk;
}

/* Whether VS-stage permissions `access_bits` permit `access` in mode `user`. */
static bool vs_permits(const struct fake_riscv *cpu, unsigned allows,
                       unsigned access, bool user)
{
    bool for_user = (allows & TLB_USER) != 0;

    if ((cpu->vsstatus & STATUS_MXR) != 0 && (allows & ACCESS_EXECUTE) != 0)
        allows |= ACCESS_READ;
    if ((allows & access) == 0)
        return false;
    if (user)
        return for_user;
    return !for_user ||
           (access != ACCESS_EXECUTE && (cpu->vsstatus & STATUS_SUM) != 0);
}

static unsigned vs_allows(const struct fake_riscv *cpu, uint64_t pte)
{
    return pte_allows(cpu, pte) | ((pte & PTE_U) != 0 ? TLB_USER : 0) |
           ((pte & PTE_G) != 0 ? TLB_GLOBAL : 0);
}

/* Sets A and D of a VS-stage leaf that is being used. False: that faulted. */
static bool use_vs(struct fake_riscv *cpu, const struct walk *walk,
                   unsigned access)
{
    uint64_t used = pte_used(walk->pte, access);
    uint64_t *entry;

    if (used == walk->pte)
        return true;
    entry = vs_entry(cpu, walk->pte_at, ACCESS_WRITE);
    if (entry == NULL)
        return false;
    *entry = used;
    return true;
}

/* VS-stage translation through the TLB: `*why` is set unless it succeeds. */
static bool translate_vs(struct fake_riscv *cpu, uint64_t address,
                         unsigned access, bool user, uint64_t *to,
                         struct translation *why)
{
    uint64_t page = address >> PAGE_SHIFT;
    const struct tlb_entry *entry = tlb_find_vs(cpu, page);
    struct walk walk;

    if (entry != NULL && vs_permits(cpu, entry->access, access, user)) {
        if (entry->guest == cpu->source) {
            *to = entry->to << PAGE_SHIFT | (address & (PAGE_SIZE - 1));
            return true;
        }
        violation(RULE_STALE_VS_STAGE, "GVA 0x%llx, VMID %u on CPU %u",
                  (unsigned long long)address, entry->vmid, cpu->index);
    }
    walk = walk_vs(cpu, address, access, why);
    if (!walk.ok)
        return false;
    *why = fault(page_fault(access), address);
    if (!vs_permits(cpu, vs_allows(cpu, walk.pte), access, user))
        return false;
    if (!use_vs(cpu, &walk, access)) {
        *why = implicit_fault(walk.pte_at, ACCESS_WRITE, access);
        return false;
    }
    /* A store must come by again to set D. */
    if ((pte_used(walk.pte, access) & PTE_D) == 0)
        walk.pte &= ~PTE_W;
    tlb_put_vs(cpu, page, walk.page, vs_allows(cpu, walk.pte));
    *to = walk.page << PAGE_SHIFT | (address & (PAGE_SIZE - 1));
    return true;
}

struct translation mmu_translate(struct fake_riscv *cpu, uint64_t address,
                                 unsigned access, bool user)
{
    struct translation result = {.ok = true, .gpa = address};

    if (FIELD_GET(SATP_MODE, cpu->vsatp) != HGATP_BARE) {
        struct translation why;

        if (!translate_vs(cpu, address, access, user, &result.gpa, &why))
            return why;
    }
    if (!translate_g(cpu, result.gpa, access, &result.hpa))
        return fault(guest_page_fault(access), result.gpa);
    return result;
}
