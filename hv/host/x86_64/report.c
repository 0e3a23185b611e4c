/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traps of the hypervisor: interrupts are noted down (machine.c), NMIs are
 * looked into, everything else is a bug, or broken hardware, and is reported.
 */
#include "host/x86_64/processor.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"

/* CALL rel32 and CALL r/m64 (FF /2: AMD APM volume 3), by length. */
#define CALL_REL32       0xe8
#define CALL_REL32_SIZE  5
#define CALL_RM          0xff
#define CALL_RM_REG_MASK 0x38
#define CALL_RM_REG      0x10
#define CALL_RM_MIN      2
#define CALL_RM_MAX      7

/* System control port B: why there is an NMI. */
#define PORT_B       0x61
#define PORT_B_IOCHK BIT(6)
#define PORT_B_SERR  BIT(7)

/* More than CPUs that fail at once, and fewer than fill the console. */
#define MAX_REPORTS 8

#define MCG_CAP_COUNT   BIT_MASK(7, 0)
#define MC_STATUS_VAL   BIT(63)
#define MC_STATUS_ADDRV BIT(58)
/* Banks have four registers each, from MC0_CTL on. */
#define MC_STATUS(bank) (0x401 + 4 * (bank))
#define MC_ADDR(bank)   (0x402 + 4 * (bank))

static const char *const gpr_names[X86_GPR_COUNT] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
};

static const char *const vector_names[X86_EXCEPTIONS] = {
    [X86_VECTOR_DE] = "#DE", [X86_VECTOR_DB] = "#DB", [X86_VECTOR_NMI] = "NMI",
    [X86_VECTOR_BP] = "#BP", [X86_VECTOR_OF] = "#OF", [X86_VECTOR_BR] = "#BR",
    [X86_VECTOR_UD] = "#UD", [X86_VECTOR_NM] = "#NM", [X86_VECTOR_DF] = "#DF",
    [X86_VECTOR_TS] = "#TS", [X86_VECTOR_NP] = "#NP", [X86_VECTOR_SS] = "#SS",
    [X86_VECTOR_GP] = "#GP", [X86_VECTOR_PF] = "#PF", [X86_VECTOR_MF] = "#MF",
    [X86_VECTOR_AC] = "#AC", [X86_VECTOR_MC] = "#MC", [X86_VECTOR_XF] = "#XF",
    [X86_VECTOR_CP] = "#CP",
};

static bool is_text(uint64_t address)
{
    return address >= (uint64_t)(uintptr_t)image_start &&
           address < (uint64_t)(uintptr_t)image_text_end;
}

bool machine_is_return_address(uint64_t address)
{
    const uint8_t *at = (const uint8_t *)(uintptr_t)address;

    if (!is_text(address) || !is_text(address - CALL_RM_MAX))
        return false;
    if (at[-CALL_REL32_SIZE] == CALL_REL32)
        return true;
    for (int size = CALL_RM_MIN; size <= CALL_RM_MAX; size++) {
        if (at[-size] == CALL_RM &&
            (at[1 - size] & CALL_RM_REG_MASK) == CALL_RM_REG)
            return true;
    }
    return false;
}

static void print_gprs(const struct x86_trap_frame *frame)
{
    for (unsigned reg = 0; reg < X86_GPR_COUNT; reg++)
        host_print("  %3s %016llx%s", gpr_names[reg],
                   (unsigned long long)(reg == X86_GPR_RSP ? frame->rsp
                                                           : frame->gpr[reg]),
                   reg % 4 == 3 ? "\n" : "");
}

static void print_banks(void)
{
    uint64_t banks = FIELD_GET(MCG_CAP_COUNT, msr_read(X86_MSR_MCG_CAP));

    host_print("  machine check: MCG_STAT 0x%llx\n",
               (unsigned long long)msr_read(X86_MSR_MCG_STAT));
    for (uint32_t bank = 0; bank < banks; bank++) {
        uint64_t status = msr_read(MC_STATUS(bank));
        if ((status & MC_STATUS_VAL) == 0)
            continue;
        host_print("  bank %u: status 0x%llx address 0x%llx\n", bank,
                   (unsigned long long)status,
                   (unsigned long long)((status & MC_STATUS_ADDRV) != 0
                                            ? msr_read(MC_ADDR(bank))
                                            : 0));
    }
}

