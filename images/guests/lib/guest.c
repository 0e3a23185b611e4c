/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library of the tiny guests. It prints by the legacy console call, which
 * every firmware and hypervisor has, so that a guest's own tests of the other
 * calls can still be reported.
 */
#include "guest.h"

#define SRST_SHUTDOWN    0
#define SRST_COLD_REBOOT 1

#define CAUSE_ECALL_VS 10

uint64_t guest_first_instret;

void guest_hart_entry(void);

void guest_put(const char *text)
{
    for (; *text != '\0'; text++)
        (void)sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)*text, 0, 0, 0, 0);
}

void guest_put_dec(uint64_t value)
{
    char digits[21];
    char *at = digits + sizeof(digits) - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    guest_put(at);
}

void guest_put_hex(uint64_t value)
{
    char digits[19] = "0x";

    for (unsigned i = 0; i < 16; i++)
        digits[2 + i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 15];
    guest_put(digits);
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

int64_t guest_start_hart(uint64_t hart, void (*function)(void), void *stack_top)
{
    ((void (**)(void))stack_top)[-1] = function;
    return sbi_call(SBI_HSM, 0, hart, (uint64_t)guest_hart_entry,
                    (uint64_t)stack_top, 0, 0)
        .error;
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
