/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fw_cfg against a model: an item's bytes and zeros behind them, by the data
 * register and by DMA, which writes nothing but what it was asked for.
 */
#include <linux/qemu_fw_cfg.h>
#include <string.h>

#include "device/pc/fw_cfg.h"
#include "fuzz/harness.h"
#include "fuzz/rewind.h"
#include "tests/hv/device/pc/ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_STEPS 64
#define SELECT    0x510
#define DATA      0x511
#define DMA_HIGH  0x514
#define DMA_LOW   0x518
#define FILE_KEY  (FW_CFG_FILE_FIRST + 1) /* etc/e820 is the first */
#define FILE_SIZE 700
#define COMMAND   PORTS_RAM
/* A page ends in the buffer. Copying and comparing is most of what a run
 * costs: what the device does by the slice must be seen, not at length. */
#define BUFFER      (PORTS_RAM + 0x1f00)
#define BUFFER_SIZE 0x500
#define LONG        UINT32_C(0xf0000000) /* from this control on: any length */
#define GUARD       16 /* bytes behind a transfer, which must stay */

/* All of memory takes as long as a hundred inputs. */
#define INPUTS_PER_LONG 64

static struct ports ports, fresh;
static bool may_be_long;
static uint8_t file[FILE_SIZE];
static struct {
    uint16_t key;
    uint32_t offset;
} model;

static const uint8_t *item_of(uint16_t key, uint32_t *size)
{
    static const uint8_t id[] = {3, 0, 0, 0};
    static const uint8_t cpus[] = {3, 0};

    switch (key) {
    case FW_CFG_SIGNATURE: *size = 4; return (const uint8_t *)"QEMU";
    case FW_CFG_ID: *size = sizeof(id); return id;
    case FW_CFG_NB_CPUS: *size = sizeof(cpus); return cpus;
    case FILE_KEY: *size = FILE_SIZE; return file;
    default: *size = 0; return NULL;
    }
}

/* Puts the item's next bytes into `bytes`; behind its end there are zeros. */
static void next_bytes(uint8_t *bytes, uint32_t count)
{
    uint32_t size;
    const uint8_t *item = item_of(model.key, &size);
    uint32_t left = size - model.offset;
    uint32_t here = count < left ? count : left;

    if (here != 0)
        memcpy(bytes, item + model.offset, here);
    memset(bytes + here, 0, count - here);
    model.offset += here;
}

/* memcmp() would have libFuzzer take notes of each difference. The arrays are
 * the target's own. */
__attribute__((no_sanitize("address", "undefined"))) static bool
is_same(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint8_t different = 0;

    for (size_t i = 0; i < size; i++)
        different |= a[i] ^ b[i];
    return different == 0;
}

static uint16_t take_key(struct fuzz_input *input)
{
    static const uint16_t keys[] = {
        FW_CFG_SIGNATURE, FW_CFG_ID,          FW_CFG_NB_CPUS, FILE_KEY,
        FILE_KEY,         FW_CFG_KERNEL_SIZE, 0x7fff,         0xffff};

    return keys[fuzz_pick(input, ARRAY_SIZE(keys))];
}

static void do_select(struct fuzz_input *input)
{
    model.key = take_key(input);
    model.offset = 0;
    ports_out(&ports, SELECT, 2, model.key);
}

static void do_data(struct fuzz_input *input)
{
    uint8_t expected[64];
    unsigned count = fuzz_pick(input, sizeof(expected));

    next_bytes(expected, count);
    for (unsigned i = 0; i < count; i++)
        fuzz_need(ports_in(&ports, DATA, 1) == expected[i],
                  "a byte is not the item's");
}

static void start(uint64_t at)
{
    ports_out(&ports, DMA_HIGH, 4, cpu_to_fdt32((uint32_t)(at >> 32)));
    ports_out(&ports, DMA_LOW, 4, cpu_to_fdt32((uint32_t)at));
}

