/* SPDX-License-Identifier: Apache-2.0 */
/* The guest page walker; see walk.h. */
#include "arch/x86_64/emulate/walk.h"

/* Entries (SDM volume 3, tables 5-5 to 5-20). */
#define ENTRY_P     BIT(0)
#define ENTRY_RW    BIT(1)
#define ENTRY_US    BIT(2)
#define ENTRY_A     BIT(5)
#define ENTRY_D     BIT(6)
#define ENTRY_PS    BIT(7)
#define ENTRY_G     BIT(8)
#define ENTRY_XD    BIT(63)
#define ENTRY_FRAME BIT_MASK(51, 12)

/* An entry of PAE's page-directory-pointer table has no rights, and its own
 * reserved bits (SDM volume 3, table 5-8). */
#define PDPTE_RESERVED (BIT_MASK(2, 1) | BIT_MASK(8, 5))

/* PAE's other entries use fewer bits than those of long mode. */
#define PAE_RESERVED BIT_MASK(62, 52)

/* A 4 MiB page has address bits 39:32 in bits 20:13 (table 4-4). */
#define PSE36_BITS     BIT_MASK(20, 13)
#define PSE36_SHIFT    (32 - 13)
#define PSE36_PHYSICAL 40
#define PSE_RESERVED   BIT(21)

#define LEVELS_MAX 5
#define PAE_TOP    3

/* An entry that is met at two levels is, at the second, not what was read, as
 * the first has set its bit A. Five levels have two such pairs, of which each
 * costs an attempt. */
#define ATTEMPTS 3

/* A paging mode: the number of levels says which. */
struct mode {
    uint8_t levels;
    uint8_t entry_bytes;
    uint8_t index_bits;
    uint64_t cr3_frame;
    uint64_t linear;
};

static const struct mode modes[LEVELS_MAX + 1] = {
    [2] = {2, 4, 10, BIT_MASK(31, 12), BIT_MASK(31, 0)},
    [3] = {3, 8, 9, BIT_MASK(31, 5), BIT_MASK(31, 0)},
    [4] = {4, 8, 9, ENTRY_FRAME, BIT_MASK(47, 0)},
    [5] = {5, 8, 9, ENTRY_FRAME, BIT_MASK(56, 0)},
};

struct walk {
    const struct x86_paging *paging;
    const struct x86_walk_memory *memory;
    const struct mode *mode;
    uint64_t linear;
    unsigned access;
    unsigned level;  /* of the last entry read; the leaf's is 1 to 3 */
    unsigned visits; /* entries read from memory */
    struct {
        gpa_t address;
        uint64_t entry;
    } visited[LEVELS_MAX];
    uint64_t rights; /* RW, US: of all levels; XD: of any */
    uint64_t entry;
    struct x86_translation *translation;
};

static const struct mode *mode_of(const struct x86_control *control)
{
    if ((control->efer & X86_EFER_LMA) != 0)
        return &modes[(control->cr4 & X86_CR4_LA57) != 0 ? 5 : 4];
    return &modes[(control->cr4 & X86_CR4_PAE) != 0 ? 3 : 2];
}

static bool has_nx(const struct walk *w)
{
    return w->mode->entry_bytes == 8 &&
           (w->paging->control.efer & X86_EFER_NXE) != 0;
}

static bool is_pdpte(const struct walk *w)
{
    return w->mode->levels == PAE_TOP && w->level == PAE_TOP;
}

static unsigned shift_of(const struct walk *w)
{
    return PAGE_SHIFT + (w->level - 1) * w->mode->index_bits;
}

static enum x86_walk_result fault(const struct walk *w, uint64_t error)
{
    const struct x86_control *control = &w->paging->control;
    bool tells_fetch = has_nx(w) || (control->cr4 & X86_CR4_SMEP) != 0;

