/* SPDX-License-Identifier: Apache-2.0 */
/* For libfdt's headers: the image has no C library. */
#include "lib/string.h"
