/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library of the tiny guests on riscv64. It prints by the legacy console
 * call, which every firmware and hypervisor has, so that a guest's own tests of
 * the other calls can still be reported.
 */
#include "machine.h"

#define SRST_SHUTDOWN    0
#define SRST_COLD_REBOOT 1

#define CAUSE_ECALL_VS 10

uint64_t guest_first_instret;
uint64_t guest_hart;
const void *guest_device_tree;

void guest_hart_entry(void);

void guest_begin(uint64_t hart, const void *device_tree);

void guest_begin(uint64_t hart, const void *device_tree)
{
    guest_hart = hart;
    guest_device_tree = device_tree;
    guest_main();
    guest_power_off();
}

void guest_put(const char *text)
{
    for (; *text != '\0'; text++)
        (void)sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)*text, 0, 0, 0, 0);
}

static _Noreturn void reset(uint64_t type)
{
    (void)sbi_call(SBI_SRST, 0, type, 0, 0, 0, 0);
    guest_put("guest: the reset call came back\n");
    for (;;)
        __asm__ volatile("wfi");
}

void guest_power_off(void)
{
    reset(SRST_SHUTDOWN);
}

void guest_reboot(void)
{
    reset(SRST_COLD_REBOOT);
}

#define UART_BASE 0x10000000
#define UART_THR  0
#define UART_LSR  5
#define LSR_THRE  0x20

void guest_put_uart(const char *text)
{
    volatile uint8_t *uart = (volatile uint8_t *)UART_BASE;

    for (; *text != '\0'; text++) {
        while ((uart[UART_LSR] & LSR_THRE) == 0)
            ;
        uart[UART_THR] = (uint8_t)*text;
    }
}

#define MAX_HARTS  64
#define STACK_SIZE 1024

static uint8_t stacks[MAX_HARTS][STACK_SIZE] __attribute__((aligned(16)));
static void (*to_run)(void);
static _Atomic unsigned done;

static void run_there(void)
{
    to_run();
    done++;
}

unsigned guest_for_each_other_cpu(void (*function)(void))
{
    unsigned started = 0;

    to_run = function;
    done = 0;
    for (uint64_t other = 0; other < MAX_HARTS; other++) {
        uint8_t *stack_top = stacks[other] + STACK_SIZE;

        ((void (**)(void))stack_top)[-1] = run_there;
        if (other == guest_hart ||
            sbi_call(SBI_HSM, 0, other, (uint64_t)guest_hart_entry,
                     (uint64_t)stack_top, 0, 0)
                    .error != 0)
            continue;
        started++;
        while (done != started)
            ;
    }
    return started + 1;
}

#define FREQUENCY 10000000 /* of `time`, in Hz: QEMU's */
#define SIE_STIE  (UINT64_C(1) << 5)

/* WFI ends when the timer is due, with interrupts off as well. */
void guest_sleep(unsigned seconds)
{
    uint64_t deadline = csr_read(time) + (uint64_t)seconds * FREQUENCY;

    csr_write(sie, SIE_STIE);
    (void)sbi_call(SBI_TIME, 0, deadline, 0, 0, 0, 0);
    while (csr_read(time) < deadline)
        __asm__ volatile("wfi");
}

uint64_t guest_insn_length(uint64_t pc)
{
    return (*(const uint16_t *)pc & 3) == 3 ? 4 : 2;
}

__attribute__((weak)) void guest_trap(struct guest_frame *frame)
{
    guest_put("guest: trap: scause ");
    guest_put_hex(csr_read(scause));
    guest_put(" sepc ");
    guest_put_hex(frame->x[0]);
    guest_put(" stval ");
    guest_put_hex(csr_read(stval));
    guest_put("\nguest: FAILED\n");
    guest_power_off();
}
