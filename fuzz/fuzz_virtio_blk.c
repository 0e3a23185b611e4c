/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio disk: virtio.h, with requests whose result is that of an array of
 * sectors. The disk is a part of the bundle, of which nothing else changes.
 */
#include <string.h>

#include "api/memory.h"
#include "fuzz/virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECTOR      UINT64_C(512)
#define DISK_START  0x1000
#define DISK_SIZE   0xc0000 /* more than a slice of work */
#define IMAGES_SIZE (DISK_START + DISK_SIZE + 0x1000)
#define SECTORS     (DISK_SIZE / SECTOR)
#define SERIAL      "fuzzed"
#define NO_STATUS   0xff
#define MOST_RANGES 17 /* one more than the device takes */

/* A request of the whole disk takes as long as a hundred inputs. */
#define INPUTS_PER_LARGE 64

static const struct property properties[] = {
    PROPERTY_CELL("data-offset", DISK_START),
    PROPERTY_CELL("data-size", DISK_SIZE),
    PROPERTY_TEXT("serial", SERIAL),
    PROPERTY_END,
};

/* The reference, of what was written since the device was started: sectors, of
 * which most are still what the bundle has. */
static _Alignas(8) uint8_t disk[DISK_SIZE];
static bool is_written[SECTORS];
static bool has_written;
static bool may_be_large;   /* a request of this input */
static bool has_been_large; /* one is enough */

static _Alignas(8) uint8_t data[DISK_SIZE + SECTOR];

static void restart(struct guest *guest)
{
    if (has_written)
        memset(is_written, 0, sizeof(is_written));
    has_written = false;
    has_been_large = !may_be_large;
}

/* Each word of a bundle is its offset. */
static const uint8_t *reference(uint64_t sector)
{
    uint32_t *words = (uint32_t *)(void *)&disk[sector * SECTOR];

    for (uint32_t i = 0; !is_written[sector] && i < SECTOR / 4; i++)
        words[i] = (uint32_t)(DISK_START + sector * SECTOR) + i * 4;
    return &disk[sector * SECTOR];
}

/* NULL: zeros. */
static void reference_write(uint64_t sector, const uint8_t *from)
{
    if (from != NULL)
        memcpy(&disk[sector * SECTOR], from, SECTOR);
    else
        memset(&disk[sector * SECTOR], 0, SECTOR);
    is_written[sector] = true;
    has_written = true;
}

static bool in_disk(uint64_t sector, uint64_t count)
{
    return sector <= SECTORS && count <= SECTORS - sector;
}

struct request {
    struct virtio_blk_outhdr header;
    uint32_t size; /* of the data */
    struct buffer buffers[5];
    unsigned count;
    uint64_t status;
};

static bool gives_data(const struct request *request)
{
    return request->header.type == VIRTIO_BLK_T_IN ||
           request->header.type == VIRTIO_BLK_T_GET_ID;
}

/* --- What must come of it --- */

static uint8_t expect_transfer(const struct request *request)
{
    uint64_t sector = request->header.sector;

    if (request->size % SECTOR != 0 || !in_disk(sector, request->size / SECTOR))
        return VIRTIO_BLK_S_IOERR;
    for (uint64_t i = 0; i < request->size / SECTOR; i++) {
        if (request->header.type == VIRTIO_BLK_T_OUT)
            reference_write(sector + i, &data[i * SECTOR]);
        else
            cr_assert(
                memcmp(reference(sector + i), &data[i * SECTOR], SECTOR) == 0,
                "sector %lu", sector + i);
    }
    return VIRTIO_BLK_S_OK;
}

static uint8_t expect_id(const struct request *request)
{
    static const uint8_t id[20] = SERIAL;
    size_t size = request->size < sizeof(id) ? request->size : sizeof(id);

    cr_assert(memcmp(data, id, size) == 0, "the serial number");
    return VIRTIO_BLK_S_OK;
}

static uint8_t expect_clear(const struct request *request)
{
    const struct virtio_blk_discard_write_zeroes *ranges = (const void *)data;
    unsigned count = request->size / sizeof(*ranges);
    uint32_t known = request->header.type == VIRTIO_BLK_T_WRITE_ZEROES;

    if (count == 0 || count >= MOST_RANGES ||
        request->size % sizeof(*ranges) != 0)
        return VIRTIO_BLK_S_IOERR;
    for (unsigned i = 0; i < count; i++) {
        if ((ranges[i].flags & ~known) != 0)
            return VIRTIO_BLK_S_UNSUPP;
        if (!in_disk(ranges[i].sector, ranges[i].num_sectors))
            return VIRTIO_BLK_S_IOERR;
    }
    for (unsigned i = 0; i < count; i++) {
        for (uint64_t k = 0; k < ranges[i].num_sectors; k++)
            reference_write(ranges[i].sector + k, NULL);
    }
    return VIRTIO_BLK_S_OK;
}

