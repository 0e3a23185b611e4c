/* SPDX-License-Identifier: Apache-2.0 */
/* See rig.h. What the parsers call of the host is here, too. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "lib/bits.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(at, size)   __asan_poison_memory_region(at, size)
#define UNPOISON(at, size) __asan_unpoison_memory_region(at, size)
#else
#define POISON(at, size)   ((void)(at), (void)(size))
#define UNPOISON(at, size) ((void)(at), (void)(size))
#endif

/* What is shown is remembered piece by piece: hiding all of memory would take
 * longer than most tables to be read. */
#define MOST_SHOWN 64
#define GRANULE    8

static uint8_t memory[RIG_MEMORY] __attribute__((aligned(4096)));
static struct {
    uint64_t address, size;
} shown[MOST_SHOWN];
static unsigned shown_count; /* more than MOST_SHOWN: anything */
static jmp_buf refused;
static char refusal[256];

static void show(uint64_t address, uint64_t size)
{
    UNPOISON(memory + address, size);
    if (shown_count < MOST_SHOWN) {
        shown[shown_count].address = address;
        shown[shown_count].size = size;
    }
    shown_count += shown_count <= MOST_SHOWN;
}

/* What begins or ends within a granule of AddressSanitizer's had all of it
 * shown up to there. */
static void hide_all(void)
{
    if (shown_count > MOST_SHOWN)
        POISON(memory, sizeof(memory));
    for (unsigned i = 0; i < shown_count && i < MOST_SHOWN; i++) {
        uint64_t start = align_down(shown[i].address, GRANULE);

        POISON(memory + start,
               align_up(shown[i].address + shown[i].size, GRANULE) - start);
    }
    shown_count = 0;
}

void rig_start(struct x86_board *x86)
{
    show(0, sizeof(memory));
    memset(memory, 0, sizeof(memory));
    memset(x86, 0, sizeof(*x86));
}

uint8_t *rig_at(uint64_t address, size_t size)
{
    show(address, size);
    return memory + address;
}

void rig_put(uint64_t address, const void *bytes, size_t size)
{
    memcpy(rig_at(address, size), bytes, size);
}

const void *x86_board_look(uint64_t address, uint64_t size)
{
    if (address == 0 || size > RIG_MEMORY || address > RIG_MEMORY - size)
        return NULL;
    show(address, size);
    return memory + address;
}

void host_print(const char *format, ...) {}

void host_refuse(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(refusal, sizeof(refusal), format, args);
    va_end(args);
    longjmp(refused, 1);
}

const char *rig_bootinfo(struct x86_board *x86, uint32_t protocol,
                         uint64_t info)
{
    hide_all();
    if (setjmp(refused) != 0)
        return refusal;
    bootinfo_read(x86, protocol, info);
    return NULL;
}

const char *rig_acpi(struct x86_board *x86)
{
    hide_all();
    if (setjmp(refused) != 0)
        return refusal;
    acpi_read(x86);
    return NULL;
}

void rig_sum(uint64_t address, size_t size, size_t sum)
{
    uint8_t *bytes = rig_at(address, size);
    uint8_t total = 0;

    bytes[sum] = 0;
    for (size_t i = 0; i < size; i++)
        total = (uint8_t)(total + bytes[i]);
    bytes[sum] = (uint8_t)-total;
}

void rig_table(uint64_t address, const char *signature, const void *body,
               size_t size)
{
    uint32_t length = (uint32_t)size;

    rig_put(address, signature, 4);
    rig_put(address + 4, &length, sizeof(length));
    rig_put(address + RIG_TABLE_HEADER, body, size - RIG_TABLE_HEADER);
    rig_sum(address, size, 9);
}