static uint32_t command(uint32_t control, uint32_t length, uint64_t address)
{
    struct fw_cfg_dma_access access = {
        cpu_to_fdt32(control), cpu_to_fdt32(length), cpu_to_fdt64(address)};

    fuzz_need(aspace_write(&ports.memory, gpa(COMMAND), &access,
                           sizeof(access)) == OK,
              "the command cannot be written");
    start(COMMAND);
    fuzz_need(aspace_read(&ports.memory, gpa(COMMAND), &access.control, 4) ==
                  OK,
              "the answer cannot be read");
    return fdt32_to_cpu(access.control);
}

static void do_read(struct fuzz_input *input)
{
    static uint8_t bytes[BUFFER_SIZE], expected[BUFFER_SIZE];
    uint32_t length = (uint32_t)fuzz_take(input, 2) % (BUFFER_SIZE - GUARD);
    uint32_t control = FW_CFG_DMA_CTL_READ;

    if (fuzz_pick(input, 2) != 0) {
        model.key = take_key(input);
        model.offset = 0;
        control |= (uint32_t)model.key << 16 | FW_CFG_DMA_CTL_SELECT;
    }
    memset(bytes, 0xee, length + GUARD);
    fuzz_need(aspace_write(&ports.memory, gpa(BUFFER), bytes, length + GUARD) ==
                  OK,
              "the buffer cannot be written");
    fuzz_need(command(control, length, BUFFER) == 0, "a read fails");
    next_bytes(expected, length);
    memset(expected + length, 0xee, GUARD);
    fuzz_need(aspace_read(&ports.memory, gpa(BUFFER), bytes, length + GUARD) ==
                  OK,
              "the buffer cannot be read");
    fuzz_need(is_same(bytes, expected, length + GUARD),
              "DMA reads another byte, or goes beyond its end");
}

static void do_skip(struct fuzz_input *input)
{
    uint32_t length = (uint32_t)fuzz_number(input), size;
    (void)item_of(model.key, &size);

    fuzz_need(command(FW_CFG_DMA_CTL_SKIP, length, 0) == 0, "a skip fails");
    model.offset += length < size - model.offset ? length : size - model.offset;
}

/* A command of which nothing is known afterwards but that it ends. Memory is
 * short, so that a read of any length is over soon. */
static void do_anything(struct fuzz_input *input)
{
    uint32_t control = (uint32_t)fuzz_number(input);
    uint32_t length = (uint32_t)fuzz_number(input);

    if (control < LONG || !may_be_long)
        length %= BUFFER_SIZE;
    (void)command(control, length, fuzz_number(input));
    start(fuzz_number(input));
    do_select(input);
}

static void do_reset(struct fuzz_input *input)
{
    device_set_reset(&ports.set);
    model.key = FW_CFG_SIGNATURE;
    model.offset = 0;
}

static void (*const steps[])(struct fuzz_input *input) = {
    do_select, do_data, do_read,     do_skip,
    do_read,   do_data, do_anything, do_reset,
};

static void make(void)
{
    const char *what;

    for (unsigned i = 0; i < FILE_SIZE; i++)
        file[i] = (uint8_t)(i * 7 + (i >> 8));
    ports_begin(&ports, "qemu,fw-cfg");
    fuzz_need(ports_try(&ports, &what) == OK, "the device cannot be made");
    fuzz_need(fw_cfg_add_file(ports.device, "opt/file", file, FILE_SIZE) == OK,
              "the file cannot be added");
    fresh = ports;
    fuzz_remember();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    may_be_long = fuzz_is_one_in(INPUTS_PER_LONG, data, size);
    if (ports.device == NULL)
        make();
    fuzz_rewind();
    ports = fresh;
    model.key = FW_CFG_SIGNATURE;
    model.offset = 0;
    for (unsigned i = 0; i < MAX_STEPS && !fuzz_is_empty(&input); i++)
        steps[fuzz_pick(&input, ARRAY_SIZE(steps))](&input);
    return 0;
}
