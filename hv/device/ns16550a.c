/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NS16550A UART: National Semiconductor PC16550D data sheet (June 1995),
 * section 8, "Registers". Register and bit names are the data sheet's.
 *
 *   register  read                        write
 *   --------  --------------------------  --------------------------
 *   0         RBR received byte           THR byte to transmit
 *   1         IER interrupt enable        IER
 *   2         IIR interrupt identity      FCR FIFO control
 *   3         LCR line control            LCR
 *   4         MCR modem control           MCR
 *   5         LSR line status             -
 *   6         MSR modem status            -
 *   7         SCR scratch                 SCR
 *   0, 1      DLL, DLM divisor latch, while LCR's DLAB is set
 *
 * Register n is at n << reg-shift, and accessed with up to reg-io-width bytes,
 * of which the lowest counts. With the property `ports`, `reg` is of ports: a
 * PC's COM1 is at 0x3f8, and drives interrupt 4.
 *
 * The line has no speed. A byte is transmitted the moment it is written, so
 * that THR and transmitter are always empty, and the transmitter FIFO is never
 * seen to hold anything. Bytes are received the moment the FIFO has room for
 * them: the chardev keeps them until then, and only the loop can overrun. The
 * divisor, word length and parity are kept, and change nothing on the outside;
 * a byte that goes through the loop has the word length that is set.
 *
 * Character timeout: the four character times without a byte count as over as
 * soon as there is none to come, so the timeout is pending whenever the FIFO
 * holds less than the trigger level, but something.
 *
 * The modem inputs show a peer that is always ready: CTS, DSR and DCD. There
 * are no DMA pins, so that FCR's mode bit does nothing. LSR and MSR cannot be
 * written, which the data sheet has for factory tests. In the loop, break is
 * received as a break character, as diagnostic programs expect, although the
 * data sheet has it act behind the loop.
 */
#include <libfdt.h>

#include "device/device.h"
#include "device/pc/acpi.h"
#include "lib/bits.h"
#include "memory/arena.h"

#define COM1_PORT 0x3f8
#define COM1_IRQ  4

enum { RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR, REGISTERS };

/* Interrupt Enable Register. */
#define IER_ERBFI 0x01 /* received data, character timeout */
#define IER_ETBEI 0x02 /* transmitter holding register empty */
#define IER_ELSI  0x04 /* receiver line status */
#define IER_EDSSI 0x08 /* modem status */
#define IER_ALL   0x0f

/* Interrupt Identification Register: by priority. */
#define IIR_LINE_STATUS  0x06
#define IIR_DATA         0x04
#define IIR_TIMEOUT      0x0c
#define IIR_THRE         0x02
#define IIR_MODEM_STATUS 0x00
#define IIR_NONE         0x01
#define IIR_FIFO_ENABLED 0xc0

/* FIFO Control Register. */
#define FCR_ENABLE   0x01
#define FCR_RX_RESET 0x02
#define FCR_TRIGGER  0xc0

/* Line Control Register. */
#define LCR_WLS   0x03 /* word length less 5 */
#define LCR_BREAK 0x40
#define LCR_DLAB  0x80

/* Modem Control Register. */
#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_ALL  0x1f

/* Line Status Register. */
#define LSR_DR         0x01
#define LSR_OE         0x02
#define LSR_PE         0x04
#define LSR_FE         0x08
#define LSR_BI         0x10
#define LSR_THRE       0x20
#define LSR_TEMT       0x40
#define LSR_FIFO_ERROR 0x80
#define LSR_OF_BYTE    (LSR_PE | LSR_FE | LSR_BI)
#define LSR_QUIET      (LSR_THRE | LSR_TEMT) /* what is sent, is sent at once */

/* Modem Status Register: the lines, and below, what has changed. */
#define MSR_TERI        0x04
#define MSR_CTS         0x10
#define MSR_DSR         0x20
#define MSR_RI          0x40
#define MSR_DCD         0x80
#define MSR_LINES       0xf0
#define MSR_DELTAS      0x0f
#define MSR_DELTA_SHIFT 4
#define MSR_PEER_READY  (MSR_CTS | MSR_DSR | MSR_DCD)

