/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `twinax bench` measures of x86_64, on any vendor's processor. Decoding:
 * the exit registers of an MMIO access to the access, at a place where the
 * guest was before; and instructions, by themselves.
 */
#include "sim/bench.h"

#include <stdio.h>

#include "arch/x86_64/emulate/decode.h"
#include "device/pc/acpi_pm.h"
#include "sim/spec.h"
#include "sim/x86_64/arch.h"
#include "vm/vm.h"
#include "vmm/vmm.h"

#define BATCH 1000000

#define LAPIC_VERSION UINT64_C(0xfee00030)
#define LAPIC_TPR     UINT64_C(0xfee00080)
#define IOAPIC_SELECT UINT64_C(0xfec00000)
#define PORT_PIC_MASK 0x21
#define UART_LSR      5

#define READ(at, bytes)                                    \
    {                                                      \
        .kind = OP_LOAD, .width = (bytes), .address = (at) \
    }
#define WRITE(at, bytes, what)                                     \
    {                                                              \
        .kind = OP_STORE, .width = (bytes), .flags = OP_HAS_VALUE, \
        .address = (at), .value = (what)                           \
    }
#define IN(port, bytes)                                       \
    {                                                         \
        .kind = OP_X86_IN, .width = (bytes), .number = (port) \
    }
#define OUT(port, bytes, what)                                  \
    {                                                           \
        .kind = OP_X86_OUT, .width = (bytes), .number = (port), \
        .value = (what)                                         \
    }
#define CALL                   \
    {                          \
        .kind = OP_X86_VMMCALL \
    }
#define CPUID                \
    {                        \
        .kind = OP_X86_CPUID \
    }

static const struct guest_op null_calls[] = {CALL};
static const struct guest_op cpuids[] = {CPUID};
static const struct guest_op mmio_reads[] = {READ(LAPIC_VERSION, 4)};
static const struct guest_op port_reads[] = {IN(PORT_PIC_MASK, 1)};
/* Of which the host knows nothing when it is asked. */
static const struct guest_op interrupts[] = {{.kind = OP_X86_NMI}};
static const struct guest_op mixed[] = {
    CALL,
    READ(LAPIC_VERSION, 4),
    IN(PORT_PIC_MASK, 1),
    READ(SPEC_UART + UART_LSR, 1),
    OUT(PORT_PIC_MASK, 1, 0xff),
    CPUID,
    READ(IOAPIC_SELECT, 4),
    IN(ACPI_PM_BASE + ACPI_PM_TIMER, 4),
    WRITE(LAPIC_TPR, 4, 0),
};

static const struct bench_exits exits[] = {
    {"inject_exits_per_second",
     "injected exits handled, calls, CPUID, ports and MMIO mixed", mixed,
     ARRAY_SIZE(mixed)},
    {"inject_calls_per_second", "hypercalls that do nothing", null_calls,
     ARRAY_SIZE(null_calls)},
    {"inject_cpuid_per_second", "CPUID", cpuids, ARRAY_SIZE(cpuids)},
    {"inject_mmio_per_second", "reads of the local APIC's version", mmio_reads,
     ARRAY_SIZE(mmio_reads)},
    {"inject_pio_per_second", "reads of a port, the PIC's mask", port_reads,
     ARRAY_SIZE(port_reads)},
    {"inject_interrupts_per_second",
     "host interrupts: exit and entry, and little else", interrupts,
     ARRAY_SIZE(interrupts)},
};

/* --- From an exit to the access --- */

/* Seconds for one; below 0: it is none. */
static double measure_accesses(struct vcpu *vcpu)
{
    double start = bench_seconds();
    struct device_access access;
    struct vm_exit exit;

    for (unsigned i = 0; i < BATCH; i++) {
        vcpu->ops->decode(vcpu, &exit);
        if (vcpu->ops->decode_mmio(vcpu, &exit, &access) != OK)
            return -1;
    }
    return (bench_seconds() - start) / BATCH;
}

static const struct guest_op *read_again(struct trap_source *source)
{
    (void)source;
    return &mmio_reads[0];
}

/* How many exits it takes at most until the guest's page tables and its code
 * have been touched. */
#define EXITS_BEFORE 100