void x86_report(const struct x86_trap_frame *frame)
{
    const char *name =
        frame->vector < X86_EXCEPTIONS ? vector_names[frame->vector] : NULL;
    uint64_t address = cr2_read();
    /* Of a double fault, the frame is the first one's. */
    bool overflow = panic_is_in_guard(
        frame->vector == X86_VECTOR_DF ? frame->rsp - 1 : address);

    panic_begin();
    host_print(
        "\ntwinax: bug: CPU %u has trapped: %s (%llu) at 0x%llx, error "
        "code 0x%llx, cr2 0x%llx%s\n",
        machine_this_cpu()->id, name != NULL ? name : "vector",
        (unsigned long long)frame->vector, (unsigned long long)frame->rip,
        (unsigned long long)frame->error_code, (unsigned long long)address,
        overflow ? " (its stack has overflowed)" : "");
    host_print("  cs 0x%llx rflags 0x%llx cr0 0x%llx cr3 0x%llx cr4 0x%llx\n",
               (unsigned long long)frame->cs, (unsigned long long)frame->rflags,
               (unsigned long long)cr0_read(), (unsigned long long)cr3_read(),
               (unsigned long long)cr4_read());
    print_gprs(frame);
    if (frame->vector == X86_VECTOR_MC)
        print_banks();
    if (x86_this_host_cpu()->nmis != 0)
        host_print("  NMIs before: %u\n", x86_this_host_cpu()->nmis);
    panic_print_calls(frame->rsp);
    panic_end();
}

/* The CPU that this is, without a look at the stack. */
static struct host_cpu *find_self(void)
{
    for (uint32_t i = 0; i < MAX_CPU_NUM && host_cpus[i] != NULL; i++) {
        if (host_cpus[i]->hw_id == apic_id())
            return host_cpus[i];
    }
    return &x86_boot_block.host;
}

/*
 * The stack pointer, by which the CPU is known, may be what the bug has spoilt:
 * then the report is made on the emergency stack. Looking for that may fail,
 * too; a few such failures are the end.
 */
static _Noreturn void report(const struct x86_trap_frame *frame)
{
    static _Atomic uint32_t reports;

    if (atomic_fetch_add(&reports, 1) >= MAX_REPORTS)
        machine_end(MACHINE_FAILURE);
    if (x86_this_host_cpu()->self != x86_this_host_cpu())
        x86_report_on(x86_host_cpu_of(find_self())->emergency_stack + PAGE_SIZE,
                      frame);
    x86_report(frame);
}

/* Nobody here sends NMIs. What is not broken hardware is counted. */
static void take_nmi(const struct x86_trap_frame *frame)
{
    uint8_t reason = port_read8(PORT_B);

    if ((reason & (PORT_B_IOCHK | PORT_B_SERR)) == 0) {
        x86_this_host_cpu()->nmis++;
        return;
    }
    host_print("\ntwinax: NMI: port 61h says 0x%x: memory or a device has "
               "failed\n",
               reason);
    report(frame);
}

void x86_take_interrupt(uint64_t vector)
{
    struct x86_host_cpu *cpu = x86_this_host_cpu();

    switch (vector) {
    case VECTOR_IPI: cpu->pending |= PENDING_IPI; break;
    case VECTOR_TIMER: cpu->pending |= PENDING_TIMER; break;
    case VECTOR_CONSOLE: cpu->pending |= PENDING_CONSOLE; return;
    default: return; /* spurious: there is nothing to end */
    }
    apic_end_interrupt();
}

void x86_trap(const struct x86_trap_frame *frame)
{
    if (frame->vector >= X86_EXCEPTIONS)
        x86_take_interrupt(frame->vector);
    else if (frame->vector == X86_VECTOR_NMI)
        take_nmi(frame);
    else
        report(frame);
}
