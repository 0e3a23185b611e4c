/* SPDX-License-Identifier: Apache-2.0 */
/* The one error type. A function that can fail returns it, marked MUST_CHECK.
 */
#ifndef LIB_ERROR_H
#define LIB_ERROR_H

#define ERRORS(X)                           \
    X(OK, "success")                        \
    X(ERR_INVALID_INPUT, "invalid input")   \
    X(ERR_BAD_STATE, "bad state")           \
    X(ERR_NO_MEMORY, "out of memory")       \
    X(ERR_ALREADY_EXISTS, "already exists") \
    X(ERR_NOT_FOUND, "not found")           \
    X(ERR_OUT_OF_RANGE, "out of range")     \
    X(ERR_UNSUPPORTED, "unsupported")       \
    X(ERR_BUSY, "busy")                     \
    X(ERR_DENIED, "access denied")          \
    X(ERR_IO, "input/output error")         \
    X(ERR_CORRUPT, "corrupt data")

typedef enum error {
#define X(name, text) name,
    ERRORS(X)
#undef X
        ERROR_COUNT
} err_t;

/* A short lower-case text for `error`, never NULL. */
const char *error_text(err_t error);

#endif
