/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio block device: virtio 1.2, section 5.2. One queue; a disk in memory.
 *
 * Properties of the configuration node, besides those of all devices:
 *   size         a disk of so many bytes of its own, zeroed when the VM is
 *                created; or
 *   data-offset, a disk in the bundle's image area, loaded with the VM. It is
 *   data-size    written in place, and shared with whatever else refers to it
 *   read-only
 *   serial       what GET_ID says, up to 20 characters
 * Sizes are multiples of 512 and one or two cells.
 *
 * A disk keeps its content through every reset, as disks do. The hypervisor
 * moves sectors but never looks at them: they are no input to it and need not
 * be in a trace.
 *
 * A write is in the disk when its request is answered. So the cache is always
 * write-through in effect, a flush has nothing to do, and `writeback` is only
 * remembered. A discarded sector reads as zero.
 *
 * Not offered: GEOMETRY (a memory has none), MQ (requests are served by the
 * vCPU that notifies, so that a second queue would not be served faster),
 * SECURE_ERASE, LIFETIME (nothing wears), and the legacy BARRIER and SCSI.
 */
#include <libfdt.h>

#include "api/memory.h"
#include "device/virtio/virtio.h"
#include "lib/string.h"
#include "memory/arena.h"

#define SECTOR_SIZE 512

/* 5.2.3: feature bits. */
#define VIRTIO_BLK_F_SIZE_MAX     BIT(1)
#define VIRTIO_BLK_F_SEG_MAX      BIT(2)
#define VIRTIO_BLK_F_RO           BIT(5)
#define VIRTIO_BLK_F_BLK_SIZE     BIT(6)
#define VIRTIO_BLK_F_FLUSH        BIT(9)
#define VIRTIO_BLK_F_TOPOLOGY     BIT(10)
#define VIRTIO_BLK_F_CONFIG_WCE   BIT(11)
#define VIRTIO_BLK_F_DISCARD      BIT(13)
#define VIRTIO_BLK_F_WRITE_ZEROES BIT(14)

#define BLK_FEATURES                                                        \
    (VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | \
     VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_TOPOLOGY)
#define BLK_FEATURES_WRITABLE \
    (VIRTIO_BLK_F_CONFIG_WCE | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES)

/* 5.2.4: struct virtio_blk_config, as far as there are features for it. */
struct blk_config {
    uint64_t capacity; /* sectors */
    uint32_t size_max;
    uint32_t seg_max;
    uint16_t cylinders;
    uint8_t heads;
    uint8_t sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp;
    uint8_t alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback;
    uint8_t unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors;
    uint32_t max_discard_seg;
    uint32_t discard_sector_alignment;
    uint32_t max_write_zeroes_sectors;
    uint32_t max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap;
    uint8_t unused1[3];
};
_Static_assert(offsetof(struct blk_config, writeback) == 32, "5.2.4");
_Static_assert(sizeof(struct blk_config) == 64, "5.2.4");

/* 5.2.6: struct virtio_blk_req before its data, and what is behind it. */
struct blk_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};
#define STATUS_SIZE 1

enum blk_request_type {
    VIRTIO_BLK_T_IN = 0,
    VIRTIO_BLK_T_OUT = 1,
    VIRTIO_BLK_T_FLUSH = 4,
    VIRTIO_BLK_T_GET_ID = 8,
    VIRTIO_BLK_T_DISCARD = 11,
    VIRTIO_BLK_T_WRITE_ZEROES = 13,
};

enum blk_status {
    VIRTIO_BLK_S_OK = 0,
    VIRTIO_BLK_S_IOERR = 1,
    VIRTIO_BLK_S_UNSUPP = 2,
    BLK_UNFINISHED, /* ours: the slice is over */
};

/* 5.2.6: struct virtio_blk_discard_write_zeroes. */
struct blk_range {
    uint64_t sector;
    uint32_t num_sectors;
    uint32_t flags;
};
_Static_assert(sizeof(struct blk_range) == 16, "5.2.6");
#define BLK_RANGE_UNMAP 1

#define BLK_ID_SIZE 20

/* The device's limits. Linux makes its largest requests with them; that a
 * request costs more than a slice does no harm. */
#define BLK_QUEUE_SIZE  128
#define BLK_SLICE       (512 * 1024)
#define BLK_SIZE_MAX    (1024 * 1024)
#define BLK_SEG_MAX     (BLK_QUEUE_SIZE - 2) /* without header and status */
#define BLK_RANGES_MAX  16
#define BLK_PAGE_BLOCKS (PAGE_SIZE / SECTOR_SIZE)

