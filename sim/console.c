/* SPDX-License-Identifier: Apache-2.0 */
/* The fake machine's console: see console.h. */
#include <stdio.h>
#include <string.h>

#include "sim/console.h"

static struct {
    bool echo;
    bool interrupt;
    size_t written;
    uint64_t dropped;
    size_t head, tail; /* of the input; bytes [head, tail) wait */
    char output[CONSOLE_OUTPUT_SIZE + 1];
    uint8_t input[CONSOLE_INPUT_SIZE];
} console;

void console_reset(void)
{
    console.echo = false;
    console.interrupt = false;
    console.head = console.tail = 0;
    console_clear_output();
}

void console_set_echo(bool echo)
{
    console.echo = echo;
}

void console_clear_output(void)
{
    console.written = 0;
    console.dropped = 0;
    console.output[0] = '\0';
}

const char *console_output(size_t *size)
{
    if (size != NULL)
        *size = console.written;
    return console.output;
}

uint64_t console_dropped(void)
{
    return console.dropped;
}

size_t console_inject(const void *bytes, size_t size)
{
    size_t room;

    if (console.head == console.tail)
        console.head = console.tail = 0;
    room = sizeof(console.input) - console.tail;
    if (size > room)
        size = room;
    memcpy(console.input + console.tail, bytes, size);
    console.tail += size;
    console.interrupt |= size != 0;
    return size;
}

bool console_has_interrupt(void)
{
    return console.interrupt;
}

bool console_take_interrupt(void)
{
    bool interrupt = console.interrupt;

    console.interrupt = false;
    return interrupt;
}

void console_save(struct console_mark *mark)
{
    mark->written = console.written;
    mark->head = console.head;
    mark->tail = console.tail;
    mark->interrupt = console.interrupt;
    memcpy(mark->input + mark->head, console.input + mark->head,
           mark->tail - mark->head);
}

void console_rewind(const struct console_mark *mark)
{
    console.written = mark->written;
    console.output[mark->written] = '\0';
    console.dropped = 0;
    console.head = mark->head;
    console.tail = mark->tail;
    console.interrupt = mark->interrupt;
    if (mark->head != mark->tail)
        memcpy(console.input + mark->head, mark->input + mark->head,
               mark->tail - mark->head);
}

void console_write_impl(const void *bytes, size_t size)
{
    size_t room = CONSOLE_OUTPUT_SIZE - console.written;
    size_t kept = size < room ? size : room;

    memcpy(console.output + console.written, bytes, kept);
    console.written += kept;
    console.output[console.written] = '\0';
    console.dropped += size - kept;
    if (console.echo) {
        fwrite(bytes, 1, size, stdout);
        fflush(stdout);
    }
}

void console_report_impl(const void *bytes, size_t size)
{
    console_write_impl(bytes, size);
}

size_t console_read_impl(void *bytes, size_t size)
{
    size_t waiting = console.tail - console.head;

    if (size > waiting)
        size = waiting;
    memcpy(bytes, console.input + console.head, size);
    console.head += size;
    return size;
}
