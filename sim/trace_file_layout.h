/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in a *.twx file, for its writer and its reader. All numbers are
 * little-endian. docs/trace-format.md describes it. */
#ifndef SIM_TRACE_FILE_LAYOUT_H
#define SIM_TRACE_FILE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "structures go to the file as they are");

/* A line end and a control character, so that a transfer that treats the file
 * as text breaks it where it is noticed at once. */
#define TWX_MAGIC      "TWX\x1a\r\n\0"
#define TWX_MAGIC_SIZE 8
#define TWX_VERSION    1

struct twx_header {
    char magic[TWX_MAGIC_SIZE];
    uint32_t version;
    uint32_t checksum; /* CRC-32C of what precedes */
};

#define TWX_CHUNK_MAGIC   UINT32_C(0x4b4e4843) /* "CHNK" */
#define TWX_TRAILER_MAGIC UINT32_C(0x444e4554) /* "TEND" */

struct twx_chunk {
    uint32_t magic;
    uint32_t packed_size; /* bytes that follow: one zstd frame */
    uint32_t raw_size;    /* bytes of the stream in it */
    uint32_t checksum;    /* CRC-32C of what precedes and of the frame */
};

struct twx_trailer {
    uint32_t magic;
    uint32_t chunks;
    uint64_t raw_size; /* of the whole stream */
    uint32_t reserved; /* 0 */
    uint32_t checksum; /* CRC-32C of what precedes */
};

_Static_assert(sizeof(struct twx_header) == 16, "twx_header");
_Static_assert(sizeof(struct twx_chunk) == 16, "twx_chunk");
_Static_assert(sizeof(struct twx_trailer) == 24, "twx_trailer");

/* CRC-32C (Castagnoli; RFC 3720, 12.1) of `bytes`, going on from `crc`, the
 * result for what precedes them or 0. */
uint32_t twx_checksum(uint32_t crc, const void *bytes, size_t size);

#endif
