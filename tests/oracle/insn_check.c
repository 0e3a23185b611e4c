/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against a processor: see insn_check.h. */
#include "insn_check.h"

#include <string.h>

#include "arch/riscv64/insn.h"
#include "arch/riscv64/riscv.h"
#include "sim/shim.h"
#include "sim/sim.h"

#define OPCODE_AMO    0x2f
#define OPCODE_SYSTEM 0x73

#define PC UINT64_C(0x1000)

static struct riscv_vcpu vcpu;
static uint32_t fetched;

/* The guest's memory, as far as it is fetched from. */
static bool feed(void *context, const struct shim_call *call, uint64_t *result)
{
    *result = (fetched & INSN_LENGTH) == INSN_LENGTH_FULL
                  ? fetched
                  : fetched & UINT16_MAX;
    return call->id == SHIM_riscv_hw_fetch_insn;
}

static const struct shim_hooks hooks = {.feed = feed};

void insn_check_start(void)
{
    oracle_start();
    sim_reset(1);
    shim_set_hooks(&hooks);
}

/* SplitMix64. */
uint64_t insn_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* In the middle of the memory, so that an offset leads nowhere else. */
static uint64_t some_address(uint64_t *state)
{
    return ORACLE_DATA + ORACLE_DATA_SIZE / 4 +
           (insn_random(state) % (ORACLE_DATA_SIZE / 2) & ~UINT64_C(7));
}

void insn_regs(uint32_t insn, uint64_t *state, struct oracle_regs *regs)
{
    const unsigned bases[] = {
        insn >> 15 & 31,     /* rs1 */
        8 + (insn >> 7 & 7), /* of quadrant 0 */
        2,                   /* sp, of quadrant 2 */
    };

    for (unsigned i = 0; i < 32; i++) {
        regs->x[i] = insn_random(state);
        regs->f[i] = insn_random(state);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(bases); i++)
        regs->x[bases[i]] = some_address(state);
    regs->x[0] = 0;
}

/* The exit that the access makes, as hardware reports it. */
static err_t decode(const struct oracle_regs *regs, uint64_t address,
                    bool store, uint64_t htinst, struct device_access *access)
{
    struct vm_exit exit;

    memcpy(vcpu.regs.gpr, regs->x, sizeof(regs->x));
    memcpy(vcpu.fp.f, regs->f, sizeof(regs->f));
    vcpu.regs.pc = PC;
    vcpu.regs.scause =
        store ? CAUSE_STORE_GUEST_PAGE_FAULT : CAUSE_LOAD_GUEST_PAGE_FAULT;
    vcpu.regs.stval = address;
    vcpu.regs.htval = address >> 2;
    vcpu.regs.htinst = htinst;
    riscv_decode(&vcpu.base, &exit);
    return riscv_decode_mmio(&vcpu.base, &exit, access);
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return zero_extend(value, 8 * size);
}

static const char *compare_regs(const struct oracle_regs *after)
{
    for (unsigned i = 1; i < 32; i++) {
        if (vcpu.regs.gpr[i] != after->x[i])
            return "a register afterwards";
    }
    if (memcmp(vcpu.fp.f, after->f, sizeof(after->f)) != 0)
        return "a floating-point register afterwards";
    return NULL;
}

/* An access that has been decoded. */
static const char *compare(const struct device_access *access,
                           const struct oracle_effect *effect)
{
    bool store = effect->writes != 0;
    uint64_t value = low_bytes(effect->value, effect->size);

    if (access->write != store)
        return "read or write";
    if (access->address != effect->address)
        return "the address";
    if (access->width != effect->size)
        return "the width";
    if (store && access->data != value)
        return "the value stored";
    if (!effect->retired) /* there was no memory */
        return NULL;
    if (store)
        riscv_finish_write(&vcpu.base, access);
    else
        riscv_finish_read(&vcpu.base, access, value);
    if (vcpu.regs.pc != PC + effect->length)
        return "the next instruction";
    return compare_regs(&effect->after);
}

static bool is_atomic(uint32_t insn)
{
    return (insn & INSN_OPCODE) == OPCODE_AMO;
}

/* A misaligned access may take several looks at memory. */
static bool can_be_answered(uint32_t insn, const struct oracle_effect *effect)
{
    return !is_atomic(insn) && (effect->reads == 0) != (effect->writes == 0);
}

/* What nothing can answer is refused, whichever way the hardware reports it,
 * and as a load and as a store. */
static const char *check_refused(uint32_t insn, const struct oracle_regs *regs,
                                 const struct oracle_effect *effect)
{
    for (unsigned store = 0; store < 2; store++) {
        uint64_t htinst = riscv_transform_insn(insn, store != 0);
        struct device_access access;

        if (decode(regs, effect->address, store != 0, 0, &access) !=
            ERR_UNSUPPORTED)
            return "whether it is an access, when it is fetched";
        if (htinst != 0 && decode(regs, effect->address, store != 0, htinst,
                                  &access) != ERR_UNSUPPORTED)
            return "whether it is an access, when it is described";
    }
    return NULL;
}

static const char *check_access(uint32_t insn, const struct oracle_regs *regs,
                                const struct oracle_effect *effect)
{
    bool store = effect->writes != 0;
    uint64_t htinst = riscv_transform_insn(insn, store);
    const char *difference;
    struct device_access access;

    if (decode(regs, effect->address, store, 0, &access) != OK)
        return "whether it is an access, when it is fetched";
    difference = compare(&access, effect);
    if (difference != NULL)
        return difference;
    if (htinst == 0 ||
        decode(regs, effect->address, store, htinst, &access) != OK)
        return "whether it is an access, when it is described";
    return compare(&access, effect);
}

static const char *check(uint32_t insn, const struct oracle_regs *regs,
                         const struct oracle_effect *effect,
                         enum insn_class *class)
{
    fetched = insn;
    if (can_be_answered(insn, effect)) {
        *class = INSN_ACCESS;
        return check_access(insn, regs, effect);
    }
    *class = effect->reads + effect->writes != 0 ? INSN_REFUSED : INSN_OTHER;
    return check_refused(insn, regs, effect);
}

const char *insn_check(uint32_t insn, const struct oracle_regs *regs,
                       enum insn_class *class)
{
    struct oracle_effect effect = {0};

    if ((insn & INSN_OPCODE) != OPCODE_SYSTEM)
        oracle_execute(insn, regs, &effect);
    return check(insn, regs, &effect, class);
}

const char *insn_check_model(uint32_t insn, const struct oracle_regs *regs,
                             enum insn_class *class)
{
    struct oracle_effect effect;

    oracle_model(insn, regs, &effect);
    return check(insn, regs, &effect, class);
}
