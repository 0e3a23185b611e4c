/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/arch/x86_64/boot/rig.h"

#include "lib/bits.h"
#include "sim/ram.h"
#include "sim/shim.h"

struct rig rig;

#define HOST_RAM (UINT64_C(160) << 20)

void rig_start(void)
{
    static const struct e820_entry ranges[] = {{0, RIG_MEMORY, E820_RAM}};

    ram_reset(HOST_RAM);
    rig = (struct rig){0};
    cr_assert_eq(aspace_init(&rig.memory, &s2_sv39x4, NULL), OK);
    cr_assert_eq(
        aspace_map_lazy(&rig.memory, gpa(0), RIG_MEMORY, MEM_RWX, false), OK);
    cr_assert_eq(e820_build(&rig.map, ranges, ARRAY_SIZE(ranges)), OK);
    rig.machine = (struct x86_boot_machine){
        .map = &rig.map, .rsdp = gpa(RIG_RSDP), .signature = 0x00a20f10};
}

void rig_end(void)
{
    aspace_fini(&rig.memory);
}

static hpa_t allocate(size_t size)
{
    hpa_t at = memory_alloc_contiguous(size / PAGE_SIZE + 1, PAGE_SIZE);

    cr_assert(!hpa_is_none(at));
    return at;
}

struct x86_boot_file rig_file(const void *bytes, size_t size)
{
    hpa_t at = allocate(size);

    at = hpa_add(at, (size / PAGE_SIZE + 1) * PAGE_SIZE - size);
    memcpy(memory_phys_to_virt(at), bytes, size);
    return (struct x86_boot_file){.data = at, .size = size};
}

static uint8_t pattern(size_t i, unsigned seed)
{
    return (uint8_t)(i * 7 + i / 251 + seed);
}

struct x86_boot_file rig_pattern_file(size_t size, unsigned seed)
{
    hpa_t at = allocate(size);
    uint8_t *bytes = memory_phys_to_virt(at);

    for (size_t i = 0; i < size; i++)
        bytes[i] = pattern(i, seed);
    return (struct x86_boot_file){.data = at, .size = size};
}

bool rig_has_pattern(uint64_t at, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        if (rig_get(at + i, 1) != pattern(i, seed))
            return false;
    }
    return true;
}

err_t rig_load(enum x86_boot_protocol protocol)
{
    return x86_boot_load(protocol, &rig.image, &rig.machine, &rig.memory,
                         &rig.entry, rig.what);
}

void rig_expect_refusal(enum x86_boot_protocol protocol, const char *what)
{
    uint64_t frames = ram_frames_in_use();
    err_t error;

    rig.what[0] = '\0';
    error = rig_load(protocol);
    cr_expect(error == ERR_INVALID_INPUT || error == ERR_UNSUPPORTED,
              "'%s': %s", what, error_text(error));
    cr_expect(strstr(rig.what, what) != NULL, "'%s' is not in '%s'", what,
              rig.what);
    cr_expect_eq(ram_frames_in_use(), frames, "%s", what);
}

void rig_expect_failures(enum x86_boot_protocol protocol)
{
    err_t error = ERR_NO_MEMORY;
    unsigned n;

    for (n = 1; error != OK; n++) {
        cr_assert_eq(aspace_unmap(&rig.memory, gpa(0), RIG_MEMORY), OK);
        cr_assert_eq(
            aspace_map_lazy(&rig.memory, gpa(0), RIG_MEMORY, MEM_RWX, false),
            OK);
        rig.what[0] = '\0';
        shim_fail_nth(n, "memory_alloc_frame", false);
        error = rig_load(protocol);
        shim_fail_never();
        if (error != OK) {
            cr_assert_eq(error, ERR_NO_MEMORY, "%u: %s", n, rig.what);
            cr_assert(strstr(rig.what, "out of memory") != NULL, "%u: '%s'", n,
                      rig.what);
        }
    }
    cr_expect_gt(n, 3u);
}

uint64_t rig_get(uint64_t at, unsigned width)
{
    uint8_t bytes[8];

    cr_assert_eq(aspace_read(&rig.memory, gpa(at), bytes, width), OK, "0x%llx",
                 (unsigned long long)at);
    return get_le(bytes, width);
}

void rig_expect_text(uint64_t at, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i++)
        cr_assert_eq(rig_get(at + i, 1), (uint8_t)text[i], "'%s'", text);
}

static void expect_descriptor(const struct x86_segment *segment)
{
    uint64_t low = rig_get(rig.entry.gdtr.base + segment->selector, 8);
    uint64_t limit = (low & 0xffff) | (low >> 32 & 0xf0000);

    cr_assert_leq(segment->selector + 7, rig.entry.gdtr.limit);
    if ((low >> 55 & 1) != 0)
        limit = limit << 12 | 0xfff;
    cr_expect_eq(limit, segment->limit);
    cr_expect_eq((low >> 16 & 0xffffff) | (low >> 56 << 24), segment->base);
    cr_expect_eq((low >> 40 & 0xff) | (low >> 44 & 0xf00), segment->attributes);
}

void rig_expect_gdt(void)
{
    cr_expect_eq(rig_get(rig.entry.gdtr.base, 8), 0u);
    for (unsigned i = X86_ES; i <= X86_GS; i++)
        expect_descriptor(&rig.entry.segment[i]);
    expect_descriptor(&rig.entry.segment[X86_ENTRY_TR]);
}