/* The vCPU as its exit for a read of a device has left it; NULL: it makes
 * none. */
static struct vcpu *vcpu_at_access(struct machine *machine,
                                   struct trap_source *source)
{
    struct vcpu *vcpu = vmm_find_vm(1)->vcpus[0];
    uint64_t pc;

    machine_set_source(machine, 1, 0, source);
    if (machine_run(machine, EXITS_BEFORE) != MACHINE_BUDGET)
        return NULL;
    pc = vcpu->ops->get_pc(vcpu);
    if (machine_run(machine, 1) != MACHINE_BUDGET)
        return NULL;
    vcpu->ops->set_pc(vcpu, pc);
    return vcpu;
}

/* The least of what `measure` says in the time that there is. */
static double least(double (*measure)(struct vcpu *vcpu), struct vcpu *vcpu,
                    double seconds)
{
    double best = 1, spent = 0;

    while (spent < seconds && best > 0) {
        double batch = measure(vcpu);

        best = batch < best ? batch : best;
        spent += batch * BATCH;
    }
    return best;
}

/* --- Instructions --- */

/* What guests do to devices: mov, movzx, movabs, test, or, bts, xchg, rep
 * movs, out, and a move of SSE. */
static const uint8_t instructions[][X86_INSN_MAX] = {
    {0x8b, 0x04, 0x25, 0x30, 0x00, 0xe0, 0xfe},             /* mov eax, [] */
    {0x89, 0xb7, 0x00, 0xd0, 0x5f, 0xff},                   /* mov [], esi */
    {0x0f, 0xb6, 0x40, 0x05},                               /* movzx eax, [] */
    {0x48, 0xa1, 0x30, 0x00, 0xe0, 0xfe, 0x00, 0x00},       /* movabs */
    {0xf6, 0x40, 0x05, 0x20},                               /* test [], 20h */
    {0x66, 0x83, 0x4c, 0xc8, 0x10, 0x01},                   /* or [], 1 */
    {0xf0, 0x0f, 0xba, 0x6b, 0x04, 0x07},                   /* bts [], 7 */
    {0x41, 0x87, 0x84, 0x24, 0x00, 0x01, 0x00, 0x00},       /* xchg */
    {0xc7, 0x05, 0x10, 0x00, 0x00, 0x00, 0x78, 0x56, 0x34}, /* mov [rip], i */
    {0xf3, 0x48, 0xa5},                                     /* rep movsq */
    {0xee},                                                 /* out dx, al */
    {0x66, 0x41, 0x0f, 0x6f, 0x44, 0x24, 0x20},             /* movdqa */
};

static double measure_instructions(struct vcpu *unused)
{
    double start = bench_seconds();
    struct x86_insn insn;
    unsigned row = 0;

    (void)unused;
    for (unsigned i = 0; i < BATCH; i++) {
        if (x86_decode_insn(instructions[row], X86_INSN_MAX, X86_MODE_64,
                            &insn) != X86_DECODED)
            return -1;
        row = row + 1 == ARRAY_SIZE(instructions) ? 0 : row + 1;
    }
    return (bench_seconds() - start) / BATCH;
}

static bool decode(const struct bench_options *options,
                   struct bench_report *report)
{
    struct machine *machine = bench_machine(options->arch);
    struct trap_source source = {.next = read_again};
    struct vcpu *vcpu =
        machine == NULL ? NULL : vcpu_at_access(machine, &source);
    double access = -1, insn = -1;

    if (vcpu != NULL) {
        access = least(measure_accesses, vcpu, options->seconds);
        insn = least(measure_instructions, NULL, options->seconds);
    }
    if (machine != NULL) {
        machine_set_source(machine, 1, 0, NULL);
        (void)machine_destroy(machine);
    }
    if (access < 0 || insn < 0) {
        fprintf(stderr, "twinax bench: an access does not decode\n");
        return false;
    }
    bench_add(report, "decode_ns", access * 1e9,
              "an MMIO exit's registers to the access");
    bench_add(report, "decode_insns_per_second", 1 / insn,
              "instructions decoded, a dozen kinds that access devices");
    return true;
}

const struct sim_bench x86_64_bench = {
    .exits = exits,
    .exits_count = ARRAY_SIZE(exits),
    .decode = decode,
};
