/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual CPU for the executor; see rig.h. */
#include "rig.h"

#include <string.h>

static bool is_memory(uint64_t address)
{
    return address - RIG_MEMORY < RIG_SIZE;
}

static enum x86_result translate(void *context, uint64_t linear,
                                 enum x86_access access, gpa_t *address,
                                 struct x86_exception *fault)
{
    bool write = access == X86_ACCESS_WRITE || access == X86_ACCESS_MODIFY;
    bool absent = linear - RIG_ABSENT < PAGE_SIZE;
    bool read_only = linear - RIG_READ_ONLY < PAGE_SIZE;
    struct rig *rig = context;

    *address = gpa(linear);
    if (!absent && !(read_only && write))
        return X86_DONE;
    *fault = (struct x86_exception){
        .vector = X86_VECTOR_PF, .has_error = true, .address = linear};
    fault->error =
        (uint32_t)((write ? X86_FAULT_RW : 0) | (absent ? 0 : X86_FAULT_P) |
                   (rig->cpu.cpl == 3 ? X86_FAULT_US : 0));
    return X86_EXCEPTION;
}

/* Devices are eight bytes each. */
static unsigned span(void *context, gpa_t address, unsigned bytes)
{
    unsigned left = 8 - (unsigned)(address.raw % 8);

    return is_memory(address.raw) || bytes < left ? bytes : left;
}

static void add_log(struct rig *rig, char kind, uint64_t address,
                    unsigned bytes, uint64_t value)
{
    if (rig->log_count < RIG_LOG)
        rig->log[rig->log_count++] =
            (struct rig_access){kind, address, bytes, value};
}

static enum x86_result read(void *context, gpa_t address, void *to,
                            unsigned bytes)
{
    struct rig *rig = context;

    if (is_memory(address.raw)) {
        memcpy(to, rig->memory + (address.raw - RIG_MEMORY), bytes);
        return X86_DONE;
    }
    if (address.raw < RIG_DEVICES)
        return X86_UNSUPPORTED;
    memcpy(to, &rig->device_value, bytes);
    add_log(rig, 'r', address.raw, bytes, rig->device_value++);
    return X86_DONE;
}

static enum x86_result write(void *context, gpa_t address, const void *from,
                             unsigned bytes)
{
    struct rig *rig = context;
    uint64_t value = 0;

    if (is_memory(address.raw)) {
        memcpy(rig->memory + (address.raw - RIG_MEMORY), from, bytes);
        return X86_DONE;
    }
    if (address.raw < RIG_DEVICES)
        return X86_UNSUPPORTED;
    memcpy(&value, from, bytes);
    add_log(rig, 'w', address.raw, bytes, value);
    return X86_DONE;
}

static enum x86_result fetch(void *context, gpa_t address, void *to,
                             unsigned bytes)
{
    return is_memory(address.raw) ? read(context, address, to, bytes)
                                  : X86_UNSUPPORTED;
}

static enum x86_result port_read(void *context, uint16_t port, uint32_t *value,
                                 unsigned bytes)
{
    struct rig *rig = context;

    *value = (uint32_t)rig->device_value;
    add_log(rig, 'i', port, bytes, rig->device_value++);
    return X86_DONE;
}

static enum x86_result port_write(void *context, uint16_t port, uint32_t value,
                                  unsigned bytes)
{
    add_log(context, 'o', port, bytes, value);
    return X86_DONE;
}

static void read_xmm(void *context, unsigned number, uint8_t *to)
{
    memcpy(to, ((struct rig *)context)->xmm[number], 16);
}

static void write_xmm(void *context, unsigned number, const uint8_t *from)
{
    memcpy(((struct rig *)context)->xmm[number], from, 16);
}

static const struct x86_emulate_ops ops = {
    translate, span,       read,     write,     fetch,
    port_read, port_write, read_xmm, write_xmm,
};

void rig_init(struct rig *rig, enum x86_mode mode)
{
    static const uint16_t data = X86_SEG_PRESENT | X86_SEG_WRITABLE;
    struct x86_cpu *cpu = &rig->cpu;
    uint16_t big = mode == X86_MODE_32 ? X86_SEG_BIG : 0;

    memset(rig, 0, sizeof(*rig));
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        cpu->segment[i] = (struct x86_segment){0, UINT32_MAX, 8, data | big};
    cpu->segment[X86_CS].attributes |= X86_SEG_CODE;
    if (mode == X86_MODE_64)
        cpu->segment[X86_CS].attributes |= X86_SEG_LONG;
    cpu->rflags = 2;
    cpu->control.cr0 = X86_CR0_PE | X86_CR0_PG;
    cpu->control.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR;
    cpu->control.efer = mode == X86_MODE_64 ? X86_EFER_LMA : 0;
    rig->device_value = 0x8877665544332211;
}

void rig_init_real(struct rig *rig)
{
    rig_init(rig, X86_MODE_16);
    rig->cpu.control.cr0 = 0;
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        rig->cpu.segment[i] = (struct x86_segment){
            RIG_MEMORY, UINT16_MAX, RIG_MEMORY >> 4, X86_SEG_PRESENT};
}

enum x86_result rig_run(struct rig *rig, const char *bytes, unsigned count)
{
    memcpy(rig->memory + (RIG_CODE - RIG_MEMORY), bytes, count);
    rig->cpu.rip = RIG_CODE - rig->cpu.segment[X86_CS].base;
    return x86_emulate(&rig->cpu, &ops, rig, &rig->outcome);
}

uint64_t rig_peek(const struct rig *rig, uint64_t address, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, rig->memory + (address - RIG_MEMORY), bytes);
    return value;
}

void rig_poke(struct rig *rig, uint64_t address, uint64_t value, unsigned bytes)
{
    memcpy(rig->memory + (address - RIG_MEMORY), &value, bytes);
}
