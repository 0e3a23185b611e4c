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
    page->path[page->levels++] = (struct memory_word){at, *entry};
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

static ALWAYS_INLINE const struct x86_code_page *
find_page(struct x86_vcpu *v, uint64_t linear, uint64_t cr3)
{
    struct x86_code_page *page =
        &v->code->pages[linear >> PAGE_SHIFT & (X86_CODE_PAGES - 1)];

    if (likely(page->linear == linear && page->cr3 == cr3 &&
               page->levels != 0 &&
               page->generation == aspace_generation(v->base.config.memory) &&
               memory_has_words(page->path, page->levels)))
        return page;
    return remember_page(v, linear, cr3, page) ? page : NULL;
}

/* Instructions ----------------------------------------------------------- */

#define WORD sizeof(uint64_t)

/* The words that an instruction lies in. */
struct code {
    uint64_t words[X86_CODE_WORDS];
    hpa_t at;       /* of the first word; HPA_NONE: they came with the exit */
    unsigned skew;  /* where in the first one it begins */
    unsigned count; /* bytes from there on that are known */
};

static const struct x86_insn *remember_insn(struct x86_code_insn *slot,
                                            const struct code *code)
{
    const uint8_t *bytes = (const uint8_t *)code->words + code->skew;

    slot->words[0].at = HPA_NONE;
    if (x86_decode_insn(bytes, code->count, X86_MODE_64, &slot->insn) !=
        X86_DECODED) {
        slot->insn.length = 0;
        return NULL;
    }
    for (unsigned i = 0; i < X86_CODE_WORDS; i++) {
        slot->words[i].value = code->words[i];
        if (!hpa_is_none(code->at))
            slot->words[i].at = hpa_add(code->at, i * WORD);
    }
    return &slot->insn;
}

static NOINLINE const struct x86_insn *read_insn(struct x86_code_insn *slot,
                                                 hpa_t at, unsigned skew)
{
    struct code code = {.at = at, .skew = skew, .count = X86_INSN_MAX};

    for (unsigned i = 0; i < X86_CODE_WORDS; i++)
        code.words[i] = memory_read_word(hpa_add(at, i * WORD));
    return remember_insn(slot, &code);
}

static ALWAYS_INLINE struct x86_code_insn *slot_of(struct x86_vcpu *v,
                                                   uint64_t linear)
{
    return &v->code->insns[linear & (X86_CODE_INSNS - 1)];
}

/* Of what lies whole in the words of one page. */
static ALWAYS_INLINE const struct x86_insn *
find_in_memory(struct x86_vcpu *v, uint64_t linear, uint64_t cr3)
{
    struct x86_code_insn *slot = slot_of(v, linear);
    uint64_t offset = linear & PAGE_OFFSET & ~(WORD - 1);
    const struct x86_code_page *page;
    const struct x86_insn *insn = &slot->insn;
    hpa_t at;

    if (unlikely(offset > PAGE_SIZE - X86_CODE_WORDS * WORD))
        return NULL;
    page = find_page(v, linear & ~PAGE_OFFSET, cr3);
    if (unlikely(page == NULL))
        return NULL;
    at = hpa_add(page->frame, offset);
    if (unlikely(slot->words[0].at.raw != at.raw ||
                 !memory_has_words(slot->words, X86_CODE_WORDS)))
        insn = read_insn(slot, at, linear & (WORD - 1));
    if (unlikely(page->generation != aspace_generation(v->base.config.memory)))
        return NULL;
    return insn;
}

static bool is_known(const struct x86_code_insn *slot, const struct code *code)
{
    for (unsigned i = 0; i < X86_CODE_WORDS; i++) {
        if (slot->words[i].value != code->words[i])
            return false;
    }
    return hpa_is_none(slot->words[0].at) && slot->insn.length != 0;
}

/* What the processor gives begins with the first word: such instructions are
 * remembered apart, where those at aligned addresses are. Behind what it gives
 * is what it gave before: nothing of this instruction. */
static NOINLINE const struct x86_insn *
find_in_exit(struct x86_vcpu *v, uint64_t linear, uint64_t cr3)
{
    struct x86_code_insn *slot = slot_of(v, linear & ~(WORD - 1));
    struct code code = {.at = HPA_NONE};
    const struct x86_insn *insn = &slot->insn;

    code.count = v->vendor->insn_bytes(v, (uint8_t *)code.words);
    if (code.count == 0)
        return find_in_memory(v, linear, cr3);
    if (!is_known(slot, &code))
        insn = remember_insn(slot, &code);
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