#define FIFO_SIZE        16
#define NO_FIFO_SIZE     1
#define RESET_DIVISOR    12 /* 9,600 baud of a PC's clock; undefined there */
#define DEFAULT_CLOCK    3686400 /* Hz; QEMU's virt */
#define MAX_REG_SHIFT    4
#define MAX_REG_IO_WIDTH 4

struct received {
    uint8_t byte;
    uint8_t errors; /* LSR_OF_BYTE; moved to LSR when it is next to be read */
};

struct uart {
    struct device device;
    struct chardev *chardev;
    uint32_t reg_shift;
    uint32_t reg_io_width;
    uint32_t clock;

    uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
    uint8_t lsr_errors; /* LSR_OE and LSR_OF_BYTE, until LSR is read */
    bool thre_pending;  /* the THRE interrupt, whether enabled or not */
    bool irq_high;

    unsigned head, count;
    struct received fifo[FIFO_SIZE]; /* without FIFOs, one of them is RBR */
};

static struct uart *to_uart(struct device *device)
{
    return container_of(device, struct uart, device);
}

static bool has_fifos(const struct uart *uart)
{
    return (uart->fcr & FCR_ENABLE) != 0;
}

static unsigned uart_room(const struct uart *uart)
{
    unsigned size = has_fifos(uart) ? FIFO_SIZE : NO_FIFO_SIZE;

    return size - uart->count;
}

/* FCR bits 6 and 7. */
static unsigned trigger_level(const struct uart *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return levels[FIELD_GET(FCR_TRIGGER, uart->fcr)];
}

/* The interrupt of the highest priority. */
static uint8_t uart_identify(const struct uart *uart)
{
    uint8_t ier = uart->ier;

    if ((ier & IER_ELSI) && uart->lsr_errors != 0)
        return IIR_LINE_STATUS;
    if ((ier & IER_ERBFI) && uart->count != 0)
        return has_fifos(uart) && uart->count < trigger_level(uart)
                   ? IIR_TIMEOUT
                   : IIR_DATA;
    if ((ier & IER_ETBEI) && uart->thre_pending)
        return IIR_THRE;
    if ((ier & IER_EDSSI) && (uart->msr & MSR_DELTAS) != 0)
        return IIR_MODEM_STATUS;
    return IIR_NONE;
}

static void uart_update_irq(struct uart *uart)
{
    bool high = uart_identify(uart) != IIR_NONE;

    if (high == uart->irq_high)
        return;
    uart->irq_high = high;
    device_set_irq(&uart->device, high);
}

/* A byte's errors show in LSR once it is the next to be read. */
static void reveal_errors(struct uart *uart)
{
    struct received *next = &uart->fifo[uart->head];

    if (uart->count == 0)
        return;
    uart->lsr_errors |= next->errors;
    next->errors = 0;
}

/*
 * The receiver has a byte. Without room, it replaces RBR, or with FIFOs it is
 * lost in the shift register: LSR_OE in both cases.
 */
static void uart_receive(struct uart *uart, uint8_t byte, uint8_t errors)
{
    if (uart_room(uart) == 0) {
        uart->lsr_errors |= LSR_OE;
        if (has_fifos(uart))
            return;
        uart->count = 0;
    }
    uart->fifo[(uart->head + uart->count) % FIFO_SIZE] =
        (struct received){byte, errors};
    uart->count++;
    reveal_errors(uart);
}

/* Takes what the outside has for it and fits. */
static void uart_pull(struct uart *uart)
{
    uint8_t bytes[FIFO_SIZE];
    unsigned room = uart_room(uart);
    size_t taken;

    if (uart->chardev == NULL || (uart->mcr & MCR_LOOP) || room == 0)
        return;
    taken = uart->chardev->read(uart->chardev, bytes, room);
    for (size_t i = 0; i < taken && i < room; i++)
        uart_receive(uart, bytes[i], 0);
}

static void clear_receiver(struct uart *uart)
{
    uart->head = 0;
    uart->count = 0;
    uart->lsr_errors &= LSR_OE;
}

