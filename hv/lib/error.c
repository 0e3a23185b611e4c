/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/error.h"

const char *error_text(err_t error)
{
    static const char *const texts[ERROR_COUNT] = {
#define X(name, text) [name] = (text),
        ERRORS(X)
#undef X
    };
    return (unsigned)error < ERROR_COUNT ? texts[error] : "unknown error";
}