static uint8_t expect(const struct guest *guest, const struct request *request)
{
    uint64_t features = guest->features;

    switch (request->header.type) {
    case VIRTIO_BLK_T_IN:
    case VIRTIO_BLK_T_OUT: return expect_transfer(request);
    case VIRTIO_BLK_T_GET_ID: return expect_id(request);
    case VIRTIO_BLK_T_FLUSH:
        return features & F(VIRTIO_BLK_F_FLUSH) ? VIRTIO_BLK_S_OK
                                                : VIRTIO_BLK_S_UNSUPP;
    case VIRTIO_BLK_T_DISCARD:
        return features & F(VIRTIO_BLK_F_DISCARD) ? expect_clear(request)
                                                  : VIRTIO_BLK_S_UNSUPP;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return features & F(VIRTIO_BLK_F_WRITE_ZEROES) ? expect_clear(request)
                                                       : VIRTIO_BLK_S_UNSUPP;
    default: return VIRTIO_BLK_S_UNSUPP;
    }
}

/* --- The request --- */

static void take_ranges(struct request *request, struct fuzz_input *input)
{
    struct virtio_blk_discard_write_zeroes *ranges = (void *)data;
    unsigned count = fuzz_pick(input, MOST_RANGES + 1);

    for (unsigned i = 0; i < count; i++)
        ranges[i] = (struct virtio_blk_discard_write_zeroes){
            .sector = fuzz_number(input),
            .num_sectors = (uint32_t)fuzz_take(input, 1),
            .flags = (uint32_t)fuzz_take(input, 1) & 1,
        };
    request->size = count * (uint32_t)sizeof(ranges[0]);
}

/* Few sectors, seldom very many, seldom not whole ones. */
static void take_data(struct request *request, struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 1);

    request->size = (how & 3) * (uint32_t)SECTOR;
    if (how == 0xff && !has_been_large)
        request->size = DISK_SIZE - fuzz_pick(input, 4) * (uint32_t)SECTOR;
    else if (how >= 0xe0)
        request->size += how & 0x1f;
    has_been_large |= how == 0xff;
    memset(data, (int)fuzz_take(input, 1), request->size);
}

static void take_request(struct guest *guest, struct fuzz_input *input,
                         struct request *request)
{
    static const uint8_t types[] = {0, 1, 0, 1, 4, 8, 11, 13, 2, 0x10};
    static const uint8_t no_status = NO_STATUS;
    uint32_t done = 0;

    request->header = (struct virtio_blk_outhdr){
        .type = types[fuzz_pick(input, ARRAY_SIZE(types))],
        .sector = fuzz_number(input),
    };
    if (request->header.type == VIRTIO_BLK_T_DISCARD ||
        request->header.type == VIRTIO_BLK_T_WRITE_ZEROES)
        take_ranges(request, input);
    else
        take_data(request, input);
    request->buffers[0] =
        (struct buffer){give(guest, sizeof(request->header), 1),
                        sizeof(request->header), false};
    poke(guest, request->buffers[0].at, &request->header,
         sizeof(request->header));
    request->count =
        1 + virtio_fuzz_pieces(guest, input, request->size, gives_data(request),
                               &request->buffers[1]);
    for (unsigned i = 1; i < request->count; i++) {
        poke(guest, request->buffers[i].at, data + done,
             request->buffers[i].size);
        done += request->buffers[i].size;
    }
    request->status = give(guest, 1, 1);
    poke(guest, request->status, &no_status, 1);
    request->buffers[request->count++] =
        (struct buffer){request->status, 1, true};
}

static void read_back(struct guest *guest, const struct request *request)
{
    uint32_t done = 0;

    for (unsigned i = 1; i + 1 < request->count; i++) {
        peek(guest, request->buffers[i].at, data + done,
             request->buffers[i].size);
        done += request->buffers[i].size;
    }
}

static void do_request(struct guest *guest, struct fuzz_input *input)
{
    struct request request;
    uint32_t id, len;
    uint16_t head;
    uint8_t status, wanted;

    /* Memory is not given back before the device is started again. */
    if (guest->next_free + DISK_SIZE + PAGE_SIZE > RAM_START + RAM_SIZE)
        return;
    take_request(guest, input, &request);
    /* Of a ring of four: header, one piece, status. */
    if (request.count > guest->rings[0].size)
        return;
    head = virtio_fuzz_add(guest, input, 0, request.buffers, request.count);
    (void)ring_kick(guest, 0);
    cr_assert(ring_take(guest, 0, &id, &len), "no answer");
    cr_assert_eq(id, head);
    read_back(guest, &request);
    peek(guest, request.status, &status, 1);
    wanted = expect(guest, &request);
    cr_assert(status == wanted, "type %u: status %u, not %u",
              request.header.type, status, wanted);
    cr_assert_leq(len, (gives_data(&request) ? request.size : 0) + 1);
    if (status == VIRTIO_BLK_S_OK && request.header.type == VIRTIO_BLK_T_IN)
        cr_assert_eq(len, request.size + 1);
}

static const struct virtio_target target = {
    .compatible = "virtio,blk",
    .properties = properties,
    .images_size = IMAGES_SIZE,
    .queue_count = 1,
    .ring_shift = 7,
    .restart = restart,
    .request = do_request,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    may_be_large = fuzz_is_one_in(INPUTS_PER_LARGE, bytes, size);
    return virtio_fuzz_run(&target, bytes, size);
}
