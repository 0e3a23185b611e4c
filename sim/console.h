/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake machine's console: what is written goes to a buffer that a test can
 * look at, and to standard output if it shall; what is read was injected.
 */
#ifndef SIM_CONSOLE_H
#define SIM_CONSOLE_H

#include "api/console.h"

/*
 * What the buffer holds at most; what is written beyond it is counted and
 * dropped, so that a guest that writes without end does not fill the memory.
 */
#define CONSOLE_OUTPUT_SIZE (UINT64_C(256) << 10)
#define CONSOLE_INPUT_SIZE  4096

/* Forgets output and input; no echo. */
void console_reset(void);

/* Whether output also goes to standard output. */
void console_set_echo(bool echo);

/* What was written since the last reset: NUL-terminated. `size` may be NULL. */
const char *console_output(size_t *size);

/* Forgets the output written so far. */
void console_clear_output(void);

/* Bytes that were written and did not fit. */
uint64_t console_dropped(void);

/*
 * Input arrives; a CPU will find HOST_IRQ_CONSOLE. Returns how many bytes
 * there was room for.
 */
size_t console_inject(const void *bytes, size_t size);

/* Whether input has arrived since the last call. */
bool console_take_interrupt(void);
bool console_has_interrupt(void);

/* For snapshots: how far output and input have come, and what waits. */
struct console_mark {
    size_t written, head, tail;
    bool interrupt;
    uint8_t input[CONSOLE_INPUT_SIZE]; /* [head, tail) of it */
};
void console_save(struct console_mark *mark);
void console_rewind(const struct console_mark *mark);

#endif
