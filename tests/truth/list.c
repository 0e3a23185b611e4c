/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of cases: see list.h. For both bodies, so it has no C library. */
#include "tests/truth/list.h"

#include "lib/string.h"

/* What is left to read. */
struct cursor {
    const uint8_t *bytes;
    uint32_t at, size;
    bool is_short;
};

static const uint8_t *take(struct cursor *cursor, uint32_t size)
{
    const uint8_t *bytes = cursor->bytes + cursor->at;

    if (size > cursor->size - cursor->at) {
        cursor->is_short = true;
        return NULL;
    }
    cursor->at += size;
    return bytes;
}

static uint64_t take_number(struct cursor *cursor, unsigned size)
{
    const uint8_t *bytes = take(cursor, size);
    uint64_t value = 0;

    if (bytes != NULL)
        memcpy(&value, bytes, size);
    return value;
}

static struct truth_entries take_entries(struct cursor *cursor)
{
    struct truth_entries entries = {.count = (uint32_t)take_number(cursor, 2)};

    entries.bytes = take(cursor, entries.count * TRUTH_ENTRY_SIZE);
    return entries;
}

static void take_case(struct cursor *cursor, struct truth_case *result)
{
    result->state = (uint16_t)take_number(cursor, 2);
    result->rule = (uint16_t)take_number(cursor, 2);
    result->kind = (uint8_t)take_number(cursor, 1);
    result->op = (uint8_t)take_number(cursor, 1);
    result->code_at = (uint32_t)take_number(cursor, 4);
    result->code_size = (uint8_t)take_number(cursor, 1);
    result->code = take(cursor, result->code_size);
    result->entries = take_entries(cursor);
}

uint32_t truth_checksum(uint32_t checksum, const void *bytes, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const uint8_t *byte = bytes;

    checksum = ~checksum;
    while (size-- != 0) {
        checksum ^= *byte++;
        checksum = checksum >> 4 ^ table[checksum & 15];
        checksum = checksum >> 4 ^ table[checksum & 15];
    }
    return ~checksum;
}

static const char *check_header(const struct truth_header *header,
                                const uint8_t *bytes, size_t size)
{
    if (header->magic != TRUTH_MAGIC)
        return "this is no list of cases";
    if (header->version != TRUTH_VERSION)
        return "the list is of another version";
    if (header->cpu != TRUTH_SVM && header->cpu != TRUTH_VMX)
        return "the list is for another kind of processor";
    if (header->size < sizeof(*header) || header->size > size)
        return "the list is cut off";
    if (header->checksum != truth_checksum(0, bytes + sizeof(*header),
                                           header->size - sizeof(*header)))
        return "the list is damaged: its checksum is wrong";
    if (memchr(header->profile, '\0', sizeof(header->profile)) == NULL)
        return "the profile's name has no end";
    if (header->pages == 0 || header->pages > TRUTH_MAX_PAGES)
        return "the guest's memory is of no size that there is";
    if (header->pieces > TRUTH_MAX_PIECES || header->rules > TRUTH_MAX_RULES ||
        header->states == 0 || header->states > TRUTH_MAX_STATES)
        return "there are too many pieces, rules or states, or none";
    return NULL;
}

static bool fits(const struct truth_header *header, uint32_t at, uint32_t size)
{
    uint32_t end = header->pages * 4096;

    return at <= end && size <= end - at;
}

static const char *check_case(const struct truth_list *list,
                              const struct truth_case *one)
{
    if (one->state >= list->header.states)
        return "a case is of a state that there is not";
    if (one->rule != TRUTH_NO_RULE && one->rule >= list->header.rules)
        return "a case is of a rule that there is not";
    if (one->kind > TRUTH_RANDOM)
        return "a case is of no kind that there is";
    if (one->code_size > TRUTH_MAX_CODE ||
        !fits(&list->header, one->code_at, one->code_size))
        return "a case's code is not in the guest's memory";
    return NULL;
}

static const char *read_cases(struct truth_list *list, struct cursor *cursor)
{
    list->first = cursor->at;
    for (uint32_t i = 0; i < list->header.cases; i++) {
        struct truth_case one;
        const char *wrong;

        take_case(cursor, &one);
        if (cursor->is_short)
            return "a case is cut off";
        wrong = check_case(list, &one);
        if (wrong != NULL)
            return wrong;
    }
    return cursor->at == cursor->size ? NULL
                                      : "there is something behind the cases";
}

const char *truth_open(struct truth_list *list, const void *bytes, size_t size)
{
    struct truth_header *header = &list->header;
    struct cursor cursor = {.bytes = bytes, .at = sizeof(*header)};
    const char *wrong;

    if (size < sizeof(*header))
        return "this is no list of cases: it is too short";
    memcpy(header, bytes, sizeof(*header));
    wrong = check_header(header, bytes, size);
    if (wrong != NULL)
        return wrong;
    cursor.size = header->size;
    list->bytes = bytes;
    list->rights = take(&cursor, header->pages);
    for (uint32_t i = 0; i < header->pieces; i++) {
        struct truth_piece *piece = &list->pieces[i];

        piece->at = (uint32_t)take_number(&cursor, 4);
        piece->size = (uint32_t)take_number(&cursor, 4);
        piece->bytes = take(&cursor, piece->size);
        if (!fits(header, piece->at, piece->size))
            return "a piece is not in the guest's memory";
    }
    for (uint32_t i = 0; i < header->rules; i++) {
        list->rules[i].size = (uint8_t)take_number(&cursor, 1);
        list->rules[i].name = take(&cursor, list->rules[i].size);
    }
    for (uint32_t i = 0; i < header->states; i++)
        list->states[i] = take_entries(&cursor);
    if (cursor.is_short)
        return "the list ends before its cases";
    return read_cases(list, &cursor);
}

void truth_next(const struct truth_list *list, uint32_t *at,
                struct truth_case *result)
{
    struct cursor cursor = {
        .bytes = list->bytes, .at = *at, .size = list->header.size};

    take_case(&cursor, result);
    *at = cursor.at;
}

struct truth_entry truth_entry(const struct truth_entries *entries,
                               uint32_t index)
{
    const uint8_t *bytes = entries->bytes + index * TRUTH_ENTRY_SIZE;
    struct truth_entry entry;

    memcpy(&entry.field, bytes, sizeof(entry.field));
    memcpy(&entry.value, bytes + sizeof(entry.field), sizeof(entry.value));
    return entry;
}
