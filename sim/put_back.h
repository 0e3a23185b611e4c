/* SPDX-License-Identifier: Apache-2.0 */
/* State that is put back: as memcpy(), for what is mostly as it was. */
#ifndef SIM_PUT_BACK_H
#define SIM_PUT_BACK_H

#include <stddef.h>

/* `to` becomes what `from` is; `size` bytes, which do not overlap. */
void put_back(void *to, const void *from, size_t size);

#endif
