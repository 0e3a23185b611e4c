/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of x86's boot protocols. The input's first byte is the protocol; the
 * second says how many modules there are, and whether there is a command line;
 * the rest is the kernel's file. It lies at the end of its host memory, so that
 * a look behind it is a finding of the sanitizer.
 *
 * An image that is refused must be told why, and leave memory as it was. One
 * that is taken must be entered in what was loaded, with its tables in RAM.
 */
#include <string.h>

#include "arch/x86_64/boot/boot.h"
#include "fuzz/harness.h"
#include "fuzz/rewind.h"
#include "lib/bits.h"
#include "sim/ram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOST_RAM    (UINT64_C(24) << 20)
#define GUEST_RAM   (UINT64_C(32) << 20)
#define MODULE_SIZE 100
#define PROLOGUE    2
#define MOST_BYTES  65536

#define HAS_CMDLINE 0x80

static const struct e820_entry ranges[] = {
    {0, GUEST_RAM, E820_RAM},
    {UINT64_C(0x800000), 0x1000, E820_RESERVED}, /* a device */
};

static struct e820 map;
static struct aspace memory, fresh; /* now, and before each input */
static hpa_t file, file_end, module;
static bool is_made;

static void make(void)
{
    hpa_t guard;

    ram_reset(HOST_RAM);
    file = memory_alloc_contiguous(MOST_BYTES / PAGE_SIZE, PAGE_SIZE);
    file_end = hpa_add(file, MOST_BYTES);
    guard = memory_alloc_frame();
    fuzz_need(guard.raw == file_end.raw, "the guard is elsewhere");
    module = memory_alloc_frame();
    fuzz_need(e820_build(&map, ranges, ARRAY_SIZE(ranges)) == OK, "no map");
    fuzz_need(aspace_init(&memory, &s2_sv39x4, NULL) == OK, "no memory");
    fuzz_need(aspace_map_lazy(&memory, gpa(0), GUEST_RAM, MEM_RWX, false) == OK,
              "no guest memory");
    /* What is behind the file cannot be touched any more, until it becomes
     * guest memory; images have been looked at by then. */
    memory_free_frame(guard);
    fresh = memory;
    fuzz_remember();
    is_made = true;
}

/* All is taken apart, and nothing must be left. */
static void end(void)
{
    aspace_fini(&memory);
    memory_free_contiguous(file, MOST_BYTES / PAGE_SIZE);
    memory_free_frame(module);
    fuzz_need(ram_frames_in_use() == 0, "frames have leaked");
    is_made = false;
}

static bool is_in_ram(uint64_t at, uint64_t size)
{
    return e820_is_ram(&map, at, size);
}

static void check_entry(enum x86_boot_protocol protocol,
                        const struct x86_entry *entry)
{
    const struct x86_segment *cs = &entry->segment[X86_CS];

    if (protocol == X86_BOOT_FIRMWARE)
        return;
    fuzz_need(is_in_ram(cs->base + entry->rip, 1), "it is entered nowhere");
    if (entry->mode != X86_ENTRY_REAL)
        fuzz_need(is_in_ram(entry->gdtr.base, entry->gdtr.limit + 1U),
                  "its GDT is nowhere");
    if (protocol == X86_BOOT_LINUX) {
        fuzz_need(is_in_ram(entry->cr3, X86_ENTRY_TABLE_PAGES * PAGE_SIZE),
                  "its page tables are nowhere");
        fuzz_need(is_in_ram(entry->gpr[X86_GPR_RSI], PAGE_SIZE),
                  "its zero page is nowhere");
    }
}

static void load(enum x86_boot_protocol protocol,
                 const struct x86_boot_image *image)
{
    struct x86_boot_machine machine = {.map = &map, .rsdp = gpa(0xe0000)};
    struct x86_entry entry;
    char what[X86_BOOT_WHAT_SIZE] = "";
    uint64_t frames = ram_frames_in_use();
    err_t error =
        x86_boot_load(protocol, image, &machine, &memory, &entry, what);

    if (error == OK) {
        check_entry(protocol, &entry);
        return;
    }
    fuzz_need(what[0] != '\0', "nobody says what is wrong");
    fuzz_need(memchr(what, '\0', sizeof(what)) != NULL, "it says too much");
    if (error == ERR_INVALID_INPUT || error == ERR_UNSUPPORTED)
        fuzz_need(ram_frames_in_use() == frames,
                  "an image is refused, and in memory");
    else
        fuzz_need(error == ERR_NO_MEMORY, "it fails for no reason");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct x86_boot_image image = {0};

    if (size < PROLOGUE || size - PROLOGUE > MOST_BYTES)
        return 0;
    if (!is_made)
        make();
    fuzz_rewind();
    memory = fresh;
    image.kernel.size = size - PROLOGUE;
    image.kernel.data = hpa(file_end.raw - image.kernel.size);
    image.kernel.cmdline = (data[1] & HAS_CMDLINE) != 0 ? "a=b c" : NULL;
    memcpy(memory_phys_to_virt(image.kernel.data), data + PROLOGUE,
           image.kernel.size);
    image.module_count = data[1] % HAS_CMDLINE % (X86_BOOT_MAX_MODULES + 1);
    for (unsigned i = 0; i < image.module_count; i++)
        image.modules[i] = (struct x86_boot_file){module, MODULE_SIZE + i,
                                                  i % 2 == 0 ? "module" : NULL};
    load((enum x86_boot_protocol)(data[0] % X86_BOOT_PROTOCOL_COUNT), &image);
    if (fuzz_is_last())
        end();
    return 0;
}
