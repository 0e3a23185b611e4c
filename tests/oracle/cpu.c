/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction at a time, by Unicorn: see cpu.h. */
#include "cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#define CODE      UINT64_C(0x1000)
#define CODE_SIZE UINT64_C(0x1000)

/* What is executed takes turns in this many places, so that the translations
 * that Unicorn keeps are replaced one by one. */
#define PLACES     128
#define PLACE_SIZE 16

#define REGS 32

static uc_engine *cpu;
static int names[2 * REGS];
static uint8_t data[ORACLE_DATA_SIZE];

static void need(uc_err error, const char *what)
{
    if (error == UC_ERR_OK)
        return;
    fprintf(stderr, "oracle: %s: %s\n", what, uc_strerror(error));
    exit(EXIT_FAILURE);
}

/* Memory that reads differently everywhere. */
static void fill_data(void)
{
    uint64_t state = 1;

    for (size_t i = 0; i < sizeof(data); i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        data[i] = (uint8_t)(state >> 56);
    }
    need(uc_mem_write(cpu, ORACLE_DATA, data, sizeof(data)), "data");
}

static struct oracle_effect *current;

static bool on_access(uc_engine *engine, uc_mem_type type, uint64_t address,
                      int size, int64_t value, void *context)
{
    struct oracle_effect *effect = current;
    bool write = type == UC_MEM_WRITE;
    uint64_t read = 0;

    if (!write && address - ORACLE_DATA <= ORACLE_DATA_SIZE - (unsigned)size)
        memcpy(&read, &data[address - ORACLE_DATA], (unsigned)size);
    effect->reads += !write;
    effect->writes += write;
    if (effect->reads + effect->writes != 1)
        return true;
    effect->address = address;
    effect->size = (unsigned)size;
    effect->value = write ? (uint64_t)value : read;
    return true;
}

/* Where there is no memory. Of a store it was told before. */
static bool on_no_memory(uc_engine *engine, uc_mem_type type, uint64_t address,
                         int size, int64_t value, void *context)
{
    if (type == UC_MEM_READ_UNMAPPED)
        (void)on_access(engine, UC_MEM_READ, address, size, value, context);
    return false;
}

static void hook_accesses(void)
{
    static uc_hook hooks[2];

    need(uc_hook_add(cpu, &hooks[0], UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE,
                     (void *)(uintptr_t)on_access, NULL, 1, 0),
         "a hook");
    need(uc_hook_add(cpu, &hooks[1],
                     UC_HOOK_MEM_READ_UNMAPPED | UC_HOOK_MEM_WRITE_UNMAPPED,
                     (void *)(uintptr_t)on_no_memory, NULL, 1, 0),
         "a hook");
}

/* mstatus.FS: otherwise there are no floating-point instructions. */
static void switch_fp_on(void)
{
    static const uint32_t code[] = {
        0x000062b7, /* lui t0, 6 */
        0x3002a073, /* csrs mstatus, t0 */
    };

    need(uc_mem_write(cpu, CODE, code, sizeof(code)), "code");
    need(uc_emu_start(cpu, CODE, CODE + sizeof(code), 0, 0), "mstatus");
}

void oracle_start(void)
{
    need(uc_open(UC_ARCH_RISCV, UC_MODE_RISCV64, &cpu), "Unicorn");
    need(uc_mem_map(cpu, CODE, CODE_SIZE, UC_PROT_ALL), "code");
    /* Jumps must not lead there: Unicorn would then keep translations of what
     * is written to. */
    need(uc_mem_map(cpu, ORACLE_DATA, ORACLE_DATA_SIZE,
                    UC_PROT_READ | UC_PROT_WRITE),
         "data");
    for (int i = 0; i < REGS; i++) {
        names[i] = UC_RISCV_REG_X0 + i;
        names[REGS + i] = UC_RISCV_REG_F0 + i;
    }
    switch_fp_on();
    fill_data();
    hook_accesses();
}

static void set_regs(const struct oracle_regs *regs)
{
    void *values[2 * REGS];

    for (unsigned i = 0; i < REGS; i++) {
        values[i] = (void *)(uintptr_t)&regs->x[i];
        values[REGS + i] = (void *)(uintptr_t)&regs->f[i];
    }
    /* x0 is not written. */
    need(uc_reg_write_batch(cpu, names + 1, values + 1, 2 * REGS - 1),
         "registers");
}

static void get_regs(struct oracle_regs *regs)
{
    void *values[2 * REGS];

    for (unsigned i = 0; i < REGS; i++) {
        values[i] = &regs->x[i];
        values[REGS + i] = &regs->f[i];
    }
    need(uc_reg_read_batch(cpu, names, values, 2 * REGS), "registers");
}

/* What a store has changed is as it was before. */
static void restore_data(const struct oracle_effect *effect)
{
    uint64_t offset = effect->address - ORACLE_DATA;

    if (effect->writes != 0 && offset <= ORACLE_DATA_SIZE - effect->size)
        need(uc_mem_write(cpu, effect->address, &data[offset], effect->size),
             "data");
}

void oracle_execute(uint32_t insn, const struct oracle_regs *regs,
                    struct oracle_effect *effect)
{
    static unsigned turn;
    uint64_t at = CODE + (uint64_t)(turn++ % PLACES) * PLACE_SIZE;
    uint32_t length = (insn & 3) == 3 ? 4 : 2;
    uint64_t pc;

    memset(effect, 0, sizeof(*effect));
    current = effect;
    set_regs(regs);
    need(uc_mem_write(cpu, at, &insn, sizeof(insn)), "code");
    need(uc_ctl_remove_cache(cpu, at, at + PLACE_SIZE), "translations");
    effect->retired = uc_emu_start(cpu, at, at + length, 0, 1) == UC_ERR_OK;
    need(uc_reg_read(cpu, UC_RISCV_REG_PC, &pc), "pc");
    effect->length = pc - at;
    get_regs(&effect->after);
    restore_data(effect);
}
