/* SPDX-License-Identifier: Apache-2.0 */
/* A block driver: requests to a guest's disk. */
#ifndef TESTS_VIRTIO_DISK_H
#define TESTS_VIRTIO_DISK_H

#include "guest.h"

#define SECTOR UINT64_C(512)

/* A machine with a disk of so many sectors. */
#define SMALL_DISK 64
void make_small_disk(struct guest *guest, bool legacy);

/* What the status byte holds before the device writes it. */
#define NO_STATUS 0xff

struct request {
    uint64_t header;
    uint64_t status;
    struct buffer buffers[3];
    unsigned count;
};

/* Lays a request out: header, `size` bytes of data at `data` if there are
 * any, status. Requests of the types that read have their data written. */
struct request request_make(struct guest *guest, uint32_t type, uint64_t sector,
                            uint64_t data, uint32_t size);
uint8_t request_status(struct guest *guest, const struct request *request);

/* Makes a request, and returns its status. `len`, if not NULL, is what the
 * used ring says. */
uint8_t disk_do(struct guest *guest, uint32_t type, uint64_t sector,
                uint64_t data, uint32_t size, uint32_t *len);

/* `size` bytes of guest memory whose words are a function of `seed` and their
 * offset, and whether memory holds them. */
void pattern_put(struct guest *guest, uint64_t at, uint32_t size,
                 uint32_t seed);
bool pattern_is(struct guest *guest, uint64_t at, uint32_t size, uint32_t seed);
bool is_all(struct guest *guest, uint64_t at, uint32_t size, uint8_t byte);

#endif
