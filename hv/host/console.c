/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's console: the NS16550A that the machine says is one (data sheet:
 * National Semiconductor PC16550D), or the firmware's console without one.
 *
 * Output is polled: it must work from the panic path. Input is taken by
 * interrupt into a buffer; while the buffer is full, the device's interrupt is
 * off and its FIFO holds the rest. The firmware's console has no interrupt:
 * its input is looked for when somebody reads. Speed and format stay as the
 * firmware has set them.
 */
#include "api/console.h"

#include "host/board.h"
#include "host/host.h"
#include "host/machine.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"

enum uart_register {
    UART_RBR = 0, /* read: received byte */
    UART_THR = 0, /* write: byte to send */
    UART_IER = 1,
    UART_FCR = 2, /* write */
    UART_MCR = 4,
    UART_LSR = 5,
};

#define IER_RECEIVED     BIT(0)
#define FCR_ENABLE       BIT(0)
#define FCR_CLEAR_FIFOS  (BIT(1) | BIT(2))
#define MCR_DTR_RTS_OUT2 (BIT(0) | BIT(1) | BIT(3))
#define LSR_DATA_READY   BIT(0)
#define LSR_THR_EMPTY    BIT(5)

/* With FIFOs on, THR_EMPTY says that there is room for this many bytes. */
#define UART_FIFO_SIZE 16

#define INPUT_SIZE 1024 /* a power of two */

static struct {
    const struct board_console *uart; /* NULL: the firmware's console */
    struct spinlock lock;
    bool lock_is_broken;
    uint32_t head, tail; /* of the input, counted without end */
    uint8_t input[INPUT_SIZE];
} console;

static uint64_t uart_address(enum uart_register reg)
{
    return console.uart->address + ((uint64_t)reg << console.uart->reg_shift);
}

static uint8_t uart_read(enum uart_register reg)
{
    return (uint8_t)machine_read_device(uart_address(reg),
                                        console.uart->reg_width);
}

static void uart_write(enum uart_register reg, uint8_t value)
{
    machine_write_device(uart_address(reg), console.uart->reg_width, value);
}

static void console_lock(void)
{
    if (!console.lock_is_broken)
        spin_lock(&console.lock);
}

static void console_unlock(void)
{
    if (!console.lock_is_broken)
        spin_unlock(&console.lock);
}

void console_break_lock(void)
{
    console.lock_is_broken = true;
}

void console_init(const struct board *board)
{
    console.uart = board->console;
    if (console.uart == NULL)
        return;
    uart_write(UART_IER, 0);
    uart_write(UART_FCR, FCR_ENABLE | FCR_CLEAR_FIFOS);
    uart_write(UART_MCR, MCR_DTR_RTS_OUT2);
    uart_write(UART_IER, IER_RECEIVED);
}

static void uart_send(const uint8_t *bytes, size_t size)
{
    while (size != 0) {
        size_t room = size < UART_FIFO_SIZE ? size : UART_FIFO_SIZE;

        while ((uart_read(UART_LSR) & LSR_THR_EMPTY) == 0)
            cpu_pause();
        size -= room;
        while (room-- != 0)
            uart_write(UART_THR, *bytes++);
    }
}

/* With the lock held. */
static void console_send(const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;

    if (console.uart != NULL) {
        uart_send(byte, size);
        return;
    }
    while (size-- != 0)
        machine_put_byte(*byte++);
}

void console_write_impl(const void *bytes, size_t size)
{
    console_lock();
    console_send(bytes, size);
    console_unlock();
}

void console_report_impl(const void *bytes, size_t size)
{
    console_write_impl(bytes, size);
}

static bool input_is_full(void)
{
    return console.head - console.tail == INPUT_SIZE;
}

static void input_put(uint8_t byte)
{
    console.input[console.head++ % INPUT_SIZE] = byte;
}

/* Moves what has been received into the buffer. */
static void uart_receive(void)
{
    while ((uart_read(UART_LSR) & LSR_DATA_READY) != 0) {
        if (input_is_full()) {
            uart_write(UART_IER, 0);
            return;
        }
        input_put(uart_read(UART_RBR));
    }
}

static void firmware_receive(void)
{
    int byte;

    while (!input_is_full() && (byte = machine_get_byte()) >= 0)
        input_put((uint8_t)byte);
}

bool console_handle_irq(void)
{
    bool has_input;

    if (console.uart == NULL)
        return false;
    console_lock();
    uart_receive();
    has_input = console.head != console.tail;
    console_unlock();
    return has_input;
}

size_t console_read_impl(void *bytes, size_t size)
{
    uint8_t *to = bytes;
    size_t count = 0;
    bool was_full;

    console_lock();
    if (console.uart == NULL)
        firmware_receive();
    was_full = input_is_full();
    while (count < size && console.head != console.tail)
        to[count++] = console.input[console.tail++ % INPUT_SIZE];
    if (was_full && count != 0 && console.uart != NULL)
        uart_write(UART_IER, IER_RECEIVED);
    console_unlock();
    return count;
}

void host_print(const char *format, ...)
{
    char text[256];
    const char *line = text;
    va_list args;

    va_start(args, format);
    format_args(text, sizeof(text), format, args);
    va_end(args);

    console_lock();
    while (*line != '\0') {
        size_t length = strlen(line);
        const char *end = strchr(line, '\n');

        if (end != NULL)
            length = (size_t)(end - line);
        console_send(line, length);
        line += length;
        if (end != NULL) {
            console_send("\r\n", 2);
            line++;
        }
    }
    console_unlock();
}
