/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's own limits.h, which has all of it, looks for a C library's. */
