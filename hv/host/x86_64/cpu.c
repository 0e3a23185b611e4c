/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each CPU needs before it may do anything: descriptor tables (AMD APM
 * volume 2, chapters 4 and 8), control registers.
 *
 * There are two IDTs, alike but for the double fault's stack: x86_host.h says
 * which is in use when.
 */
#include "host/x86_64/processor.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/string.h"

#define VECTORS 256

#define GATE_INTERRUPT FIELD_PUT(BIT_MASK(43, 40), 0xe)
#define GATE_P         BIT(47)
#define GATE_SELECTOR  BIT_MASK(31, 16)
#define GATE_IST       BIT_MASK(34, 32)

#define TSS_AVAILABLE FIELD_PUT(BIT_MASK(43, 40), 9)
#define TSS_P         BIT(47)

#define EMERGENCY_IST 1

#define FEATURE_XSAVE BIT(26) /* Fn0000_0001 ECX */
#define FEATURE_MCE   BIT(7)  /* Fn0000_0001 EDX */
#define FEATURE_SMEP  BIT(7)  /* Fn0000_0007 EBX */
#define FEATURE_SMAP  BIT(20)
#define FEATURE_AVX   BIT_MASK(2, 0) /* of Fn0000_000D EAX */

struct gate {
    uint64_t low, high;
};

/* Made by the boot CPU, and the same for all. */
static struct {
    struct gate own[VECTORS];
    struct gate bound[VECTORS]; /* while a guest is bound */
} idt;

static struct gate make_gate(unsigned stub, unsigned ist)
{
    uint64_t address =
        (uint64_t)(uintptr_t)(x86_trap_stubs + stub * X86_TRAP_STUB_SIZE);

    return (struct gate){
        .low = (address & BIT_MASK(15, 0)) |
               FIELD_PUT(GATE_SELECTOR, SELECTOR_CODE) |
               FIELD_PUT(GATE_IST, ist) | GATE_INTERRUPT | GATE_P |
               (address & BIT_MASK(31, 16)) << 32,
        .high = address >> 32,
    };
}

static void make_idts(void)
{
    static const uint8_t vectors[] = {VECTOR_CONSOLE, VECTOR_TIMER, VECTOR_IPI};
    const unsigned spurious = X86_EXCEPTIONS + ARRAY_SIZE(vectors);

    for (unsigned i = 0; i < VECTORS; i++)
        idt.own[i] = make_gate(i < X86_EXCEPTIONS ? i : spurious, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
        idt.own[vectors[i]] = make_gate(X86_EXCEPTIONS + i, 0);
    memcpy(idt.bound, idt.own, sizeof(idt.bound));
    idt.own[X86_VECTOR_DF] = make_gate(X86_VECTOR_DF, EMERGENCY_IST);
}

void cpu_use_emergency_stack(bool on)
{
    idt_load(on ? idt.own : idt.bound, sizeof(idt.own));
}

static void load_tss(struct x86_host_cpu *cpu)
{
    uint64_t tss = (uint64_t)(uintptr_t)&cpu->tss;
    uint64_t stack = (uint64_t)(uintptr_t)(cpu->emergency_stack +
                                           sizeof(cpu->emergency_stack));
    const unsigned entry = SELECTOR_TSS / sizeof(cpu->gdt[0]);

    cpu->tss.ist[0] = (uint32_t)stack;
    cpu->tss.ist[1] = (uint32_t)(stack >> 32);
    cpu->tss.io_map = sizeof(cpu->tss);
    cpu->gdt[entry] = (sizeof(cpu->tss) - 1) | (tss & BIT_MASK(23, 0)) << 16 |
                      TSS_AVAILABLE | TSS_P | (tss >> 24 & 0xff) << 56;
    cpu->gdt[entry + 1] = tss >> 32;
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
}

static void load_tables(struct x86_host_cpu *cpu)
{
    memcpy(cpu->gdt, x86_gdt,
           (size_t)((const char *)x86_gdt_end - (const char *)x86_gdt));
    gdt_load(cpu->gdt, sizeof(cpu->gdt));
    if (idt.own[0].low == 0)
        make_idts();
    load_tss(cpu);
    __asm__ volatile("lldt %w0" : : "r"(0));
    cpu_use_emergency_stack(true);
}

static void load_control_registers(void)
{
    struct x86_cpuid features = cpuid(X86_CPUID_FEATURES, 0);
    struct x86_cpuid structured = {0};
    uint64_t cr4 =
        X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;

    if (cpuid(X86_CPUID_VENDOR, 0).eax >= X86_CPUID_STRUCTURED)
        structured = cpuid(X86_CPUID_STRUCTURED, 0);
    cr4 |= (features.ecx & FEATURE_XSAVE) != 0 ? X86_CR4_OSXSAVE : 0;
    cr4 |= (features.edx & FEATURE_MCE) != 0 ? X86_CR4_MCE : 0;
    cr4 |= (structured.ebx & FEATURE_SMEP) != 0 ? X86_CR4_SMEP : 0;
    cr4 |= (structured.ebx & FEATURE_SMAP) != 0 ? X86_CR4_SMAP : 0;
    cr4_write(cr4);
    if ((cr4 & X86_CR4_OSXSAVE) != 0)
        xcr0_write(cpuid(X86_CPUID_XSTATE, 0).eax & FEATURE_AVX);
}

void cpu_init(struct x86_host_cpu *cpu)
{
    cpu->self = cpu;
    load_tables(cpu);
    load_control_registers();
}
