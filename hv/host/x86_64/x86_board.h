/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine, as boot loader and firmware describe it. What they left in
 * memory is looked at through x86_board_look() only, and is believed only as
 * far as it makes sense: what does not ends the boot with a message, or is left
 * out.
 */
#ifndef HOST_X86_64_X86_BOARD_H
#define HOST_X86_64_X86_BOARD_H

#include "host/board.h"

struct x86_irq {
    uint32_t gsi;
    bool is_low, is_level;
};

struct x86_ioapic {
    uint64_t address; /* 0: there is none */
    uint32_t first_gsi;
};

struct x86_power {
    uint16_t pm1a_control, pm1b_control; /* ports, or 0 */
    uint16_t smi_command;                /* port, or 0 */
    uint8_t acpi_enable;
    bool has_s5;
    uint8_t s5_type_a, s5_type_b;
    uint16_t reset_port; /* or 0 */
    uint8_t reset_value;
};

#define X86_MAX_IOAPICS 8

struct x86_board {
    struct board board;
    struct board_console com1;
    uint64_t rsdp; /* of the boot loader, or 0 */
    uint64_t lapic;
    uint32_t ioapic_count;
    struct x86_ioapic ioapics[X86_MAX_IOAPICS];
    struct x86_irq com1_irq;
    struct x86_power power;
    uint32_t cpu_count;
    uint32_t apic_ids[MAX_CPU_NUM];
};

/* boot.c: `size` bytes of memory at `address`; NULL if they cannot be read. */
const void *x86_board_look(uint64_t address, uint64_t size);

/* bootinfo.c: memory, bundle, boot arguments, RSDP; `protocol` is one of
 * entry.h's. */
void bootinfo_read(struct x86_board *x86, uint32_t protocol, uint64_t info);

/* acpi.c: the rest, but for memory. */
void acpi_read(struct x86_board *x86);

#endif
