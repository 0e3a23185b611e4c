/* SPDX-License-Identifier: Apache-2.0 */
/* What is collected about the machine at boot: board.h. */
#include "host/board.h"

#include "host/host.h"
#include "lib/string.h"

const char *board_argument(const struct board *board, const char *name)
{
    const char *word = board->bootargs;
    size_t length = strlen(name);

    while (word != NULL) {
        word += *word == ' ';
        if (strncmp(word, name, length) == 0 &&
            (word[length] == '\0' || word[length] == ' ' ||
             word[length] == '='))
            return word + length;
        word = strchr(word, ' ');
    }
    return NULL;
}

void board_add_ram(struct board *board, uint64_t start, uint64_t size)
{
    if (size == 0)
        return;
    if (board->ram_count == BOARD_MAX_RAM) {
        host_print("twinax: memory at 0x%llx is not used: there are more than "
                   "%u pieces\n",
                   (unsigned long long)start, BOARD_MAX_RAM);
        return;
    }
    board->ram[board->ram_count++] = (struct range){start, size};
}

void board_reserve(struct board *board, uint64_t start, uint64_t size)
{
    if (size == 0)
        return;
    if (board->reserved_count == BOARD_MAX_RESERVED)
        host_refuse("the machine reserves more than %u pieces of memory",
                    BOARD_MAX_RESERVED);
    board->reserved[board->reserved_count++] = (struct range){start, size};
}

void board_set_bundle(struct board *board, uint64_t start, uint64_t size)
{
    board->bundle = (struct range){start, size};
    board_reserve(board, start, size);
}
