/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fw_cfg against a model: an item's bytes and zeros behind them, by the data
 * register and by DMA, which writes nothing but what it was asked for.
 */
#include <linux/qemu_fw_cfg.h>
#include <string.h>

#include "device/pc/fw_cfg.h"
#include "fuzz/harness.h"
#include "tests/hv/device/pc/ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_STEPS   64
#define SELECT      0x510
#define DATA        0x511
#define DMA_HIGH    0x514
#define DMA_LOW     0x518
#define FILE_KEY    (FW_CFG_FILE_FIRST + 1) /* etc/e820 is the first */
#define FILE_SIZE   3000
#define COMMAND     PORTS_RAM
#define BUFFER      (PORTS_RAM + 0x1000)
#define BUFFER_SIZE 0x2000

static struct ports ports;
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

static uint8_t next_byte(void)
{
    uint32_t size;
    const uint8_t *bytes = item_of(model.key, &size);

    return model.offset < size ? bytes[model.offset++] : 0;
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
    for (unsigned i = fuzz_pick(input, 64); i > 0; i--)
        fuzz_need(ports_in(&ports, DATA, 1) == next_byte(),
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
    static uint8_t bytes[BUFFER_SIZE];
    uint32_t length = (uint32_t)fuzz_take(input, 2) % (BUFFER_SIZE - 1);
    uint32_t control = FW_CFG_DMA_CTL_READ;

    if (fuzz_pick(input, 2) != 0) {
        model.key = take_key(input);
        model.offset = 0;
        control |= (uint32_t)model.key << 16 | FW_CFG_DMA_CTL_SELECT;
    }
    memset(bytes, 0xee, sizeof(bytes));
    fuzz_need(aspace_write(&ports.memory, gpa(BUFFER), bytes, BUFFER_SIZE) ==
                  OK,
              "the buffer cannot be written");
    fuzz_need(command(control, length, BUFFER) == 0, "a read fails");
    fuzz_need(aspace_read(&ports.memory, gpa(BUFFER), bytes, BUFFER_SIZE) == OK,
              "the buffer cannot be read");
    for (uint32_t i = 0; i < length; i++)
        fuzz_need(bytes[i] == next_byte(), "DMA reads another byte");
    fuzz_need(bytes[length] == 0xee, "DMA goes beyond its end");
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
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    if (ports.device == NULL)
        make();
    do_reset(&input);
    for (unsigned i = 0; i < MAX_STEPS && !fuzz_is_empty(&input); i++)
        steps[fuzz_pick(&input, ARRAY_SIZE(steps))](&input);
    return 0;
}
