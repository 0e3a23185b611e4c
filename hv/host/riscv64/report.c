/* SPDX-License-Identifier: Apache-2.0 */
/* What the panic path prints on riscv64: registers, and what called what. */
#include "host/riscv64/csr_access.h"
#include "host/riscv64/riscv_host.h"
#include "lib/bits.h"

/* Calls that return to the instruction after them: JAL and JALR with rd = ra,
 * C.JALR (The RISC-V Instruction Set Manual, volume I). */
#define INSN_RD_MASK     0xfffu
#define INSN_JAL_RA      0x0efu
#define INSN_JALR_MASK   0x7fffu
#define INSN_JALR_RA     0x00e7u
#define INSN_C_JALR_MASK 0xf07fu
#define INSN_C_JALR      0x9002u
#define INSN_C_RS1       0x0f80u

static const char *const gpr_names[REG_COUNT] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

static bool is_text(uint64_t address)
{
    return address >= (uint64_t)(uintptr_t)image_start &&
           address < (uint64_t)(uintptr_t)image_text_end;
}

bool machine_is_return_address(uint64_t address)
{
    const uint16_t *at = (const uint16_t *)(uintptr_t)address;
    uint32_t insn;

    if (!is_aligned(address, 2) || !is_text(address) || !is_text(address - 4))
        return false;
    if ((at[-1] & INSN_C_JALR_MASK) == INSN_C_JALR &&
        (at[-1] & INSN_C_RS1) != 0)
        return true;
    insn = (uint32_t)at[-1] << 16 | at[-2];
    return (insn & INSN_RD_MASK) == INSN_JAL_RA ||
           (insn & INSN_JALR_MASK) == INSN_JALR_RA;
}

static void print_gprs(const uint64_t *gpr)
{
    for (unsigned reg = 1; reg < REG_COUNT; reg++)
        host_print("%s%5s %016llx%s", reg % 4 == 1 ? " " : "", gpr_names[reg],
                   (unsigned long long)gpr[reg],
                   reg % 4 == 0 || reg == REG_COUNT - 1 ? "\n" : "");
}

static bool is_cpu(uint64_t pointer)
{
    for (uint32_t i = 0; i < MAX_CPU_NUM && host_cpus[i] != NULL; i++) {
        if (pointer == (uint64_t)(uintptr_t)host_cpus[i])
            return true;
    }
    return false;
}

/* Apart from its caller, so that none of it looks at tp too early. */
__attribute__((noinline)) static _Noreturn void
report(const struct riscv_trap_frame *frame)
{
    uint64_t address = csr_read(stval);

    panic_begin();
    host_print("\ntwinax: bug: CPU %u has trapped: scause 0x%llx at 0x%llx, "
               "stval 0x%llx%s\n",
               machine_this_cpu()->id, (unsigned long long)csr_read(scause),
               (unsigned long long)csr_read(sepc), (unsigned long long)address,
               panic_is_in_guard(address) ? " (its stack has overflowed)" : "");
    host_print("  sstatus 0x%llx hstatus 0x%llx satp 0x%llx\n",
               (unsigned long long)csr_read(sstatus),
               (unsigned long long)csr_read(hstatus),
               (unsigned long long)csr_read(satp));
    print_gprs(frame->gpr);
    panic_print_calls(frame->gpr[REG_SP]);
    panic_end();
}

void riscv_report_trap(const struct riscv_trap_frame *frame)
{
    /* tp tells which CPU this is, if the bug has not spoilt it. */
    if (!is_cpu(frame->gpr[REG_TP])) {
        const struct host_cpu *cpu = panic_stack_owner(frame->gpr[REG_SP]);

        __asm__ volatile("mv tp, %0" : : "r"(cpu != NULL ? cpu : boot_cpu));
    }
    report(frame);
}