static bool break_is_looped(const struct uart *uart)
{
    return (uart->mcr & MCR_LOOP) && (uart->lcr & LCR_BREAK);
}

/* The modem lines as MSR has them. The loop crosses outputs to inputs. */
static uint8_t modem_lines(const struct uart *uart)
{
    static const struct {
        uint8_t output, input;
    } wires[] = {{MCR_DTR, MSR_DSR},
                 {MCR_RTS, MSR_CTS},
                 {MCR_OUT1, MSR_RI},
                 {MCR_OUT2, MSR_DCD}};
    uint8_t lines = 0;

    if (!(uart->mcr & MCR_LOOP))
        return MSR_PEER_READY;
    for (size_t i = 0; i < ARRAY_SIZE(wires); i++) {
        if (uart->mcr & wires[i].output)
            lines |= wires[i].input;
    }
    return lines;
}

/* Of RI only the end counts as a change: the trailing edge, TERI. */
static void update_modem_lines(struct uart *uart)
{
    uint8_t lines = modem_lines(uart);
    uint8_t changed = (uart->msr ^ lines) & MSR_LINES;

    if (lines & MSR_RI)
        changed &= (uint8_t)~MSR_RI;
    uart->msr = (uint8_t)(lines | (uart->msr & MSR_DELTAS) |
                          changed >> MSR_DELTA_SHIFT);
}

/* Reads of registers: those with an effect update the interrupt line. */

static uint8_t read_rbr(struct uart *uart)
{
    uint8_t byte;

    if (uart->lcr & LCR_DLAB)
        return uart->dll;
    if (uart->count == 0)
        return 0;
    byte = uart->fifo[uart->head].byte;
    uart->head = (uart->head + 1) % FIFO_SIZE;
    uart->count--;
    uart_pull(uart);
    reveal_errors(uart);
    uart_update_irq(uart);
    return byte;
}

static uint8_t read_ier(struct uart *uart)
{
    return (uart->lcr & LCR_DLAB) ? uart->dlm : uart->ier;
}

/* It ends the THRE interrupt, but only if that is what it shows. */
static uint8_t read_iir(struct uart *uart)
{
    uint8_t id = uart_identify(uart);

    if (id == IIR_THRE) {
        uart->thre_pending = false;
        uart_update_irq(uart);
    }
    return has_fifos(uart) ? id | IIR_FIFO_ENABLED : id;
}

static uint8_t read_lcr(struct uart *uart)
{
    return uart->lcr;
}

static uint8_t read_mcr(struct uart *uart)
{
    return uart->mcr;
}

static bool fifo_has_error(const struct uart *uart)
{
    uint8_t errors = uart->lsr_errors & LSR_OF_BYTE;

    for (unsigned i = 0; i < uart->count; i++)
        errors |= uart->fifo[(uart->head + i) % FIFO_SIZE].errors;
    return errors != 0;
}

/* The errors are gone with it; those of later bytes stay in LSR7. */
static uint8_t read_lsr(struct uart *uart)
{
    uint8_t lsr = uart->lsr_errors | LSR_QUIET;

    if (uart->count != 0)
        lsr |= LSR_DR;
    if (has_fifos(uart) && fifo_has_error(uart))
        lsr |= LSR_FIFO_ERROR;
    if (uart->lsr_errors != 0) {
        uart->lsr_errors = 0;
        uart_update_irq(uart);
    }
    return lsr;
}

static uint8_t read_msr(struct uart *uart)
{
    uint8_t msr = uart->msr;

    uart->msr &= MSR_LINES;
    uart_update_irq(uart);
    return msr;
}

static uint8_t read_scr(struct uart *uart)
{
    return uart->scr;
}

/* Writes of registers: their caller updates the interrupt line. */

/* The byte has left by the time the write is over: THR is empty again. */
static void write_thr(struct uart *uart, uint8_t value)
{
    uint8_t word = value & (uint8_t)(0xff >> (3 - (uart->lcr & LCR_WLS)));

    if (uart->lcr & LCR_DLAB) {
        uart->dll = value;
        return;
    }
    if (uart->mcr & MCR_LOOP)
        uart_receive(uart, word, 0);
    else if (uart->chardev != NULL)
        uart->chardev->write(uart->chardev, &value, 1);
    uart->thre_pending = true;
}

