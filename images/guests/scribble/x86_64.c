/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that tries: ports, MSRs, CPUID leaves, control registers, devices'
 * registers with all widths, addresses where there is nothing, instructions
 * that are not for it. Whatever the answers are, it must still be there to
 * count its exceptions at the end, and so must be its neighbours.
 */
#include "machine.h"

static uint64_t traps, seed = 0x9e3779b97f4a7c15;

/* Where to go on when the instruction that is tried traps. */
static uint64_t resume_at;

#define NMI        2
#define ICR_NMI    0x400 /* to the processor of ICR2 */
#define ICR2_SHIFT 24

static volatile uint32_t nmis;

static void address_self(void)
{
    lapic_put(LAPIC_ICR2, lapic_get(LAPIC_ID) >> ICR2_SHIFT << ICR2_SHIFT);
}

/* The first one's handler sends another one, which waits for its IRET. */
static void take_nmi(void)
{
    if (nmis++ == 0)
        lapic_put(LAPIC_ICR, ICR_NMI);
}

void guest_trap(struct guest_frame *frame)
{
    if (frame->vector == NMI) {
        take_nmi();
        return;
    }
    if (frame->vector >= 32) {
        lapic_put(LAPIC_EOI, 0);
        return;
    }
    traps++;
    frame->rip = resume_at;
}

/* Tries an instruction with these values in RAX and RBX, RCX, RDX, RDI and RSI;
 * a trap ends it. */
#define TRY(instruction, value, count, data, at)                         \
    ({                                                                   \
        uint64_t a = (uint64_t)(value), b = a, c = (uint64_t)(count);    \
        uint64_t d = (uint64_t)(data), di = (uint64_t)(at), si = di;     \
        __asm__ volatile("lea 1f(%%rip), %%r11\n"                        \
                         "mov %%r11, %[resume]\n"                        \
                         "mov %%rsp, %%r12\n" instruction "\n"           \
                         "1: mov %%r12, %%rsp\n"                         \
                         "cld\n"                                         \
                         : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+D"(di), \
                           "+S"(si), [resume] "=m"(resume_at)            \
                         :                                               \
                         : "r11", "r12", "memory", "cc");                \
    })

static uint8_t scratch[64] __attribute__((aligned(64)));

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static const uint64_t patterns[] = {0,
                                    1,
                                    0x55,
                                    0xff,
                                    0x8000,
                                    0xdeadbeef,
                                    UINT64_C(0x8000000000000000),
                                    ~UINT64_C(0)};

/* Ports that end the machine, or are this guest's voice. */
static bool is_spared(unsigned port)
{
    return (port >= COM1 && port < COM1 + 8) || port == 0xcf9 || port == 0x92 ||
           port == 0x64 || port == 0x402 || port == 0xe9 ||
           (port >= 0xf4 && port < 0xf8) || (port >= 0xb000 && port < 0xb040);
}

static void scribble_on_ports(void)
{
    for (unsigned port = 0; port < 0x10000; port += port < 0x1000 ? 1 : 61) {
        uint32_t value = (uint32_t)draw();

        if (is_spared(port) || is_spared(port + 3))
            continue;
        TRY("inb %%dx, %%al\n inw %%dx, %%ax\n inl %%dx, %%eax", 0, 0, port, 0);
        TRY("outb %%al, %%dx", value, 0, port, 0);
        TRY("outw %%ax, %%dx", value, 0, port, 0);
        TRY("outl %%eax, %%dx", value, 0, port, 0);
        TRY("rep insb", 0, 8, port, scratch);
        TRY("rep outsw", 0, 4, port, scratch);
    }
}

static void scribble_on_msrs(void)
{
    static const uint32_t bases[] = {
        0,     0x10,       0x174,      0x1a0,      0x200,      0x400,
        0x800, 0x40000000, 0xc0000080, 0xc0000100, 0xc0010000, 0xc0010110};

    for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
        for (uint32_t msr = bases[i]; msr < bases[i] + 0x40; msr++) {
            uint32_t value = (uint32_t)draw();

            TRY("rdmsr", 0, msr, 0, 0);
            /* Not those that this code stands on. */
            if ((msr >= 0xc0000080 && msr <= 0xc0000084) ||
                (msr >= 0xc0000100 && msr <= 0xc0000102) || msr == 0x1b)
                continue;
            TRY("wrmsr", value, msr, value >> 7, 0);
        }
    }
}

static void scribble_on_cpuid(void)
{
    static const uint32_t bases[] = {0, 0x40000000, 0x80000000, 0xc0000000,
                                     0xfffffff0};

    for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
        for (uint32_t leaf = bases[i]; leaf < bases[i] + 15; leaf++)
            TRY("cpuid", leaf, draw(), 0, 0);
    }
}

/* What control registers must not hold, though QEMU's take it, less the upper
 * half: so that the guest stays in long mode. */
#define CR0_PE_PG 0x80000001

static void scribble_on_control(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
        uint64_t value = patterns[i] | UINT64_C(1) << 63;

        TRY("mov %%rax, %%cr0", value | CR0_PE_PG, 0, 0, 0);
        TRY("mov %%rax, %%cr4", value, 0, 0, 0);
        TRY("mov %%rax, %%cr8", value, 0, 0, 0);
        TRY("mov %%rax, %%dr7", value, 0, 0, 0);
        TRY("xsetbv", value, 0, ~value, 0);
    }
}

