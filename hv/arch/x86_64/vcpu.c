/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of an x86_64 vCPU that are the same on every vendor's
 * processor: how it starts, which of its registers are switched with it, when
 * its waits end. Intel SDM volume 3, section 10.1 for what RESET and INIT
 * leave; AMD APM volume 2, section 14.1.
 *
 * The guest's TSC begins at 0 when its VM does, on all of its vCPUs.
 */
#include "api/time.h"
#include "arch/x86_64/x86.h"
#include "device/pc/lapic.h"
#include "lib/check.h"
#include "lib/string.h"
#include "memory/arena.h"

/* Where RESET begins: 16 bytes below 4 GiB. */
#define RESET_CS_BASE     UINT64_C(0xffff0000)
#define RESET_CS_SELECTOR 0xf000
#define RESET_RIP         0xfff0

/* That stage 2 translates: hv/addrspace/format_x86.c. */
#define GUEST_PHYSICAL_BITS 48

/* Of FXSAVE's image: what FNINIT leaves in FCW, and a reset in MXCSR. */
#define XSAVE_FCW   0
#define XSAVE_MXCSR 24
#define FCW_FNINIT  UINT16_C(0x037f)
#define MXCSR_RESET UINT32_C(0x1f80)

static uint64_t find_host_xcr0(void)
{
    struct x86_cpuid cpuid;

    (void)x86_hw_cpuid(X86_CPUID_VENDOR, 0, &cpuid);
    if (cpuid.eax < X86_CPUID_XSTATE)
        return 0;
    (void)x86_hw_cpuid(X86_CPUID_XSTATE, 0, &cpuid);
    return cpuid.eax & (X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX);
}

static bool find_tsc_aux(void)
{
    struct x86_cpuid cpuid;

    (void)x86_hw_cpuid(X86_CPUID_EXT_MAX, 0, &cpuid);
    if (cpuid.eax < X86_CPUID_EXT_FEATURES)
        return false;
    (void)x86_hw_cpuid(X86_CPUID_EXT_FEATURES, 0, &cpuid);
    return (cpuid.edx & X86_CPUID_EXT_EDX_RDTSCP) != 0;
}

struct x86_vcpu *x86_first(struct x86_vcpu *v)
{
    struct vcpu *const *peers = v->base.config.peers;

    return vcpu_is_bsp(&v->base) || peers == NULL || peers[0] == NULL
               ? v
               : to_x86(peers[0]);
}

static err_t make_cpuid(struct x86_vcpu *v, struct arena *arena)
{
    const struct x86_vm_facts facts = {
        .vcpus = (unsigned)v->base.config.peer_count,
        .physical_bits = v->physical_bits,
        .tsc_hz = time_frequency(),
        .has_apic = v->lapic != NULL,
    };

    v->cpuid = x86_first(v)->cpuid;
    if (v->cpuid != NULL)
        return OK;
    v->cpuid = arena_new(arena, struct x86_guest_cpuid);
    if (v->cpuid == NULL)
        return ERR_NO_MEMORY;
    x86_guest_cpuid_init(v->cpuid, &facts, x86_hw_cpuid);
    return OK;
}

err_t x86_init(struct x86_vcpu *v, const struct x86_vendor *vendor,
               struct arena *arena)
{
    struct lapics *lapics = lapics_of_chip(v->base.config.irq_chip);
    err_t error;

    v->vendor = vendor;
    v->host_xcr0 = find_host_xcr0();
    v->has_tsc_aux = find_tsc_aux();
    if (lapics != NULL)
        v->lapic = lapics_get(lapics, v->base.config.id);
    v->physical_bits = GUEST_PHYSICAL_BITS;
    v->code = arena_new(arena, struct x86_code);
    if (v->code == NULL)
        return ERR_NO_MEMORY;
    error = make_cpuid(v, arena);
    if (error != OK)
        return error;
    v->physical_bits = (uint8_t)v->cpuid->physical_bits;
    v->has_gigabyte_pages = x86_guest_has(v->cpuid, X86_FEATURE_PAGE1GB);
    x86_clear(v);
    return OK;
}

/* The x87 unit is as after FNINIT, with which its users begin, for kernels that
 * are started past their firmware. RESET would leave FCW 0040h. */