/*
 * Enabling the THRE interrupt raises it, even if IIR has shown it before: the
 * data sheet does not say so, but the part does it and drivers count on it.
 */
static void write_ier(struct uart *uart, uint8_t value)
{
    uint8_t changed = uart->ier ^ value;

    if (uart->lcr & LCR_DLAB) {
        uart->dlm = value;
        return;
    }
    uart->ier = value & IER_ALL;
    if (changed & IER_ETBEI)
        uart->thre_pending = (value & IER_ETBEI) != 0;
}

/*
 * The bits but FCR_ENABLE are programmed only together with it. Changing it
 * empties the FIFOs, and the next THRE interrupt comes at once.
 */
static void write_fcr(struct uart *uart, uint8_t value)
{
    bool changed = ((uart->fcr ^ value) & FCR_ENABLE) != 0;

    uart->fcr = (value & FCR_ENABLE) ? value & (FCR_ENABLE | FCR_TRIGGER) : 0;
    if (changed)
        uart->thre_pending = true;
    if (changed || ((value & FCR_ENABLE) && (value & FCR_RX_RESET)))
        clear_receiver(uart);
    uart_pull(uart);
}

/* What follows when break or the loop have been switched. */
static void after_switch(struct uart *uart, bool was_looped)
{
    if (break_is_looped(uart) && !was_looped)
        uart_receive(uart, 0, LSR_BI | LSR_FE);
}

static void write_lcr(struct uart *uart, uint8_t value)
{
    bool was_looped = break_is_looped(uart);

    uart->lcr = value;
    after_switch(uart, was_looped);
}

static void write_mcr(struct uart *uart, uint8_t value)
{
    bool was_looped = break_is_looped(uart);

    uart->mcr = value & MCR_ALL;
    update_modem_lines(uart);
    after_switch(uart, was_looped);
    uart_pull(uart);
}

static void write_scr(struct uart *uart, uint8_t value)
{
    uart->scr = value;
}

static const struct {
    uint8_t (*read)(struct uart *uart);
    void (*write)(struct uart *uart, uint8_t value); /* NULL: read-only */
} registers[REGISTERS] = {
    [RBR_THR_DLL] = {read_rbr, write_thr},
    [IER_DLM] = {read_ier, write_ier},
    [IIR_FCR] = {read_iir, write_fcr},
    [LCR] = {read_lcr, write_lcr},
    [MCR] = {read_mcr, write_mcr},
    [LSR] = {read_lsr, NULL},
    [MSR] = {read_msr, NULL},
    [SCR] = {read_scr, write_scr},
};

/* The register at `offset`, or REGISTERS. */
static uint64_t locate(const struct uart *uart, uint64_t offset)
{
    uint64_t number = offset >> uart->reg_shift;

    return number < REGISTERS && number << uart->reg_shift == offset
               ? number
               : REGISTERS;
}

static NOINLINE err_t read_register(struct uart *uart, uint64_t offset,
                                    uint64_t *value)
{
    uint64_t number = locate(uart, offset);

    *value = number != REGISTERS ? registers[number].read(uart) : 0;
    return OK;
}

/* What a driver polls comes first: the line status, of a quiet line. */
static err_t uart_read(struct device *device, unsigned range, uint64_t offset,
                       unsigned width, uint64_t *value)
{
    struct uart *uart = to_uart(device);

    if (unlikely(offset != (uint64_t)LSR << uart->reg_shift) ||
        unlikely(uart->count != 0) || unlikely(uart->lsr_errors != 0))
        return read_register(uart, offset, value);
    *value = LSR_QUIET;
    return OK;
}

static err_t uart_write(struct device *device, unsigned range, uint64_t offset,
                        unsigned width, uint64_t value)
{
    struct uart *uart = to_uart(device);
    uint64_t number = locate(uart, offset);

    if (number == REGISTERS || registers[number].write == NULL)
        return OK;
    registers[number].write(uart, (uint8_t)value);
    uart_update_irq(uart);
    return OK;
}