static void scribble_with_instructions(void)
{
    TRY("ud2", 0, 0, 0, 0);
    TRY("vmrun", draw(), 0, 0, 0);
    TRY("vmload", draw(), 0, 0, 0);
    TRY("vmsave", draw(), 0, 0, 0);
    TRY("stgi", 0, 0, 0, 0);
    TRY("clgi", 0, 0, 0, 0);
    TRY("skinit", 0, 0, 0, 0);
    TRY("invlpga", draw(), 0, 0, 0);
    TRY("vmmcall", draw(), draw(), draw(), draw());
    TRY("vmcall", draw(), draw(), draw(), draw());
    TRY("monitor", scratch, 0, 0, 0);
    TRY("mwait", 0, 1, 0, 0);
    TRY("rdpmc", 0, draw(), 0, 0);
    TRY("rdtscp", 0, 0, 0, 0);
    TRY("invd", 0, 0, 0, 0);
    TRY("wbinvd", 0, 0, 0, 0);
    TRY("rsm", 0, 0, 0, 0);
    TRY("int3", 0, 0, 0, 0);
    TRY(".byte 0xf1", 0, 0, 0, 0);                   /* ICEBP */
    TRY(".byte 0xf0, 0x89, 0x07", 0, 0, 0, scratch); /* LOCK MOV */
    for (unsigned i = 0; i < 64; i++)
        TRY(".byte 0x0f, 0xff, 0x00", 0, 0, 0, scratch); /* UD0 */
}

/* Devices' registers; of the local APIC's not ICR and the pins, by which it
 * could be reset. */
static void scribble_on_devices(void)
{
    static const struct {
        uint64_t base, size;
    } devices[] = {{0xfec00000, 0x80},
                   {LAPIC_BASE, 0x300},
                   {LAPIC_BASE + 0x380, 0x60},
                   {0x80000000, 0x4000}};

    for (unsigned d = 0; d < ARRAY_SIZE(devices); d++) {
        for (unsigned i = 0; i < 400; i++) {
            uint64_t at = devices[d].base + draw() % (devices[d].size - 8);
            uint64_t value = draw();

            TRY("movb (%%rdi), %%al\n movw (%%rdi), %%ax", 0, 0, 0, at);
            TRY("movl (%%rdi), %%eax", 0, 0, 0, at);
            TRY("movq (%%rdi), %%rax", 0, 0, 0, at);
            TRY("movb %%al, (%%rdi)", value, 0, 0, at);
            TRY("movw %%ax, (%%rdi)", value, 0, 0, at);
            TRY("movl %%eax, (%%rdi)", value, 0, 0, at);
            TRY("addl %%eax, (%%rdi)", value, 0, 0, at);
            TRY("lock xaddl %%eax, (%%rdi)", value, 0, 0, at);
            TRY("bts %%rax, (%%rdi)", value & 63, 0, 0, at);
            TRY("rep stosb", value, 8, 0, at);
        }
    }
}

static void scribble_on_addresses(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t at = draw();

        /* Anywhere, and in the 4 GiB that are mapped but are not memory. */
        if (i % 2 != 0)
            at = 0x10000000 + at % 0x60000000;
        TRY("movq (%%rdi), %%rax", 0, 0, 0, at);
        TRY("movl %%eax, (%%rdi)", 0, 0, 0, at);
        if (i % 16 == 0)
            TRY("call *%%rdi", 0, 0, 0, at | UINT64_C(1) << 62);
    }
}

/* The second NMI is due right behind the first one's IRET, and both before the
 * instruction behind the one that sent the first: RFLAGS.IF is clear, so that
 * nothing else ends the guest's turn. */
static void check_nmis(void)
{
    uint32_t seen;

    address_self();
    __asm__ volatile("pushf\n"
                     "cli\n"
                     "movl %[command], (%[icr])\n"
                     "movl %[nmis], %[seen]\n"
                     "popf\n"
                     : [seen] "=r"(seen), [nmis] "+m"(nmis)
                     : [command] "r"(ICR_NMI), [icr] "r"(LAPIC_BASE + LAPIC_ICR)
                     : "memory", "cc");
    guest_put(seen == 2 && nmis == 2 ? "guest: NMIs: ok\n"
                                     : "guest: NMIs: FAILED\n");
}

void guest_main(void)
{
    check_nmis();
    scribble_on_cpuid();
    scribble_on_msrs();
    scribble_on_control();
    scribble_with_instructions();
    scribble_on_addresses();
    scribble_on_ports();
    scribble_on_devices();
    guest_put("guest: exceptions ");
    guest_put_dec(traps);
    guest_put("\nguest: all checks: ok\n");
}
