/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory as the guest's instructions address it: translation by the
 * guest's page tables, and instruction fetch.
 *
 * Page tables are read as they are in memory at the moment: another vCPU may
 * have changed them since the processor's own walk. What cannot be read any
 * more makes the guest try again.
 */
#include "addrspace/aspace.h"
#include "arch/x86_64/emulate/walk.h"
#include "arch/x86_64/x86.h"
#include "lib/string.h"

static bool read_entry(void *context, gpa_t address, uint64_t *entry,
                       unsigned bytes)
{
    struct x86_vcpu *v = context;

    *entry = 0;
    return aspace_read(v->base.config.memory, address, entry, bytes) == OK;
}

static bool exchange_entry(void *context, gpa_t address, uint64_t old,
                           uint64_t new, unsigned bytes, bool *changed)
{
    struct x86_vcpu *v = context;
    uint64_t found = old;
    err_t error = aspace_exchange(v->base.config.memory, address, old, new,
                                  bytes, &found);

    *changed = found != old;
    return error == OK;
}

unsigned x86_walk_access(enum x86_access access, unsigned cpl)
{
    static const uint8_t accesses[] = {
        [X86_ACCESS_READ] = X86_WALK_READ,
        [X86_ACCESS_WRITE] = X86_WALK_WRITE | X86_WALK_UPDATE,
        [X86_ACCESS_MODIFY] = X86_WALK_WRITE | X86_WALK_UPDATE,
        [X86_ACCESS_FETCH] = X86_WALK_FETCH,
    };

    return accesses[access] | (cpl == 3 ? X86_WALK_USER : 0u);
}

struct x86_paging x86_paging_of(const struct x86_vcpu *v,
                                const struct x86_control *control,
                                uint64_t rflags)
{
    return (struct x86_paging){
        .control = *control,
        .rflags = rflags,
        .physical_bits = v->physical_bits,
        .has_gigabyte_pages = v->has_gigabyte_pages,
        .has_pse36 = true,
        .reserves_bit_8 = v->vendor->reserves_bit_8,
    };
}

static enum x86_result walk(struct x86_memory_context *at, uint64_t linear,
                            enum x86_access access, gpa_t *address,
                            struct x86_exception *fault)
{
    const struct x86_walk_memory memory = {read_entry, exchange_entry, at->v};
    const struct x86_paging paging =
        x86_paging_of(at->v, &at->cpu->control, at->cpu->rflags);
    struct x86_translation translation;

    switch (x86_walk(&paging, linear, x86_walk_access(access, at->cpu->cpl),
                     &memory, &translation)) {
    case X86_WALK_OK: *address = translation.address; return X86_DONE;
    case X86_WALK_FAULT:
        *fault = (struct x86_exception){
            .vector = X86_VECTOR_PF,
            .has_error = true,
            .error = translation.error,
            .address = linear,
        };
        return X86_EXCEPTION;
    case X86_WALK_RETRY: return X86_RETRY;
    case X86_WALK_UNREADABLE: break;
    }
    return X86_UNSUPPORTED;
}

enum x86_result x86_translate_linear(void *context, uint64_t linear,
                                     enum x86_access access, gpa_t *address,
                                     struct x86_exception *fault)
{
    struct x86_memory_context *at = context;
    uint64_t offset = linear & (PAGE_SIZE - 1);
    enum x86_result result;

    if (at->pages[access].is_known &&
        at->pages[access].linear == linear - offset) {
        *address = gpa_add(at->pages[access].address, offset);
        return X86_DONE;
    }
    result = walk(at, linear, access, address, fault);
    if (result == X86_DONE) {
        at->pages[access].is_known = true;
        at->pages[access].linear = linear - offset;
        at->pages[access].address = gpa(address->raw - offset);
    }
    return result;
}

enum x86_result x86_fetch_bytes(void *context, gpa_t address, void *to,
                                unsigned bytes)
{
    struct x86_memory_context *at = context;

    return aspace_read(at->v->base.config.memory, address, to, bytes) == OK
               ? X86_DONE
               : X86_UNSUPPORTED;
}

static const struct x86_emulate_ops fetch_ops = {
    .translate = x86_translate_linear,
    .fetch = x86_fetch_bytes,
};

enum x86_result x86_fetch(struct x86_vcpu *v, const struct x86_cpu *cpu,
                          struct x86_insn *insn, struct x86_outcome *outcome)
{
    struct x86_memory_context context = {.v = v, .cpu = cpu};

    *outcome = (struct x86_outcome){0};
    outcome->length = (uint8_t)v->vendor->insn_bytes(v, outcome->bytes);
    if (outcome->length != 0 &&
        x86_decode_insn(outcome->bytes, outcome->length, x86_mode_of(cpu),
                        insn) == X86_DECODED) {
        outcome->length = insn->length;
        return X86_DONE;
    }
    return x86_fetch_insn(cpu, &fetch_ops, &context, insn, outcome);
}

uint8_t x86_insn_length(struct x86_vcpu *v)
{
    const struct x86_insn *found = x86_code_find(v);
    struct x86_outcome outcome;
    struct x86_insn insn;
    struct x86_cpu cpu;

    if (likely(found != NULL))
        return found->length;
    v->vendor->get_cpu(v, &cpu);
    return x86_fetch(v, &cpu, &insn, &outcome) == X86_DONE ? insn.length : 0;
}
