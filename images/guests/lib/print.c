/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers. */
#include "guest.h"

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