static void reset_xsave(struct x86_xsave *xsave, uint64_t components)
{
    const uint16_t fcw = FCW_FNINIT;
    const uint32_t mxcsr = MXCSR_RESET;

    memset(xsave, 0, sizeof(*xsave));
    memcpy(xsave->bytes + XSAVE_FCW, &fcw, sizeof(fcw));
    memcpy(xsave->bytes + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
    memcpy(xsave->bytes + X86_XSAVE_HEADER, &components, sizeof(components));
}

static void clear_pending(struct x86_vcpu *v)
{
    for (unsigned i = 0; i < ARRAY_SIZE(v->injected); i++)
        atomic_store(&v->injected[i], 0);
    atomic_store(&v->nmi, false);
}

void x86_clear(struct x86_vcpu *v)
{
    memset(&v->regs, 0, sizeof(v->regs));
    memset(&v->debug, 0, sizeof(v->debug));
    reset_xsave(&v->xsave, v->host_xcr0);
    clear_pending(v);
    v->wait = X86_RUNS;
    v->nmi_window = v->interrupt_window = false;
    v->xcr0 = X86_XCR0_X87;
    v->tsc_aux = 0;
    v->tsc_offset = v->tsc_adjust = 0;
    x86_msr_reset(&v->msrs);
}

void x86_set_tsc_offset(struct x86_vcpu *v, uint64_t offset)
{
    v->tsc_offset = offset;
    v->vendor->set_tsc_offset(v, offset);
    if (v->lapic != NULL)
        lapic_set_tsc_offset(v->lapic, offset);
}

/* All vCPUs have the first one's time. */
static void start_tsc(struct x86_vcpu *v)
{
    const struct x86_vcpu *first = x86_first(v);

    x86_set_tsc_offset(v, first == v ? -time_ticks() : first->tsc_offset);
}

static void enter_at_reset_vector(struct x86_vcpu *v)
{
    struct x86_entry entry;
    struct x86_cpuid cpuid;

    x86_entry_init(&entry, X86_ENTRY_REAL, RESET_RIP);
    entry.segment[X86_CS].base = RESET_CS_BASE;
    entry.segment[X86_CS].selector = RESET_CS_SELECTOR;
    (void)x86_hw_cpuid(X86_CPUID_FEATURES, 0, &cpuid);
    entry.gpr[X86_GPR_RDX] = cpuid.eax;
    v->vendor->enter_at(v, &entry);
}

/* Who starts a vCPU at an address gets 32-bit code without paging there, and
 * the argument in EBX. */
static void enter_flat(struct x86_vcpu *v)
{
    struct x86_entry entry;

    x86_entry_init(&entry, X86_ENTRY_PROTECTED, v->base.boot.entry.raw);
    entry.gpr[X86_GPR_RBX] = v->base.boot.arg;
    v->vendor->enter_at(v, &entry);
}

/* Whoever starts a guest past its firmware does what that would have done, on
 * all processors alike. */
static void set_up_by_protocol(struct x86_vcpu *v,
                               const struct x86_entry *entry)
{
    if (entry->mode != X86_ENTRY_REAL)
        x86_msr_set_mtrrs(&v->msrs, v->cpuid, 0);
    v->vendor->enter_at(v, entry);
}

void x86_setup(struct x86_vcpu *v)
{
    x86_clear(v);
    start_tsc(v);
    if (v->base.boot.state != NULL) {
        set_up_by_protocol(v, v->base.boot.state);
    } else if (vcpu_is_bsp(&v->base) || v->lapic == NULL) {
        enter_flat(v);
    } else {
        enter_at_reset_vector(v);
        v->msrs = x86_first(v)->msrs;
        v->wait = X86_WAITS_FOR_SIPI;
    }
}

/* The guest's, of a vCPU that is bound. Writes are intercepted, but by QEMU's
 * processor. */
uint64_t x86_read_xcr0(const struct x86_vcpu *v)
{
    return v->host_xcr0 != 0 ? x86_hw_read_xcr0() & v->host_xcr0 : v->xcr0;
}

/* XCR0 says what XSAVE and XRSTOR move. Without it, they are FXSAVE and
 * FXRSTOR, which ask nobody. XSETBV is slow, so what the guest has already is
 * not written again. */
static void set_xcr0(const struct x86_vcpu *v, uint64_t value)
{
    if (v->host_xcr0 != 0)
        x86_hw_write_xcr0(value);
}

void x86_bind(struct x86_vcpu *v)
{
    set_xcr0(v, v->host_xcr0);
    x86_hw_xrstor(&v->xsave, v->host_xcr0);
    if (v->xcr0 != v->host_xcr0)
        set_xcr0(v, v->xcr0);
    x86_hw_load_debug(&v->debug);
    if (v->has_tsc_aux)
        x86_hw_write_msr(X86_MSR_TSC_AUX, v->tsc_aux);
}

void x86_unbind(struct x86_vcpu *v)
{
    v->xcr0 = x86_read_xcr0(v);
    if (v->xcr0 != v->host_xcr0)
        set_xcr0(v, v->host_xcr0);
    x86_hw_xsave(&v->xsave, v->host_xcr0);
    x86_hw_save_debug(&v->debug);
}

/* INIT and SIPI ---------------------------------------------------------- */

/* INIT leaves the x87 unit, SSE and AVX, the TSC and most MSRs alone. Of what
 * was to be delivered, nothing is left. */
static void take_init(struct x86_vcpu *v, bool bsp)
{
    enter_at_reset_vector(v);
    memset(&v->debug, 0, sizeof(v->debug));
    x86_hw_load_debug(&v->debug);
    clear_pending(v);
    v->wait = bsp ? X86_RUNS : X86_WAITS_FOR_SIPI;
}

static void take_sipi(struct x86_vcpu *v, uint8_t vector)
{
    struct x86_entry entry;

    x86_entry_init(&entry, X86_ENTRY_REAL, 0);
    entry.segment[X86_CS].base = (uint64_t)vector << PAGE_SHIFT;
    entry.segment[X86_CS].selector = (uint16_t)(vector << 8);
    v->vendor->enter_at(v, &entry);
    v->wait = X86_RUNS;
}

void x86_take_startup(struct x86_vcpu *v)
{
    uint8_t vector;
    bool bsp;

    if (lapic_take_init(v->lapic, &bsp))
        take_init(v, bsp);
    if (lapic_take_sipi(v->lapic, &vector) && v->wait == X86_WAITS_FOR_SIPI)
        take_sipi(v, vector);
}

/* Waits ------------------------------------------------------------------ */

/* An NMI, or an interrupt, that the guest does not take ends no wait; INIT and
 * SIPI may have. */
bool x86_has_wakeup(struct vcpu *vcpu)
{
    struct x86_vcpu *v = to_x86(vcpu);

    x86_sync_events(v);
    return v->wait == X86_RUNS;
}

/* The timers of local APICs wake their vCPUs by themselves. */
uint64_t x86_wakeup_deadline(struct vcpu *vcpu)
{
    return UINT64_MAX;
}

/* What the VM's reason says then: faults. */
#define REASON_TRIPLE_FAULT 3

void x86_decode_shutdown(struct vm_exit *exit)
{
    exit->kind = EXIT_SYSTEM_DOWN;
    exit->system_down.reboot = true;
    exit->system_down.reason = REASON_TRIPLE_FAULT;
}

void x86_decode_wait(const struct x86_vcpu *v, struct vm_exit *exit)
{
    if (v->wait == X86_IS_DOWN)
        x86_decode_shutdown(exit);
    else
        exit->kind = EXIT_HALT;
}

/* Registers -------------------------------------------------------------- */

/* RIP behind an instruction that reaches beyond 4 GiB: only 64-bit code goes on
 * there. */
static void wrap_rip(struct x86_vcpu *v)
{
    struct x86_cpu cpu;

    v->vendor->get_cpu(v, &cpu);
    if (x86_mode_of(&cpu) != X86_MODE_64)
        *v->rip = (uint32_t)*v->rip;
}

/* RF is for one instruction, and TF's trap comes after it. */
void x86_end_rarely(struct x86_vcpu *v, unsigned length)
{
    if ((uint32_t)*v->rip < length)
        wrap_rip(v);
    *v->rflags &= ~X86_RFLAGS_RF;
    if (*v->rflags & X86_RFLAGS_TF)
        x86_inject_single_step(v);
}

EXIT_PATH void x86_advance(struct vcpu *vcpu, const struct vm_exit *exit)
{
    struct x86_vcpu *v = to_x86(vcpu);

    x86_step_over(v, exit->insn_len);
    if (unlikely(exit->kind == EXIT_HALT) && v->wait == X86_RUNS)
        v->wait = X86_HALTS;
}

uint64_t x86_get_pc(const struct vcpu *vcpu)
{
    return *to_x86_const(vcpu)->rip;
}

void x86_set_pc(struct vcpu *vcpu, uint64_t pc)
{
    *to_x86(vcpu)->rip = pc;
}

uint64_t x86_get_gpr(const struct vcpu *vcpu, unsigned reg)
{
    CHECK(reg < X86_GPR_COUNT);
    return to_x86_const(vcpu)->regs.gpr[reg];
}

void x86_set_gpr(struct vcpu *vcpu, unsigned reg, uint64_t value)
{
    CHECK(reg < X86_GPR_COUNT);
    to_x86(vcpu)->regs.gpr[reg] = value;
}

void x86_set_return_value(struct vcpu *vcpu, uint64_t value)
{
    to_x86(vcpu)->regs.gpr[X86_GPR_RAX] = value;
}

/* Nothing that a guest does is answered by that: SIPIs have no answer. */
void x86_set_cpu_up_result(struct vcpu *vcpu, err_t result) {}