struct blk {
    struct virtio_device virtio;
    struct blk_config config;
    hpa_t disk;
    bool read_only;
    char id[BLK_ID_SIZE];
};

/* A request that is being worked on. */
struct request {
    struct blk *blk;
    struct virtqueue *queue;
    const struct virtqueue_chain *chain;
    struct blk_header header;
    uint64_t in;    /* bytes of data that the driver wants, ... */
    uint64_t out;   /* ... or gives */
    uint64_t moved; /* of `in`, so far */
};

static bool in_disk(const struct blk *blk, uint64_t sector, uint64_t sectors)
{
    return sector <= blk->config.capacity &&
           sectors <= blk->config.capacity - sector;
}

static hpa_t sector_at(const struct blk *blk, uint64_t sector)
{
    return hpa_add(blk->disk, sector * SECTOR_SIZE);
}

/*
 * How much of `total` bytes is to be done now, behind what progress says is
 * done. False: the guest has changed the request in the meantime, so that
 * more is done than it asks for.
 */
static bool next_slice(const struct request *request, uint64_t total,
                       uint64_t *size)
{
    uint64_t done = request->queue->progress;

    if (done > total)
        return false;
    *size = virtio_budget(&request->blk->virtio, total - done);
    return true;
}

/* That is done as well: OK, or unfinished. */
static enum blk_status end_slice(const struct request *request, uint64_t total,
                                 uint64_t size)
{
    request->queue->progress += size;
    return request->queue->progress == total ? VIRTIO_BLK_S_OK : BLK_UNFINISHED;
}

/* Reads and writes: `size` bytes of data from the header's sector on. */
static bool is_transfer_valid(const struct request *request, uint64_t size)
{
    return size % SECTOR_SIZE == 0 &&
           in_disk(request->blk, request->header.sector, size / SECTOR_SIZE);
}

static enum blk_status do_in(struct request *request)
{
    uint64_t done = request->queue->progress;
    hpa_t from = sector_at(request->blk, request->header.sector);
    uint64_t size;

    if (!is_transfer_valid(request, request->in) ||
        !next_slice(request, request->in, &size))
        return VIRTIO_BLK_S_IOERR;
    request->moved = done;
    if (virtqueue_move_in(request->queue, request->chain, done,
                          hpa_add(from, done), size) != OK)
        return VIRTIO_BLK_S_IOERR;
    request->moved += size;
    return end_slice(request, request->in, size);
}

static enum blk_status do_out(struct request *request)
{
    uint64_t done = request->queue->progress;
    hpa_t to = sector_at(request->blk, request->header.sector);
    uint64_t size;

    if (request->blk->read_only || !is_transfer_valid(request, request->out) ||
        !next_slice(request, request->out, &size))
        return VIRTIO_BLK_S_IOERR;
    if (virtqueue_move_out(request->queue, request->chain,
                           sizeof(request->header) + done, hpa_add(to, done),
                           size) != OK)
        return VIRTIO_BLK_S_IOERR;
    return end_slice(request, request->out, size);
}

static enum blk_status do_flush(struct request *request)
{
    return VIRTIO_BLK_S_OK;
}

static enum blk_status do_get_id(struct request *request)
{
    size_t size = request->in < BLK_ID_SIZE ? request->in : BLK_ID_SIZE;

    if (virtqueue_write(request->queue, request->chain, 0, request->blk->id,
                        size) != OK)
        return VIRTIO_BLK_S_IOERR;
    request->moved = size;
    return VIRTIO_BLK_S_OK;
}

/* Clears what is to be cleared now of `ranges`, which have `total` bytes. */
static enum blk_status clear_ranges(const struct request *request,
                                    const struct blk_range *ranges,
                                    size_t count, uint64_t total)
{
    uint64_t skip = request->queue->progress;
    uint64_t size, left;

    if (!next_slice(request, total, &size))
        return VIRTIO_BLK_S_IOERR;
    left = size;
    for (size_t i = 0; i < count && left > 0; i++) {
        uint64_t bytes = (uint64_t)ranges[i].num_sectors * SECTOR_SIZE;
        uint64_t here;

        if (skip >= bytes) {
            skip -= bytes;
            continue;
        }
        here = bytes - skip < left ? bytes - skip : left;
        memory_clear(hpa_add(sector_at(request->blk, ranges[i].sector), skip),
                     here);
        left -= here;
        skip = 0;
    }
    return end_slice(request, total, size);
}