    if ((w->access & X86_WALK_WRITE) != 0)
        error |= X86_FAULT_RW;
    if ((w->access & X86_WALK_USER) != 0)
        error |= X86_FAULT_US;
    if ((w->access & X86_WALK_FETCH) != 0 && tells_fetch)
        error |= X86_FAULT_ID;
    w->translation->error = (uint32_t)error;
    return X86_WALK_FAULT;
}

/* Whether PS makes a page of the entry at this level. */
static bool may_be_large(const struct walk *w)
{
    if (w->level == 3)
        return w->mode->levels > PAE_TOP && w->paging->has_gigabyte_pages;
    return w->level == 2 && (w->mode->entry_bytes == 8 ||
                             (w->paging->control.cr4 & X86_CR4_PSE) != 0);
}

static bool is_leaf(const struct walk *w)
{
    return w->level == 1 || ((w->entry & ENTRY_PS) != 0 && may_be_large(w));
}

/* Of a page directory's entry with a 4 MiB page. */
static uint64_t reserved_4m(const struct walk *w)
{
    unsigned bits = w->paging->physical_bits;

    if (!w->paging->has_pse36)
        return PSE_RESERVED | PSE36_BITS;
    if (bits >= PSE36_PHYSICAL)
        return PSE_RESERVED;
    return PSE_RESERVED | (PSE36_BITS & BIT_MASK(63, bits - PSE36_SHIFT));
}

static uint64_t reserved_of(const struct walk *w)
{
    uint64_t reserved = 0;

    if (w->mode->entry_bytes == 4)
        return w->level == 2 && is_leaf(w) ? reserved_4m(w) : 0;
    if (w->paging->physical_bits < 52)
        reserved = BIT_MASK(51, w->paging->physical_bits);
    if (is_pdpte(w))
        return reserved | PDPTE_RESERVED | PAE_RESERVED | ENTRY_XD;
    if (!has_nx(w))
        reserved |= ENTRY_XD;
    if (w->mode->levels == PAE_TOP)
        reserved |= PAE_RESERVED;
    if (w->level == 1)
        return reserved;
    if (is_leaf(w))
        return reserved | BIT_MASK(shift_of(w) - 1, 13); /* 12 is PAT */
    if (w->level > 2 && w->paging->reserves_bit_8)
        reserved |= ENTRY_G;
    return reserved | ENTRY_PS;
}

/* PS of a 32-bit page directory's entry is ignored without CR4.PSE. */
static bool is_reserved(const struct walk *w)
{
    return (w->entry & reserved_of(w)) != 0;
}

/* Reads the entry at `level` of the table at `table`. */
static enum x86_walk_result read_entry(struct walk *w, gpa_t table)
{
    const struct x86_walk_memory *memory = w->memory;
    uint64_t index = w->linear >> shift_of(w) & (BIT(w->mode->index_bits) - 1);
    gpa_t address = gpa_add(table, index * w->mode->entry_bytes);

    if (is_pdpte(w) && w->paging->pdptes != NULL) {
        w->entry = w->paging->pdptes[index];
        return X86_WALK_OK;
    }
    w->entry = 0;
    if (!memory->read(memory->context, address, &w->entry,
                      w->mode->entry_bytes)) {
        w->translation->address = address;
        return X86_WALK_UNREADABLE;
    }
    if (!is_pdpte(w)) {
        w->visited[w->visits].address = address;
        w->visited[w->visits++].entry = w->entry;
    }
    return X86_WALK_OK;
}

/* SDM volume 3, section 5.6.1 "Determination of Access Rights". */
static bool is_permitted(const struct walk *w)
{
    const struct x86_control *control = &w->paging->control;
    bool user_page = (w->rights & ENTRY_US) != 0;
    bool write = (w->access & X86_WALK_WRITE) != 0;
    bool fetch = (w->access & X86_WALK_FETCH) != 0;
    bool user = (w->access & X86_WALK_USER) != 0;
    bool smap_off = (control->cr4 & X86_CR4_SMAP) == 0 ||
                    ((w->paging->rflags & X86_RFLAGS_AC) != 0 &&
                     (w->access & X86_WALK_IMPLICIT) == 0);

    if (fetch && (w->rights & ENTRY_XD) != 0)
        return false;
    if (write && (w->rights & ENTRY_RW) == 0 &&
        (user || (control->cr0 & X86_CR0_WP) != 0))
        return false;
    if (user)
        return user_page;
    if (!user_page)
        return true;
    return fetch ? (control->cr4 & X86_CR4_SMEP) == 0 : smap_off;
}

