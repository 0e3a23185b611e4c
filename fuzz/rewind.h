/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For targets of single components: what was made once is put back before each
 * input. That is as good as making it anew, and takes a microsecond.
 */
#ifndef FUZZ_REWIND_H
#define FUZZ_REWIND_H

#include <stdbool.h>
#include <stddef.h>

/* An object of the target itself, zeroed, in fake RAM, so that it is put back
 * like all that the component has there; and its end. */
void *fuzz_new(size_t size);
void fuzz_delete(void *object, size_t size);

/* Remembers fake RAM and the clock as they are now. */
void fuzz_remember(void);

/* Puts both back. */
void fuzz_rewind(void);

/*
 * Whether this input is one of the few after which everything is to be taken
 * apart, to see whether something has leaked; it is made, and remembered, anew
 * for the next one. To be asked once for each input.
 */
bool fuzz_is_last(void);

#endif