/* Discard and write-zeroes: all ranges are checked before one is touched. */
static enum blk_status clear_checked(const struct request *request,
                                     uint32_t known_flags)
{
    struct blk_range ranges[BLK_RANGES_MAX];
    size_t count = request->out / sizeof(ranges[0]);
    uint64_t total = 0;

    if (count == 0 || count > BLK_RANGES_MAX ||
        request->out % sizeof(ranges[0]) != 0)
        return VIRTIO_BLK_S_IOERR;
    if (virtqueue_read(request->queue, request->chain, sizeof(request->header),
                       ranges, count * sizeof(ranges[0])) != OK)
        return VIRTIO_BLK_S_IOERR;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].flags & ~known_flags)
            return VIRTIO_BLK_S_UNSUPP;
        if (!in_disk(request->blk, ranges[i].sector, ranges[i].num_sectors))
            return VIRTIO_BLK_S_IOERR;
        total += (uint64_t)ranges[i].num_sectors * SECTOR_SIZE;
    }
    return clear_ranges(request, ranges, count, total);
}

static enum blk_status do_discard(struct request *request)
{
    return clear_checked(request, 0);
}

static enum blk_status do_write_zeroes(struct request *request)
{
    return clear_checked(request, BLK_RANGE_UNMAP);
}

/* What is known, and the feature it takes. */
static const struct operation {
    enum blk_request_type type;
    uint64_t feature;
    enum blk_status (*perform)(struct request *request);
} operations[] = {
    {VIRTIO_BLK_T_IN, 0, do_in},
    {VIRTIO_BLK_T_OUT, 0, do_out},
    {VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_F_FLUSH, do_flush},
    {VIRTIO_BLK_T_GET_ID, 0, do_get_id},
    {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_F_DISCARD, do_discard},
    {VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES, do_write_zeroes},
};

static enum blk_status perform(struct request *request)
{
    if (virtqueue_read(request->queue, request->chain, 0, &request->header,
                       sizeof(request->header)) != OK)
        return VIRTIO_BLK_S_IOERR;
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        if (operations[i].type == request->header.type &&
            virtio_has(&request->blk->virtio, operations[i].feature))
            return operations[i].perform(request);
    }
    return VIRTIO_BLK_S_UNSUPP;
}

/*
 * A chain without header, or without a byte for the status, cannot be
 * answered. Everything else is; memory that is not there is an I/O error.
 */
static enum virtio_outcome blk_answer(struct virtio_device *virtio,
                                      struct virtqueue *queue,
                                      const struct virtqueue_chain *chain,
                                      uint32_t *written)
{
    struct request request = {
        .blk = container_of(virtio, struct blk, virtio),
        .queue = queue,
        .chain = chain,
    };
    enum blk_status status;
    uint8_t byte;

    if (chain->readable < sizeof(request.header) ||
        chain->writable < STATUS_SIZE)
        return VIRTIO_BROKEN;
    request.in = chain->writable - STATUS_SIZE;
    request.out = chain->readable - sizeof(request.header);
    status = perform(&request);
    if (status == BLK_UNFINISHED)
        return VIRTIO_LATER;
    byte = (uint8_t)status;
    if (virtqueue_write(queue, chain, request.in, &byte, STATUS_SIZE) != OK)
        return VIRTIO_BROKEN;
    /* 2.7.8.2: what was written without a gap, from the start on. */
    *written = (uint32_t)request.moved;
    if (request.moved == request.in)
        *written += STATUS_SIZE;
    return VIRTIO_ANSWERED;
}

static void blk_write_config(struct virtio_device *virtio, uint64_t offset,
                             unsigned width, uint64_t value)
{
    struct blk *blk = container_of(virtio, struct blk, virtio);

    if (offset == offsetof(struct blk_config, writeback) && width == 1 &&
        value <= 1 && virtio_has(virtio, VIRTIO_BLK_F_CONFIG_WCE))
        blk->config.writeback = (uint8_t)value;
}

static void blk_power_on(struct virtio_device *virtio)
{
    container_of(virtio, struct blk, virtio)->config.writeback = 0;
}

static const struct virtio_type blk_type = {
    .id = VIRTIO_ID_BLOCK,
    .queue_count = 1,
    .queue_size = BLK_QUEUE_SIZE,
    .slice = BLK_SLICE,
    .answer = blk_answer,
    .write_config = blk_write_config,
    .power_on = blk_power_on,
};

