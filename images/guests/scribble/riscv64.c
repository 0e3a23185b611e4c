/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile guest: accesses every kind of address with every width, every CSR,
 * every SBI extension with absurd arguments, every instruction that a
 * hypervisor might trap, and programs its devices with garbage. All of it must
 * come back, as a value, an error or an exception of its own. It reports how
 * many exceptions it got, and powers off.
 *
 * What would merely end the guest itself is left out: SRST and HSM stop with
 * valid arguments, and writes to its own stvec and satp.
 */
#include "machine.h"

#define PAGE      4096
#define CAUSE_IRQ (UINT64_C(1) << 63)

#define CSR_COUNT 4096
#define CSR_STVEC 0x105
#define CSR_SATP  0x180
#define CSR_SIE   0x104

#define INSN_RET          0x00008067u
#define INSN_CSRR_A0(csr) ((uint32_t)(csr) << 20 | 2u << 12 | 10u << 7 | 0x73u)
#define INSN_CSRW_A0(csr) ((uint32_t)(csr) << 20 | 10u << 15 | 1u << 12 | 0x73u)

static const uint64_t patterns[] = {
    0, 1, 0x80200000, 0x10000000, UINT64_C(1) << 63, ~UINT64_C(0),
};

static volatile uint64_t traps;
static volatile uint64_t interrupts;
static uint32_t code[2] __attribute__((aligned(8)));

/* Within a page of what this guest itself consists of. */
static bool is_own_memory(uint64_t at)
{
    extern uint8_t guest_start[], guest_end[];

    return at + PAGE > (uint64_t)guest_start && at < (uint64_t)guest_end;
}

void guest_trap(struct guest_frame *frame)
{
    uint64_t cause = csr_read(scause);

    if (cause & CAUSE_IRQ) {
        interrupts++;
        csr_write(sie, 0);
        return;
    }
    traps++;
    if (is_own_memory(frame->x[0]))
        frame->x[0] += guest_insn_length(frame->x[0]);
    else
        frame->x[0] = frame->x[1]; /* back to who jumped there */
}

static void say(const char *what)
{
    guest_put("guest: scribbling on ");
    guest_put(what);
    guest_put("\n");
}

/* Executes one instruction with a0 and a1. */
static void execute(uint32_t insn, uint64_t a0, uint64_t a1)
{
    code[0] = insn;
    code[1] = INSN_RET;
    __asm__ volatile("fence.i" ::: "memory");
    ((void (*)(uint64_t, uint64_t))code)(a0, a1);
}

/* A load and a store of each width, and a jump, through volatile pointers that
 * no compiler reasons about. */
static void touch(uint64_t at, uint64_t value)
{
    __asm__ volatile("lb t0, 0(%0)\n lh t0, 0(%0)\n lw t0, 0(%0)\n"
                     "ld t0, 0(%0)\n lbu t0, 0(%0)\n lhu t0, 0(%0)\n"
                     "lwu t0, 0(%0)\n"
                     "sb %1, 0(%0)\n sh %1, 0(%0)\n sw %1, 0(%0)\n"
                     "sd %1, 0(%0)\n"
                     :
                     : "r"(at), "r"(value)
                     : "t0", "memory");
}

static void touch_atomically(uint64_t at)
{
    __asm__ volatile("lr.w t0, (%0)\n sc.w t0, zero, (%0)\n"
                     "lr.d t0, (%0)\n sc.d t0, zero, (%0)\n"
                     "amoadd.w t0, zero, (%0)\n amoswap.d t0, zero, (%0)\n"
                     :
                     : "r"(at)
                     : "t0", "memory");
}

static void jump_to(uint64_t at)
{
    ((void (*)(void))at)();
}

static void scribble_on_addresses(void)
{
    say("addresses");
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int offset = -8; offset <= 9; offset++) {
            uint64_t at = (UINT64_C(1) << bit) + (uint64_t)(int64_t)offset;

            if (is_own_memory(at))
                continue;
            touch(at, ~UINT64_C(0));
            touch_atomically(at);
        }
        if (!is_own_memory(UINT64_C(1) << bit) && bit != 31)
            jump_to(UINT64_C(1) << bit);
    }
    for (uint64_t at = 0; at < 0x80000000; at += 0x400000)
        touch(at, 0x5a5a5a5a5a5a5a5a);
    jump_to(0x10000000);
    jump_to(0x0c000000);
}

static void scribble_on_devices(void)
{
    say("devices");
    for (uint64_t at = 0x0c000000; at < 0x0c210000; at += 0x404)
        touch(at, ~UINT64_C(0));
    for (uint64_t at = 0x10000000; at < 0x10000010; at++) {
        touch(at, 0);
        touch(at, ~UINT64_C(0));
    }
    for (uint64_t device = 0x10001000; device < 0x10009000; device += 0x1000) {
        for (uint64_t at = device; at < device + 0x200; at += 4) {
            touch(at, 0);
            touch(at, 0x80200000);
            touch(at, ~UINT64_C(0));
        }
    }
}

