/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

void make_small_disk(struct guest *guest, bool legacy)
{
    static const struct property properties[] = {
        PROPERTY_CELL("size", SMALL_DISK * SECTOR),
        PROPERTY_END,
    };

    guest_make(guest, &(struct setup){.compatible = "virtio,blk",
                                      .legacy = legacy,
                                      .properties = properties});
}

struct request request_make(struct guest *guest, uint32_t type, uint64_t sector,
                            uint64_t data, uint32_t size)
{
    const struct virtio_blk_outhdr header = {type, 0, sector};
    bool reads = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
    const uint8_t no_status = NO_STATUS;
    struct request request = {
        .header = give(guest, sizeof(header), 16),
        .status = give(guest, 1, 1),
    };

    poke(guest, request.header, &header, sizeof(header));
    poke(guest, request.status, &no_status, 1);
    request.buffers[request.count++] =
        (struct buffer){request.header, sizeof(header), false};
    if (size != 0)
        request.buffers[request.count++] = (struct buffer){data, size, reads};
    request.buffers[request.count++] = (struct buffer){request.status, 1, true};
    return request;
}

uint8_t request_status(struct guest *guest, const struct request *request)
{
    uint8_t status;

    peek(guest, request->status, &status, 1);
    return status;
}

uint8_t disk_do(struct guest *guest, uint32_t type, uint64_t sector,
                uint64_t data, uint32_t size, uint32_t *len)
{
    struct request request = request_make(guest, type, sector, data, size);
    uint16_t head = ring_add(guest, 0, request.buffers, request.count);
    uint32_t id;

    (void)ring_kick(guest, 0);
    cr_assert(ring_take(guest, 0, &id, len));
    cr_assert_eq(id, head);
    return request_status(guest, &request);
}

static uint32_t pattern_word(uint32_t offset, uint32_t seed)
{
    return (offset ^ seed) * 2654435761U + seed;
}

#define CHUNK 1024

void pattern_put(struct guest *guest, uint64_t at, uint32_t size, uint32_t seed)
{
    uint32_t words[CHUNK / sizeof(uint32_t)];

    for (uint32_t done = 0; done < size; done += CHUNK) {
        uint32_t here = size - done < CHUNK ? size - done : CHUNK;
        for (uint32_t i = 0; i < ARRAY_SIZE(words); i++)
            words[i] = pattern_word(done + i * 4, seed);
        poke(guest, at + done, words, here);
    }
}

bool pattern_is(struct guest *guest, uint64_t at, uint32_t size, uint32_t seed)
{
    uint32_t words[CHUNK / sizeof(uint32_t)];

    for (uint32_t done = 0; done < size; done += CHUNK) {
        uint32_t here = size - done < CHUNK ? size - done : CHUNK;
        peek(guest, at + done, words, here);
        for (uint32_t i = 0; i < here / 4; i++) {
            if (words[i] != pattern_word(done + i * 4, seed))
                return false;
        }
    }
    return true;
}

bool is_all(struct guest *guest, uint64_t at, uint32_t size, uint8_t byte)
{
    uint8_t bytes[CHUNK];

    for (uint32_t done = 0; done < size; done += CHUNK) {
        uint32_t here = size - done < CHUNK ? size - done : CHUNK;
        peek(guest, at + done, bytes, here);
        for (uint32_t i = 0; i < here; i++) {
            if (bytes[i] != byte)
                return false;
        }
    }
    return true;
}