/* The data sheet's table "UART Reset Configuration"; what it leaves open is 0,
 * but for the divisor: drivers that find out the speed divide by it. */
static void uart_reset(struct device *device)
{
    struct uart *uart = to_uart(device);

    clear_receiver(uart);
    uart->lsr_errors = 0;
    uart->ier = 0;
    uart->fcr = 0;
    uart->lcr = 0;
    uart->mcr = 0;
    uart->msr = MSR_PEER_READY;
    uart->scr = 0;
    uart->dll = RESET_DIVISOR;
    uart->dlm = 0;
    uart->thre_pending = false;
    uart->irq_high = false;
    device_set_irq(device, false);
}

static void uart_chardev_ready(struct device *device)
{
    struct uart *uart = to_uart(device);

    uart_pull(uart);
    uart_update_irq(uart);
}

static const struct device_ops uart_ops = {
    .read = uart_read,
    .write = uart_write,
    .reset = uart_reset,
    .chardev_ready = uart_chardev_ready,
};

/* Its own configuration: the properties of the device-tree binding ns16550. */
static err_t parse(struct uart *uart, const struct device_context *context,
                   const char **what)
{
    uint64_t base, size;
    err_t error = device_parse_reg(context, &base, &size, what);

    uart->reg_io_width = 1;
    uart->clock = DEFAULT_CLOCK;
    if (error == OK)
        error = device_parse_cell(context, "reg-shift", 0, MAX_REG_SHIFT,
                                  &uart->reg_shift, what);
    if (error == OK)
        error = device_parse_cell(context, "reg-io-width", 1, MAX_REG_IO_WIDTH,
                                  &uart->reg_io_width, what);
    if (error == OK)
        error = device_parse_cell(context, "clock-frequency", 1, UINT32_MAX,
                                  &uart->clock, what);
    if (error != OK)
        return error;
    if (!is_power_of_two(uart->reg_io_width)) {
        *what = "reg-io-width";
        return ERR_INVALID_INPUT;
    }
    if (size < (uint64_t)REGISTERS << uart->reg_shift) {
        *what = "reg";
        return ERR_INVALID_INPUT;
    }
    return OK;
}

static err_t uart_create(const struct device_context *context,
                         struct device **device, const char **what)
{
    struct uart *uart = arena_new(context->arena, struct uart);
    err_t error;

    if (uart == NULL)
        return ERR_NO_MEMORY;
    error = parse(uart, context, what);
    if (error != OK)
        return error;
    uart->device.ops = &uart_ops;
    uart->device.ranges[0].widths = (uint8_t)(uart->reg_io_width * 2 - 1);
    if (fdt_getprop(context->fdt, context->node, "ports", NULL) != NULL)
        uart->device.ranges[0].bus = BUS_PORT;
    uart->chardev = context->console;
    if (uart->chardev != NULL)
        uart->chardev->device = &uart->device;
    *device = &uart->device;
    return OK;
}

static int uart_describe(const struct device *device, void *fdt)
{
    const struct uart *uart = container_of(device, const struct uart, device);
    int error = fdt_property_u32(fdt, "clock-frequency", uart->clock);

    if (error == 0 && uart->reg_shift != 0)
        error = fdt_property_u32(fdt, "reg-shift", uart->reg_shift);
    if (error == 0 && uart->reg_io_width != 1)
        error = fdt_property_u32(fdt, "reg-io-width", uart->reg_io_width);
    return error;
}

static void uart_describe_acpi(const struct device *device,
                               struct acpi_machine *machine)
{
    const struct device_range *range = &device->ranges[0];

    if (range->bus == BUS_PORT && range->base == COM1_PORT &&
        device->irq == COM1_IRQ)
        machine->devices |= ACPI_COM1;
}

static const struct device_model uart_model = {
    .compatible = "ns16550a",
    .create = uart_create,
    .describe = uart_describe,
    .describe_acpi = uart_describe_acpi,
};

DEVICE_MODEL(uart_model);
