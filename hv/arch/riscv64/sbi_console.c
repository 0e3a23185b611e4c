/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SBI 2.0, chapter 12: the debug console, DBCN. Buffers are guest-physical.
 * One call moves at most CHUNK bytes, however many the guest asks for, and
 * says how many it moved, as the specification allows: what a call costs does
 * not depend on a number that the guest chooses.
 */
#include "addrspace/aspace.h"
#include "arch/riscv64/sbi.h"
#include "device/device.h"

#define CHUNK 256

static size_t chunk_of(uint64_t bytes)
{
    return bytes < CHUNK ? (size_t)bytes : CHUNK;
}

/* a0: bytes; a1, a2: low and high half of an address, 64 bits each. */
static bool has_buffer(const struct riscv_vcpu *v)
{
    return sbi_arg(v, 2) == 0;
}

static enum verdict write_bytes(struct riscv_vcpu *v)
{
    struct chardev *console = v->base.config.console;
    size_t size = chunk_of(sbi_arg(v, 0));
    uint8_t bytes[CHUNK];

    if (!has_buffer(v) || aspace_read(v->base.config.memory, gpa(sbi_arg(v, 1)),
                                      bytes, size) != OK)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (console == NULL)
        return sbi_return(v, SBI_ERR_FAILED, 0);
    console->write(console, bytes, size);
    return sbi_return(v, SBI_SUCCESS, size);
}

static enum verdict read_bytes(struct riscv_vcpu *v)
{
    struct chardev *console = v->base.config.console;
    size_t size = chunk_of(sbi_arg(v, 0));
    uint8_t bytes[CHUNK];

    if (!has_buffer(v))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (console == NULL)
        return sbi_return(v, SBI_ERR_FAILED, 0);
    size = console->read(console, bytes, size);
    if (aspace_write(v->base.config.memory, gpa(sbi_arg(v, 1)), bytes, size) !=
        OK)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    return sbi_return(v, SBI_SUCCESS, size);
}

static enum verdict write_byte(struct riscv_vcpu *v)
{
    struct chardev *console = v->base.config.console;
    uint8_t byte = (uint8_t)sbi_arg(v, 0);

    if (console == NULL)
        return sbi_return(v, SBI_ERR_FAILED, 0);
    console->write(console, &byte, 1);
    return sbi_return(v, SBI_SUCCESS, 0);
}

const struct sbi_function sbi_dbcn_functions[SBI_DBCN_COUNT] = {
    {write_bytes, NULL},
    {read_bytes, NULL},
    {write_byte, NULL},
};
