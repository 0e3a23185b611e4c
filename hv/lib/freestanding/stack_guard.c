/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack protector of library code that was built with one (Debian's
 * libfdt). The value is a constant: it finds mistakes, it is no secret.
 */
#include "lib/check.h"
#include "lib/freestanding/freestanding.h"

/* Ends, in memory, with a zero byte that no string copy gets past. */
uintptr_t __stack_chk_guard = UINT64_C(0x00c3a95e7d1b6f42);

_Noreturn void __stack_chk_fail(void)
{
    check_failed("the stack is intact", __FILE__, __LINE__);
}
