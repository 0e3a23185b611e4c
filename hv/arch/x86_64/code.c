/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions, found quickly: see code.h. */
#include "arch/x86_64/code.h"

#include "addrspace/aspace.h"
#include "api/memory.h"
#include "arch/x86_64/emulate/walk.h"
#include "arch/x86_64/x86.h"
#include "lib/bits.h"
#include "lib/string.h"

#define PAGE_OFFSET (PAGE_SIZE - 1)

/* Translations ----------------------------------------------------------- */

/* A walk whose entries are remembered as it goes. */
struct recorder {
    struct x86_vcpu *v;
    struct x86_code_page *page;
};

/* Tables of four bytes' entries are not remembered. */
static bool read_entry(void *context, gpa_t address, uint64_t *entry,
                       unsigned bytes)
{
    struct recorder *recorder = context;
    struct x86_code_page *page = recorder->page;
    hpa_t at;

    if (bytes != sizeof(*entry) || page->levels == X86_CODE_LEVELS ||
        aspace_translate(recorder->v->base.config.memory, address, &at, NULL,
                         NULL) != OK)
        return false;
    *entry = memory_read_word(at);
    page->path[page->levels].at = at;
    page->path[page->levels].entry = *entry;
    page->levels++;
    return true;
}

static bool translate(struct x86_vcpu *v, struct x86_code_page *page)
{
    struct recorder recorder = {v, page};
    const struct x86_walk_memory memory = {read_entry, NULL, &recorder};
    struct x86_translation translation;
    struct x86_paging paging;
    struct x86_cpu cpu;

    v->vendor->get_cpu(v, &cpu);
    paging = x86_paging_of(v, &cpu.control, cpu.rflags);
    page->levels = 0;
    return x86_walk(&paging, page->linear,
                    x86_walk_access(X86_ACCESS_FETCH, cpu.cpl), &memory,
                    &translation) == X86_WALK_OK &&
           aspace_translate(v->base.config.memory, translation.address,
                            &page->frame, NULL, NULL) == OK;
}

static NOINLINE bool remember_page(struct x86_vcpu *v, uint64_t linear,
                                   uint64_t cr3, struct x86_code_page *page)
{
    page->generation = aspace_generation(v->base.config.memory);
    page->linear = linear;
    page->cr3 = cr3;
    if (translate(v, page))
        return true;
    page->levels = 0;
    return false;
}

static ALWAYS_INLINE bool is_path_same(const struct x86_code_page *page)
{
    for (unsigned i = 0; i < page->levels; i++) {
        if (unlikely(memory_read_word(page->path[i].at) != page->path[i].entry))
            return false;
    }
    return true;
}

static ALWAYS_INLINE const struct x86_code_page *
find_page(struct x86_vcpu *v, uint64_t linear, uint64_t cr3)
{
    struct x86_code_page *page =
        &v->code->pages[linear >> PAGE_SHIFT & (X86_CODE_PAGES - 1)];

    if (likely(page->linear == linear && page->cr3 == cr3 &&
               page->levels != 0 &&
               page->generation == aspace_generation(v->base.config.memory) &&
               is_path_same(page)))
        return page;
    return remember_page(v, linear, cr3, page) ? page : NULL;
}

/* Instructions ----------------------------------------------------------- */

#define WORD sizeof(uint64_t)

/* The words that an instruction lies in. */
struct code {
    uint64_t words[X86_CODE_WORDS];
    unsigned skew;  /* where in the first one it begins */
    unsigned count; /* bytes from there on that are known */
};

static NOINLINE const struct x86_insn *remember_insn(struct x86_code_insn *slot,
                                                     const struct code *code)
{
    const uint8_t *bytes = (const uint8_t *)code->words + code->skew;

    if (x86_decode_insn(bytes, code->count, X86_MODE_64, &slot->insn) !=
        X86_DECODED) {
        slot->insn.length = 0;
        return NULL;
    }
    memcpy(slot->words, code->words, sizeof(slot->words));
    return &slot->insn;
}

static ALWAYS_INLINE const struct x86_insn *decode(struct x86_code_insn *slot,
                                                   const struct code *code)
{
    if (likely(slot->words[0] == code->words[0] &&
               slot->words[1] == code->words[1] &&
               slot->words[2] == code->words[2] && slot->insn.length != 0))
        return &slot->insn;
    return remember_insn(slot, code);
}

/* Of what lies whole in the words of one page. */
static ALWAYS_INLINE const struct x86_insn *
find_in_memory(struct x86_vcpu *v, uint64_t linear, uint64_t cr3)
{
    uint64_t offset = linear & PAGE_OFFSET & ~(WORD - 1);
    const struct x86_code_page *page;
    struct code code = {.skew = linear & (WORD - 1), .count = X86_INSN_MAX};

    if (unlikely(offset > PAGE_SIZE - X86_CODE_WORDS * WORD))
        return NULL;
    page = find_page(v, linear & ~PAGE_OFFSET, cr3);
    if (unlikely(page == NULL))
        return NULL;
    for (unsigned i = 0; i < X86_CODE_WORDS; i++)
        code.words[i] =
            memory_read_word(hpa_add(page->frame, offset + i * WORD));
    if (unlikely(page->generation != aspace_generation(v->base.config.memory)))
        return NULL;
    return decode(&v->code->insns[linear & (X86_CODE_INSNS - 1)], &code);
}

/* What the processor gives begins with the first word: such instructions are
 * remembered apart, where those at aligned addresses are. Behind what it gives
 * is what it gave before: nothing of this instruction. */
static NOINLINE const struct x86_insn *
find_in_exit(struct x86_vcpu *v, uint64_t linear, uint64_t cr3)
{
    struct code code = {.words = {0}};
    const struct x86_insn *insn;

    code.count = v->vendor->insn_bytes(v, (uint8_t *)code.words);
    if (code.count == 0)
        return find_in_memory(v, linear, cr3);
    linear &= ~(WORD - 1);
    insn = decode(&v->code->insns[linear & (X86_CODE_INSNS - 1)], &code);
    return insn != NULL && insn->length <= code.count ? insn : NULL;
}

const struct x86_insn *x86_code_find(struct x86_vcpu *v)
{
    uint64_t linear, cr3;

    if (unlikely(!v->vendor->get_code(v, &linear, &cr3)))
        return NULL;
    return unlikely(v->has_insn_bytes) ? find_in_exit(v, linear, cr3)
                                       : find_in_memory(v, linear, cr3);
}
