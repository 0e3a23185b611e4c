/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's platform-level interrupt controller (RISC-V PLIC
 * Specification 1.0): the host uses one source of it, the console's, and
 * routes it to the boot CPU.
 */
#include "api/arch.h"
#include "arch/riscv64/csr.h"
#include "host/riscv64/riscv_host.h"
#include "lib/bits.h"

#include <libfdt.h>

#define PLIC_PRIORITY(source) (UINT64_C(4) * (source))
/* Where the bit of `source` is, number source % 32. */
#define PLIC_ENABLE(context, source) \
    (0x2000 + UINT64_C(0x80) * (context) + UINT64_C(4) * ((source) / 32))
#define PLIC_CONTEXT(context) (0x200000 + UINT64_C(0x1000) * (context))
#define PLIC_THRESHOLD        0
#define PLIC_CLAIM            4

static struct {
    uint64_t base; /* 0: there is none */
    uint32_t console_source;
    uint32_t context;
} plic;

static volatile uint32_t *plic_register(uint64_t offset)
{
    return (volatile uint32_t *)(uintptr_t)(plic.base + offset);
}

/*
 * The context by which `cpu` takes supervisor interrupts: the place of the
 * pair <its local controller, its external interrupt> in interrupts-extended.
 */
static bool find_context(const struct riscv_plic *chip,
                         const struct riscv_hart *cpu, uint32_t *context)
{
    const fdt32_t *pairs = chip->contexts;

    for (uint32_t i = 0; i < chip->contexts_size / (2 * sizeof(*pairs)); i++) {
        const fdt32_t *pair = pairs + (size_t)2 * i;
        if (fdt32_to_cpu(pair[0]) == cpu->intc &&
            fdt32_to_cpu(pair[1]) == IRQ_S_EXT) {
            *context = i;
            return true;
        }
    }
    return false;
}

void plic_init(const struct riscv_board *board, const struct riscv_hart *cpu)
{
    const struct riscv_plic *chip = &board->plic;
    const struct board_console *console = board->tree.board.console;
    uint32_t source = console != NULL ? console->irq : 0;

    if (chip->reg.size == 0 || source == 0 || source > chip->sources ||
        !find_context(chip, cpu, &plic.context))
        return;
    plic.base = chip->reg.start;
    plic.console_source = source;
    for (uint32_t first = 0; first <= chip->sources; first += 32)
        *plic_register(PLIC_ENABLE(plic.context, first)) = 0;
    *plic_register(PLIC_ENABLE(plic.context, source)) = UINT32_C(1)
                                                        << source % 32;
    *plic_register(PLIC_PRIORITY(source)) = 1;
    *plic_register(PLIC_CONTEXT(plic.context) + PLIC_THRESHOLD) = 0;
}

uint32_t plic_take_irq(void)
{
    volatile uint32_t *claim =
        plic_register(PLIC_CONTEXT(plic.context) + PLIC_CLAIM);
    uint32_t irq = HOST_IRQ_OTHER;
    uint32_t source;

    if (plic.base == 0)
        return HOST_IRQ_NONE;
    source = *claim;
    if (source == 0)
        return HOST_IRQ_NONE;
    if (source == plic.console_source && console_handle_irq())
        irq = HOST_IRQ_CONSOLE;
    *claim = source;
    return irq;
}