/* Property `name`, of one or two cells. ERR_NOT_FOUND; ERR_INVALID_INPUT. */
static err_t parse_number(const struct device_context *context,
                          const char *name, uint64_t *value, const char **what)
{
    int size;
    const void *data = fdt_getprop(context->fdt, context->node, name, &size);

    *what = name;
    if (data == NULL)
        return ERR_NOT_FOUND;
    if (size == sizeof(fdt32_t))
        *value = fdt32_ld(data);
    else if (size == sizeof(fdt64_t))
        *value = fdt64_ld(data);
    else
        return ERR_INVALID_INPUT;
    return OK;
}

static bool is_disk_size(uint64_t size)
{
    return size != 0 && size % SECTOR_SIZE == 0;
}

/* A disk of its own, of `size` bytes. */
static err_t make_disk(const struct device_context *context, struct blk *blk,
                       uint64_t size, const char **what)
{
    void *memory;

    *what = "size";
    if (!is_disk_size(size))
        return ERR_INVALID_INPUT;
    memory = arena_alloc(context->arena, size, PAGE_SIZE);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    blk->disk = memory_virt_to_phys(memory);
    blk->config.capacity = size / SECTOR_SIZE;
    return OK;
}

/* The disk that the bundle has at data-offset. */
static err_t find_disk(const struct device_context *context, struct blk *blk,
                       const char **what)
{
    uint64_t offset, size;
    err_t error = parse_number(context, "data-offset", &offset, what);

    if (error != OK)
        return error;
    if (offset > context->images_size)
        return ERR_INVALID_INPUT;
    error = parse_number(context, "data-size", &size, what);
    if (error != OK)
        return error;
    if (!is_disk_size(size) || size > context->images_size - offset)
        return ERR_INVALID_INPUT;
    blk->disk = hpa_add(context->images, offset);
    blk->config.capacity = size / SECTOR_SIZE;
    return OK;
}

static err_t parse_disk(const struct device_context *context, struct blk *blk,
                        const char **what)
{
    uint64_t size;
    err_t error = parse_number(context, "size", &size, what);

    if (error == ERR_NOT_FOUND)
        return find_disk(context, blk, what);
    if (error != OK)
        return error;
    /* Not both. */
    if (fdt_getprop(context->fdt, context->node, "data-offset", NULL) != NULL)
        return ERR_INVALID_INPUT;
    return make_disk(context, blk, size, what);
}

static err_t parse_serial(const struct device_context *context, struct blk *blk,
                          const char **what)
{
    int size;
    const char *serial =
        fdt_getprop(context->fdt, context->node, "serial", &size);

    if (serial == NULL)
        return OK;
    *what = "serial";
    if (size < 1 || size > BLK_ID_SIZE + 1 ||
        strnlen(serial, (size_t)size) != (size_t)size - 1)
        return ERR_INVALID_INPUT;
    memcpy(blk->id, serial, (size_t)size - 1);
    return OK;
}

static void fill_config(struct blk *blk)
{
    struct blk_config *config = &blk->config;

    config->size_max = BLK_SIZE_MAX;
    config->seg_max = BLK_SEG_MAX;
    config->blk_size = SECTOR_SIZE;
    /* Whole pages, aligned, up to a slice: what moves best. */
    config->physical_block_exp = (uint8_t)bit_highest(BLK_PAGE_BLOCKS);
    config->min_io_size = BLK_PAGE_BLOCKS;
    config->opt_io_size = BLK_SLICE / SECTOR_SIZE;
    if (blk->read_only)
        return;
    config->max_discard_sectors = UINT32_MAX;
    config->max_discard_seg = BLK_RANGES_MAX;
    config->discard_sector_alignment = 1;
    config->max_write_zeroes_sectors = UINT32_MAX;
    config->max_write_zeroes_seg = BLK_RANGES_MAX;
}

static err_t blk_create(const struct device_context *context,
                        struct device **device, const char **what)
{
    struct blk *blk = arena_new(context->arena, struct blk);
    err_t error;

    if (blk == NULL)
        return ERR_NO_MEMORY;
    error = parse_disk(context, blk, what);
    if (error == OK)
        error = parse_serial(context, blk, what);
    if (error != OK)
        return error;
    blk->read_only =
        fdt_getprop(context->fdt, context->node, "read-only", NULL) != NULL;
    fill_config(blk);
    virtio_init(&blk->virtio, &blk_type, context,
                BLK_FEATURES |
                    (blk->read_only ? VIRTIO_BLK_F_RO : BLK_FEATURES_WRITABLE),
                &blk->config, sizeof(blk->config));
    return virtio_create(context, &blk->virtio, device, what);
}

static const struct device_model blk_model = {
    .compatible = "virtio,blk",
    .guest_compatible = "virtio,mmio",
    .create = blk_create,
};
DEVICE_MODEL(blk_model);