/* A virtio device whose queue lies anywhere, and is as long as can be. */
static void scribble_on_queues(void)
{
    static const uint16_t status[] = {0x70, 0x44, 0x38, 0x50};
    static const uint32_t steps[] = {0, 1, 3, 11, 15};

    say("virtqueues");
    for (uint64_t device = 0x10001000; device < 0x10005000; device += 0x1000) {
        for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
            volatile uint32_t *reg = (volatile uint32_t *)device;

            reg[status[0] / 4] = 0;
            for (unsigned step = 1; step < ARRAY_SIZE(steps); step++)
                reg[status[0] / 4] = steps[step];
            reg[0x30 / 4] = 0;                /* QueueSel */
            reg[status[2] / 4] = 0x8000 >> i; /* QueueNum */
            for (unsigned at = 0x80; at <= 0xa4; at += 4)
                reg[at / 4] = (uint32_t)(patterns[i] >> (at & 4) * 8);
            reg[status[1] / 4] = 1; /* QueueReady */
            reg[status[3] / 4] = 0; /* QueueNotify */
            reg[status[3] / 4] = ~0u;
        }
    }
}

static void scribble_on_csrs(void)
{
    say("CSRs");
    for (uint32_t csr = 0; csr < CSR_COUNT; csr++) {
        execute(INSN_CSRR_A0(csr), 0, 0);
        if (csr == CSR_STVEC || csr == CSR_SATP)
            continue;
        execute(INSN_CSRW_A0(csr), 0, 0);
        execute(INSN_CSRW_A0(csr), ~UINT64_C(0), 0);
    }
}

/* Instructions on a0 and a1 that are privileged, or of an extension that the
 * VM may not have. */
static void scribble_with_instructions(void)
{
    static const uint32_t insns[] = {
        0x00000000, /* illegal by definition */
        0xffffffff, /* likewise */
        0x00100073, /* ebreak */
        0x30200073, /* mret */
        0x7b200073, /* dret */
        0x62a00073, /* hfence.gvma zero, a0 */
        0x62b50073, /* hfence.gvma a0, a1 */
        0x22b50073, /* hfence.vvma a0, a1 */
        0x12b50073, /* sfence.vma a0, a1 */
        0x16b50073, /* sinval.vma a0, a1 */
        0x18000073, /* sfence.w.inval */
        0x18100073, /* sfence.inval.ir */
        0x26b50073, /* hinval.vvma a0, a1 */
        0x66b50073, /* hinval.gvma a0, a1 */
        0x60054573, /* hlv.b a0, (a0) */
        0x64354573, /* hlvx.hu a0, (a0) */
        0x6c054573, /* hlv.d a0, (a0) */
        0x6eb54073, /* hsv.d a1, (a0) */
        0x0005200f, /* cbo.inval (a0) */
        0x0015200f, /* cbo.clean (a0) */
        0x0045200f, /* cbo.zero (a0) */
        0x00d00073, /* wrs.nto */
        0x00053507, /* fld fa0, 0(a0) */
        0x00a53027, /* fsd fa0, 0(a0) */
        0x00052507, /* flw fa0, 0(a0) */
        0x0d007057, /* vsetvli zero, zero, e8 */
        0x02050007, /* vle8.v v0, (a0) */
        0x02050027, /* vse8.v v0, (a0) */
        0x0000000b, /* custom-0 */
        0x0000002b, /* custom-1 */
        0x0000005b, /* custom-2 */
        0x0000007b, /* custom-3 */
        0x0000100f, /* fence.i */
        0x0100000f, /* pause */
    };

    say("instructions");
    for (unsigned i = 0; i < ARRAY_SIZE(insns); i++) {
        for (unsigned p = 0; p < ARRAY_SIZE(patterns); p++) {
            if (!is_own_memory(patterns[p]))
                execute(insns[i], patterns[p], patterns[p]);
        }
    }
}

/* SRST and HSM take 32 bits of the argument. */
static bool ends_the_guest(uint64_t extension, uint64_t function, uint32_t arg)
{
    return extension == 8 /* legacy shutdown */ ||
           (extension == SBI_SRST && function == 0 && arg <= 2) ||
           (extension == SBI_HSM && function == 1 /* stop */) ||
           (extension == SBI_HSM && function == 3 /* suspend */ && arg <= 1);
}

static void scribble_on_firmware(void)
{
    static const uint64_t extensions[] = {
        SBI_TIME,
        SBI_IPI,
        SBI_RFENCE,
        SBI_HSM,
        SBI_SRST,
        SBI_DBCN,
        SBI_PMU,
        0x485643 /* hypercalls */,
        0x53555350 /* system suspend */,
        0x43505043 /* CPPC */,
        0x4E41434C /* nested acceleration */,
        0x535441 /* steal time */,
        0x08000000,
        0x09000000,
        0x0A000000,
        ~UINT64_C(0),
        UINT64_C(1) << 63,
    };

    say("firmware");
    for (unsigned e = 0; e < 0x20 + ARRAY_SIZE(extensions); e++) {
        uint64_t extension = e < 0x20 ? e : extensions[e - 0x20];

        if (extension == SBI_LEGACY_PUTCHAR)
            continue; /* so that the console stays readable */
        for (uint64_t function = 0; function < 18; function++) {
            for (unsigned p = 0; p < ARRAY_SIZE(patterns); p++) {
                if (ends_the_guest(extension, function, (uint32_t)patterns[p]))
                    continue;
                (void)sbi_call(extension, function, patterns[p], patterns[p],
                               patterns[p], patterns[p], patterns[p]);
                (void)sbi_call(extension, function, ~UINT64_C(0), patterns[p],
                               0, 0, 0);
            }
        }
    }
}

void guest_main(void)
{
    scribble_on_csrs();
    scribble_with_instructions();
    scribble_on_firmware();
    scribble_on_addresses();
    scribble_on_devices();
    scribble_on_queues();
    guest_put("guest: exceptions ");
    guest_put_dec(traps);
    guest_put("\nguest: all checks: ok\n");
}