static void add_rights(struct walk *w)
{
    if (is_pdpte(w))
        return;
    w->rights &= w->entry | ENTRY_XD;
    if (has_nx(w))
        w->rights |= w->entry & ENTRY_XD;
}

/* Down to the leaf: after X86_WALK_OK its entry and level are in `w`. */
static enum x86_walk_result descend(struct walk *w)
{
    gpa_t table = gpa(w->paging->control.cr3 & w->mode->cr3_frame);
    enum x86_walk_result result;

    w->visits = 0;
    w->rights = ENTRY_RW | ENTRY_US;
    for (w->level = w->mode->levels;; w->level--) {
        result = read_entry(w, table);
        if (result != X86_WALK_OK)
            return result;
        if ((w->entry & ENTRY_P) == 0)
            return fault(w, 0);
        if (is_reserved(w))
            return fault(w, X86_FAULT_P | X86_FAULT_RSV);
        add_rights(w);
        if (is_leaf(w))
            break;
        table = gpa(w->entry & ENTRY_FRAME);
    }
    return is_permitted(w) ? X86_WALK_OK : fault(w, X86_FAULT_P);
}

/* Sets A in all entries, and D in the last one for a write (SDM volume 3,
 * section 5.8). An entry that is no longer what was read: X86_WALK_RETRY. */
static enum x86_walk_result update(struct walk *w)
{
    const struct x86_walk_memory *memory = w->memory;

    for (unsigned i = 0; i < w->visits; i++) {
        uint64_t old = w->visited[i].entry, new = old | ENTRY_A;
        bool changed = false;

        if (i == w->visits - 1 && (w->access & X86_WALK_WRITE) != 0)
            new |= ENTRY_D;
        if (new == old)
            continue;
        if (!memory->exchange(memory->context, w->visited[i].address, old, new,
                              w->mode->entry_bytes, &changed)) {
            w->translation->address = w->visited[i].address;
            return X86_WALK_UNREADABLE;
        }
        if (changed)
            return X86_WALK_RETRY;
    }
    return X86_WALK_OK;
}

static void translate(const struct walk *w)
{
    uint64_t size = BIT(shift_of(w));
    uint64_t frame = w->entry & ENTRY_FRAME & ~(size - 1);

    if (w->mode->entry_bytes == 4 && w->level == 2)
        frame |= (w->entry & PSE36_BITS) << PSE36_SHIFT;
    w->translation->address = gpa(frame | (w->linear & (size - 1)));
    w->translation->page_size = size;
}

enum x86_walk_result x86_walk(const struct x86_paging *paging, uint64_t linear,
                              unsigned access,
                              const struct x86_walk_memory *memory,
                              struct x86_translation *translation)
{
    struct walk w = {.paging = paging,
                     .memory = memory,
                     .mode = mode_of(&paging->control),
                     .access = access,
                     .translation = translation};
    enum x86_walk_result result = X86_WALK_RETRY;

    *translation = (struct x86_translation){0};
    if ((paging->control.cr0 & X86_CR0_PG) == 0) {
        translation->address = gpa(linear & modes[2].linear);
        return X86_WALK_OK;
    }
    w.linear = linear & w.mode->linear;
    for (unsigned i = 0; i < ATTEMPTS && result == X86_WALK_RETRY; i++) {
        result = descend(&w);
        if (result == X86_WALK_OK && (access & X86_WALK_UPDATE) != 0)
            result = update(&w);
    }
    if (result == X86_WALK_OK)
        translate(&w);
    return result;
}
