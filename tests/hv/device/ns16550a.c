/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UART against its data sheet, PC16550D. Registers and bits are those of
 * Linux' user-space header, which was written independently of the model.
 */
#include <linux/serial_reg.h>
#include <string.h>

#include "board.h"
#include "support/rows.h"

#define BASE UINT64_C(0x10000000)
#define IRQ  10

#define FIFO_SIZE 16

/* MSR as long as nothing happens: a peer that is ready. */
#define PEER (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD)

/* LSR with nothing received. */
#define EMPTY (UART_LSR_THRE | UART_LSR_TEMT)

/* What Linux has no name for: IIR with nothing pending, and both FIFO bits. */
#define NONE  UART_IIR_NO_INT
#define FIFOS 0xc0

static const struct property uart_properties[] = {
    {"compatible", TEXT("ns16550a")},
    {"reg", CELLS(CELL64(0x10000000), CELL64(0x100))},
    {"interrupts", CELLS(CELL(IRQ))},
    END_OF_PROPERTIES,
};

static void make(struct board *board)
{
    board_make(board, 1);
    (void)board_add(board, "serial@10000000", uart_properties);
}

static unsigned get(struct board *board, unsigned reg)
{
    return (unsigned)board_read(board, BASE + reg, 1);
}

static void put(struct board *board, unsigned reg, unsigned value)
{
    board_write(board, BASE + reg, 1, value);
}

/* IIR, with the interrupt line as it must be for it. */
static unsigned identify(struct board *board)
{
    bool high = board->lines[IRQ];
    unsigned iir = get(board, UART_IIR);

    cr_assert_eq(high, (iir & UART_IIR_NO_INT) == 0);
    return iir & 0x3f;
}

static void type(struct board *board, size_t size)
{
    static const uint8_t bytes[256];

    board_type(board, bytes, size);
}

/* The data sheet's table of what a reset does, from the dirtiest state. */
Test(ns16550a, reset)
{
    static const struct {
        unsigned reg;
        unsigned value;
    } rows[] = {
        {UART_IER, 0},     {UART_IIR, NONE}, {UART_LCR, 0}, {UART_MCR, 0},
        {UART_LSR, EMPTY}, {UART_MSR, PEER}, {UART_SCR, 0}, {UART_RX, 0},
    };
    struct board board;

    make(&board);
    for (int dirty = 0; dirty < 2; dirty++) {
        if (dirty) {
            put(&board, UART_LCR, UART_LCR_DLAB);
            put(&board, UART_DLL, 1);
            put(&board, UART_DLM, 2);
            put(&board, UART_LCR, 0x7f);
            put(&board, UART_FCR, UART_FCR_ENABLE_FIFO);
            put(&board, UART_MCR, 0x1f);
            for (unsigned i = 0; i < 20; i++)
                put(&board, UART_TX, i); /* looped: an overrun, too */
            put(&board, UART_IER, 0x0f);
            put(&board, UART_SCR, 0xa5);
            cr_expect(board.lines[IRQ]);
            device_set_reset(&board.set);
        }
        cr_expect_not(board.lines[IRQ]);
        for_each_row (i, rows)
            cr_expect_eq(get(&board, rows[i].reg), rows[i].value,
                         "register %u: 0x%x", rows[i].reg,
                         get(&board, rows[i].reg));
        put(&board, UART_LCR, UART_LCR_DLAB);
        cr_expect_neq(get(&board, UART_DLL) + get(&board, UART_DLM), 0);
        put(&board, UART_LCR, 0);
    }
    board_end(&board);
}

/* Bits that exist are kept, others read as 0; the divisor latch lies over the
 * first two registers, and only over them. */
Test(ns16550a, registers)
{
    static const struct {
        unsigned lcr, reg, kept;
    } rows[] = {
        {0, UART_IER, 0x0f},
        {0, UART_LCR, 0xff},
        {0, UART_MCR, 0x1f},
        {0, UART_SCR, 0xff},
        {UART_LCR_DLAB, UART_DLL, 0xff},
        {UART_LCR_DLAB, UART_DLM, 0xff},
        {UART_LCR_DLAB, UART_LCR, 0xff},
        {UART_LCR_DLAB, UART_MCR, 0x1f},
        {UART_LCR_DLAB, UART_SCR, 0xff},
    };
    static const unsigned values[] = {0, 0xff, 0x55, 0xaa, 0x80, 0x01};
    struct board board;

    make(&board);
    for_each_row (i, rows) {
        for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
            put(&board, UART_LCR, rows[i].lcr);
            put(&board, rows[i].reg, values[k]);
            cr_expect_eq(get(&board, rows[i].reg), values[k] & rows[i].kept,
                         "row %zu, 0x%x", i, values[k]);
        }
    }
    put(&board, UART_MCR, 0);
    put(&board, UART_LCR, UART_LCR_DLAB);
    put(&board, UART_DLL, 0x12);
    put(&board, UART_DLM, 0x34);
    put(&board, UART_LCR, 0);
    put(&board, UART_IER, 0x05);
    put(&board, UART_LCR, UART_LCR_DLAB);
    cr_expect_eq(get(&board, UART_DLL), 0x12);
    cr_expect_eq(get(&board, UART_DLM), 0x34);
    cr_expect_eq(board.output_size, 0);
    put(&board, UART_LCR, 0);
    cr_expect_eq(get(&board, UART_IER), 0x05);
    /* LSR and MSR cannot be written, and what is behind them is nothing. */
    put(&board, UART_LSR, 0);
    put(&board, UART_MSR, 0);
    cr_expect_eq(get(&board, UART_LSR), EMPTY);
    cr_expect_eq(get(&board, UART_MSR) & 0xf0, PEER);
    for (unsigned reg = 8; reg < 0x100; reg++) {
        put(&board, reg, 0xff);
        cr_expect_eq(get(&board, reg), 0);
    }
    board_end(&board);
}

Test(ns16550a, transmits_bytes_as_they_are)
{
    static const unsigned lcrs[] = {0, UART_LCR_WLEN7, UART_LCR_WLEN8,
                                    UART_LCR_WLEN8 | UART_LCR_SBC};
    struct board board;
    size_t sent = 0;

    make(&board);
    for (size_t i = 0; i < ARRAY_SIZE(lcrs); i++) {
        put(&board, UART_LCR, lcrs[i]);
        for (unsigned byte = 0; byte < 256; byte++) {
            put(&board, UART_TX, byte);
            cr_expect_eq(get(&board, UART_LSR), EMPTY);
            sent++;
        }
    }
    cr_assert_eq(board.output_size, sent);
    for (size_t i = 0; i < sent; i++)
        cr_expect_eq(board.output[i], i % 256);
    board_end(&board);
}

Test(ns16550a, works_without_a_console)
{
    struct board board;

    board_make(&board, 1);
    board.context.console = NULL;
    (void)board_add(&board, "serial@10000000", uart_properties);
    put(&board, UART_TX, 'x');
    put(&board, UART_FCR, UART_FCR_ENABLE_FIFO);
    cr_expect_eq(get(&board, UART_LSR), EMPTY);
    cr_expect_eq(get(&board, UART_RX), 0);
    board_end(&board);
}

/*
 * The THRE interrupt: raised by enabling it and by every byte that has left,
 * ended by an IIR that shows it, and by no other.
 */
Test(ns16550a, thre_interrupt)
{
    struct board board;

    make(&board);
    put(&board, UART_TX, 'a');
    cr_expect_eq(identify(&board), NONE); /* not enabled */
    put(&board, UART_IER, UART_IER_THRI);
    cr_expect(board.lines[IRQ]);
    cr_expect_eq(identify(&board), UART_IIR_THRI);
    cr_expect_not(board.lines[IRQ]);
    cr_expect_eq(identify(&board), NONE);
    put(&board, UART_TX, 'b');
    cr_expect(board.lines[IRQ]);
    put(&board, UART_TX, 'c');
    cr_expect_eq(identify(&board), UART_IIR_THRI);
    cr_expect_eq(identify(&board), NONE);

    /* Reads of other registers do not end it. */
    put(&board, UART_TX, 'd');
    (void)get(&board, UART_LSR);
    (void)get(&board, UART_MSR);
    (void)get(&board, UART_RX);
    cr_expect_eq(identify(&board), UART_IIR_THRI);

    /* IIR shows something else: THRE stays pending behind it. */
    put(&board, UART_IER, UART_IER_THRI | UART_IER_RDI);
    put(&board, UART_TX, 'e');
    type(&board, 1);
    cr_expect_eq(identify(&board), UART_IIR_RDI);
    cr_expect_eq(identify(&board), UART_IIR_RDI);
    (void)get(&board, UART_RX);
    cr_expect_eq(identify(&board), UART_IIR_THRI);
    cr_expect_eq(identify(&board), NONE);

    /* Written again as it is, IER changes nothing; off and on raises it. */
    put(&board, UART_IER, UART_IER_THRI | UART_IER_RDI);
    cr_expect_eq(identify(&board), NONE);
    put(&board, UART_IER, UART_IER_THRI);
    cr_expect_eq(identify(&board), NONE);
    put(&board, UART_IER, 0);
    put(&board, UART_IER, UART_IER_THRI);
    cr_expect_eq(identify(&board), UART_IIR_THRI);

    /* Disabled while pending, it is gone from the line. */
    put(&board, UART_TX, 'f');
    put(&board, UART_IER, 0);
    cr_expect_not(board.lines[IRQ]);
    cr_expect_eq(identify(&board), NONE);

    /* After a change of FCR's bit 0, the next one is immediate. */
    put(&board, UART_IER, UART_IER_THRI);
    cr_expect_eq(identify(&board), UART_IIR_THRI);
    put(&board, UART_FCR, UART_FCR_ENABLE_FIFO);
    cr_expect_eq(identify(&board), UART_IIR_THRI);
    put(&board, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
    cr_expect_eq(identify(&board), NONE);
    board_end(&board);
}

/* Table "Interrupt Control Functions": which of those that are pending and
 * enabled IIR shows. */
Test(ns16550a, interrupt_priorities)
{
    static const struct {
        unsigned ier, iir;
    } rows[] = {
        {0, UART_IIR_RLSI},
        {UART_IER_RLSI, UART_IIR_RDI},
        {UART_IER_RDI, UART_IIR_THRI},
        {UART_IER_THRI, UART_IIR_MSI},
        {UART_IER_MSI, NONE},
    };

    for (int fifos = 0; fifos < 2; fifos++) {
        struct board board;
        unsigned ier = 0x0f;

        make(&board);
        put(&board, UART_FCR, fifos ? UART_FCR_ENABLE_FIFO : 0);
        /* Everything at once: overrun, data, THR empty, DTR has changed. */
        put(&board, UART_MCR, UART_MCR_LOOP);
        for (unsigned i = 0; i < FIFO_SIZE + 1; i++)
            put(&board, UART_TX, i);
        for_each_row (i, rows) {
            ier &= ~rows[i].ier;
            put(&board, UART_IER, ier);
            /* Raised anew, as the read of IIR below ends it. */
            cr_expect_eq(get(&board, UART_IIR),
                         rows[i].iir | (fifos ? FIFOS : 0), "row %zu", i);
        }
        board_end(&board);
    }
}

/* How each interrupt is ended: by what the table says, and not by IIR. */
Test(ns16550a, how_interrupts_end)
{
    static const struct {
        unsigned ier, iir, ends; /* the register whose read ends it */
    } rows[] = {
        {UART_IER_RLSI, UART_IIR_RLSI, UART_LSR},
        {UART_IER_RDI, UART_IIR_RDI, UART_RX},
        {UART_IER_MSI, UART_IIR_MSI, UART_MSR},
    };
    static const unsigned all[] = {UART_IIR, UART_LSR, UART_MSR, UART_IER,
                                   UART_LCR, UART_MCR, UART_SCR, UART_RX};

    for_each_row (i, rows) {
        struct board board;

        make(&board);
        put(&board, UART_MCR, UART_MCR_LOOP);
        put(&board, UART_TX, 1);
        if (rows[i].ier == UART_IER_RLSI)
            put(&board, UART_TX, 2); /* overruns */
        put(&board, UART_IER, rows[i].ier);
        for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
            if (all[k] == rows[i].ends)
                continue;
            (void)get(&board, all[k]);
            cr_expect_eq(identify(&board), rows[i].iir, "row %zu: %u", i,
                         all[k]);
        }
        (void)get(&board, rows[i].ends);
        cr_expect_eq(identify(&board), NONE, "row %zu", i);
        board_end(&board);
    }
}

/* Data available at the trigger level, timeout below it: the FIFO filled byte
 * by byte and emptied again. */
Test(ns16550a, trigger_levels)
{
    static const struct {
        unsigned fcr, level;
    } rows[] = {
        {UART_FCR_TRIGGER_1, 1},
        {UART_FCR_TRIGGER_4, 4},
        {UART_FCR_TRIGGER_8, 8},
        {UART_FCR_TRIGGER_14, 14},
    };

    for_each_row (i, rows) {
        struct board board;

        make(&board);
        put(&board, UART_FCR, UART_FCR_ENABLE_FIFO | rows[i].fcr);
        put(&board, UART_IER, UART_IER_RDI);
        for (unsigned count = 0; count <= FIFO_SIZE; count++) {
            unsigned iir = count == 0              ? NONE
                           : count < rows[i].level ? UART_IIR_RX_TIMEOUT
                                                   : UART_IIR_RDI;
            cr_expect_eq(identify(&board), iir, "level %u, %u bytes",
                         rows[i].level, count);
            type(&board, count < FIFO_SIZE);
        }
        for (unsigned count = FIFO_SIZE; count > 0; count--) {
            unsigned iir =
                count < rows[i].level ? UART_IIR_RX_TIMEOUT : UART_IIR_RDI;
            cr_expect_eq(identify(&board), iir, "level %u, %u bytes",
                         rows[i].level, count);
            cr_expect_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR);
            (void)get(&board, UART_RX);
        }
        cr_expect_eq(identify(&board), NONE);
        cr_expect_eq(get(&board, UART_LSR), EMPTY);
        board_end(&board);
    }
}

/* What writes of FCR do to a receiver that holds 5 bytes (1 without FIFOs). */
Test(ns16550a, fifo_control)
{
    enum { ON = UART_FCR_ENABLE_FIFO, ALL = 0xff };
    static const struct {
        unsigned before, write;
        bool cleared;
        unsigned iir;
    } rows[] = {
        {ON, ON, false, FIFOS},
        {ON, ON | UART_FCR_CLEAR_RCVR, true, FIFOS},
        {ON, ON | UART_FCR_CLEAR_XMIT, false, FIFOS},
        {ON, ON | UART_FCR_DMA_SELECT, false, FIFOS},
        {ON, ALL, true, FIFOS},
        {ON, 0, true, 0},
        {ON, UART_FCR_CLEAR_XMIT, true, 0},
        {0, ON, true, FIFOS},
        {0, 0, false, 0},
        {0, UART_FCR_CLEAR_RCVR, false, 0}, /* not without bit 0 */
    };

    for_each_row (i, rows) {
        struct board board;

        make(&board);
        put(&board, UART_FCR, rows[i].before);
        type(&board, rows[i].before ? 5 : 1);
        cr_expect(get(&board, UART_LSR) & UART_LSR_DR);
        put(&board, UART_FCR, rows[i].write);
        cr_expect_eq((get(&board, UART_LSR) & UART_LSR_DR) == 0,
                     rows[i].cleared, "row %zu", i);
        cr_expect_eq(get(&board, UART_IIR) & FIFOS, rows[i].iir, "row %zu", i);
        board_end(&board);
    }
}

/* The trigger is programmed only together with the enable bit. */
Test(ns16550a, trigger_needs_the_enable_bit)
{
    struct board board;

    make(&board);
    put(&board, UART_FCR, UART_FCR_TRIGGER_14);
    put(&board, UART_IER, UART_IER_RDI);
    put(&board, UART_FCR, UART_FCR_ENABLE_FIFO);
    type(&board, 1);
    cr_expect_eq(identify(&board), UART_IIR_RDI); /* level 1 */
    board_end(&board);
}

/* A driver that reads whenever it is told gets every byte in order, however
 * many come at a time, and nothing overruns. */
Test(ns16550a, input_waits_for_room)
{
    static const struct {
        unsigned fcr;
        unsigned chunk;
    } rows[] = {
        {0, 1},
        {0, 100},
        {UART_FCR_ENABLE_FIFO, 1},
        {UART_FCR_ENABLE_FIFO, 16},
        {UART_FCR_ENABLE_FIFO, 17},
        {UART_FCR_ENABLE_FIFO, 1000},
        {UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_14, 333},
        {UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8, 15},
    };
    static uint8_t text[1000];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 7 + i / 256);
    for_each_row (r, rows) {
        struct board board;
        size_t typed = 0;
        size_t got = 0;

        make(&board);
        put(&board, UART_FCR, rows[r].fcr);
        put(&board, UART_IER, UART_IER_RDI | UART_IER_RLSI);
        while (got < sizeof(text)) {
            size_t chunk = sizeof(text) - typed;

            chunk = chunk < rows[r].chunk ? chunk : rows[r].chunk;
            board_type(&board, text + typed, chunk);
            typed += chunk;
            cr_assert(board.lines[IRQ]);
            while (board.lines[IRQ]) {
                unsigned iir = get(&board, UART_IIR) & 0x0f;

                cr_assert(iir == UART_IIR_RDI || iir == UART_IIR_RX_TIMEOUT);
                cr_assert_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR);
                cr_assert_eq(get(&board, UART_RX), text[got++]);
            }
            cr_assert_eq(got, typed);
        }
        board_end(&board);
    }
}

/* Only as much leaves the console as there is room for. */
Test(ns16550a, takes_no_more_than_fits)
{
    struct board board;

    make(&board);
    type(&board, 100);
    cr_expect_eq(board.input_start, 1);
    (void)get(&board, UART_RX);
    cr_expect_eq(board.input_start, 2);
    put(&board, UART_FCR, UART_FCR_ENABLE_FIFO); /* one is cleared */
    cr_expect_eq(board.input_start, 2 + FIFO_SIZE);
    chardev_notify(&board.console);
    cr_expect_eq(board.input_start, 2 + FIFO_SIZE);
    for (unsigned i = 0; i < 3; i++)
        (void)get(&board, UART_RX);
    cr_expect_eq(board.input_start, 2 + FIFO_SIZE + 3);
    /* In the loop the line is cut: nothing comes in until it is left. */
    put(&board, UART_MCR, UART_MCR_LOOP);
    (void)get(&board, UART_RX);
    type(&board, 1);
    cr_expect_eq(board.input_start, 2 + FIFO_SIZE + 3);
    put(&board, UART_MCR, 0);
    cr_expect_eq(board.input_start, 2 + FIFO_SIZE + 4);
    cr_expect_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR);
    board_end(&board);
}

/* An overrun replaces RBR, but with FIFOs loses what is new. */
Test(ns16550a, overrun)
{
    for (unsigned fifos = 0; fifos < 2; fifos++) {
        unsigned room = fifos ? FIFO_SIZE : 1;
        struct board board;

        make(&board);
        put(&board, UART_LCR, UART_LCR_WLEN8);
        put(&board, UART_FCR, fifos ? UART_FCR_ENABLE_FIFO : 0);
        put(&board, UART_MCR, UART_MCR_LOOP);
        put(&board, UART_IER, UART_IER_RLSI);
        for (unsigned i = 0; i < room; i++)
            put(&board, UART_TX, 0x40 + i);
        cr_expect_eq(identify(&board), NONE);
        put(&board, UART_TX, 0xee);
        cr_expect_eq(identify(&board), UART_IIR_RLSI);
        cr_expect_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR | UART_LSR_OE);
        cr_expect_eq(identify(&board), NONE);
        cr_expect_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR);
        for (unsigned i = 0; i < room; i++)
            cr_expect_eq(get(&board, UART_RX), fifos ? 0x40 + i : 0xee);
        cr_expect_eq(get(&board, UART_LSR), EMPTY);
        board_end(&board);
    }
}

/* Bytes that go round have the word length that is set, and stay inside. */
Test(ns16550a, loop_carries_data)
{
    static const unsigned masks[] = {0x1f, 0x3f, 0x7f, 0xff};

    for (unsigned length = 0; length < ARRAY_SIZE(masks); length++) {
        struct board board;

        make(&board);
        put(&board, UART_LCR, length);
        put(&board, UART_MCR, UART_MCR_LOOP);
        for (unsigned byte = 0; byte < 256; byte++) {
            put(&board, UART_TX, byte);
            cr_expect_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR);
            cr_expect_eq(get(&board, UART_RX), byte & masks[length]);
        }
        cr_expect_eq(board.output_size, 0);
        put(&board, UART_MCR, 0);
        put(&board, UART_TX, 'x');
        cr_expect_eq(board.output_size, 1);
        cr_expect_eq(get(&board, UART_LSR), EMPTY);
        board_end(&board);
    }
}

/* The outputs come back as inputs: DTR as DSR, RTS as CTS, OUT1 as RI, OUT2 as
 * DCD. Each change shows once, that of RI only when it ends. */
Test(ns16550a, loop_crosses_modem_lines)
{
    enum { LOOP = UART_MCR_LOOP };
    static const struct {
        unsigned mcr, msr;
    } rows[] = {
        {LOOP, UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD},
        {LOOP, 0},
        {LOOP | UART_MCR_DTR, UART_MSR_DSR | UART_MSR_DDSR},
        {LOOP | UART_MCR_DTR, UART_MSR_DSR},
        {LOOP | UART_MCR_RTS, UART_MSR_CTS | UART_MSR_DCTS | UART_MSR_DDSR},
        {LOOP | UART_MCR_OUT1, UART_MSR_RI | UART_MSR_DCTS},
        {LOOP, UART_MSR_TERI},
        {LOOP | UART_MCR_OUT2, UART_MSR_DCD | UART_MSR_DDCD},
        {LOOP | 0x0f, UART_MSR_CTS | UART_MSR_DSR | UART_MSR_RI | UART_MSR_DCD |
                          UART_MSR_DCTS | UART_MSR_DDSR},
        {LOOP | UART_MCR_RTS | UART_MCR_OUT2,
         UART_MSR_CTS | UART_MSR_DCD | UART_MSR_DDSR | UART_MSR_TERI},
        {0x0b, PEER | UART_MSR_DDSR}, /* out of the loop: the peer again */
        {0x00, PEER},
        {0x0f, PEER},
    };
    struct board board;

    make(&board);
    put(&board, UART_IER, UART_IER_MSI);
    cr_expect_eq(identify(&board), NONE);
    for_each_row (i, rows) {
        put(&board, UART_MCR, rows[i].mcr);
        cr_expect_eq(identify(&board),
                     (rows[i].msr & 0x0f) ? UART_IIR_MSI : NONE, "row %zu", i);
        cr_expect_eq(get(&board, UART_MSR), rows[i].msr, "row %zu", i);
        cr_expect_eq(identify(&board), NONE, "row %zu", i);
        cr_expect_eq(get(&board, UART_MSR), rows[i].msr & 0xf0, "row %zu", i);
    }
    /* Changes add up until they are read. */
    put(&board, UART_MCR, LOOP | UART_MCR_OUT1 | UART_MCR_RTS);
    (void)get(&board, UART_MSR);
    put(&board, UART_MCR, LOOP | UART_MCR_RTS);
    put(&board, UART_MCR, LOOP);
    put(&board, UART_MCR, LOOP | UART_MCR_RTS);
    cr_expect_eq(get(&board, UART_MSR),
                 UART_MSR_CTS | UART_MSR_DCTS | UART_MSR_TERI);
    board_end(&board);
}

/* A break in the loop: one character 0 with its errors, however it began. */
Test(ns16550a, break_in_the_loop)
{
    enum { BROKEN = UART_LSR_BI | UART_LSR_FE };
    static const struct {
        unsigned reg, value, reg2, value2;
    } rows[] = {
        {UART_MCR, UART_MCR_LOOP, UART_LCR, UART_LCR_SBC},
        {UART_LCR, UART_LCR_SBC, UART_MCR, UART_MCR_LOOP},
    };

    for_each_row (i, rows) {
        struct board board;

        make(&board);
        put(&board, UART_IER, UART_IER_RLSI);
        put(&board, rows[i].reg, rows[i].value);
        cr_expect_eq(get(&board, UART_LSR), EMPTY);
        put(&board, rows[i].reg2, rows[i].value2);
        cr_expect_eq(identify(&board), UART_IIR_RLSI);
        cr_expect_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR | BROKEN);
        cr_expect_eq(identify(&board), NONE);
        cr_expect_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR);
        cr_expect_eq(get(&board, UART_RX), 0);
        put(&board, rows[i].reg2, rows[i].value2); /* goes on */
        cr_expect_eq(get(&board, UART_LSR), EMPTY);
        put(&board, UART_LCR, 0);
        put(&board, UART_LCR, UART_LCR_SBC);
        cr_expect_eq(get(&board, UART_LSR), EMPTY | UART_LSR_DR | BROKEN);
        cr_expect_eq(board.output_size, 0);
        board_end(&board);
    }
}

/* In the FIFO an error stays with its byte: LSR shows it when the byte is next
 * to be read, and bit 7 as long as one is in the FIFO. */
Test(ns16550a, errors_travel_through_the_fifo)
{
    enum { BROKEN = UART_LSR_BI | UART_LSR_FE, ERR = UART_LSR_FIFOE };
    enum { DATA = EMPTY | UART_LSR_DR };
    struct board board;

    make(&board);
    put(&board, UART_FCR, UART_FCR_ENABLE_FIFO);
    put(&board, UART_MCR, UART_MCR_LOOP);
    put(&board, UART_IER, UART_IER_RLSI);
    put(&board, UART_TX, 1);
    put(&board, UART_LCR, UART_LCR_SBC);
    put(&board, UART_LCR, 0);
    put(&board, UART_TX, 2);
    put(&board, UART_LCR, UART_LCR_SBC);
    put(&board, UART_LCR, 0);
    /* 1, break, 2, break */
    cr_expect_eq(identify(&board), NONE);
    cr_expect_eq(get(&board, UART_LSR), DATA | ERR);
    cr_expect_eq(get(&board, UART_RX), 1);
    cr_expect_eq(identify(&board), UART_IIR_RLSI);
    cr_expect_eq(get(&board, UART_LSR), DATA | BROKEN | ERR);
    cr_expect_eq(get(&board, UART_LSR), DATA | ERR); /* the second one */
    cr_expect_eq(get(&board, UART_RX), 0);
    cr_expect_eq(get(&board, UART_LSR), DATA | ERR);
    cr_expect_eq(get(&board, UART_RX), 2);
    /* Taken without a look at LSR, its error is still shown. */
    cr_expect_eq(get(&board, UART_RX), 0);
    cr_expect_eq(identify(&board), UART_IIR_RLSI);
    cr_expect_eq(get(&board, UART_LSR), EMPTY | BROKEN | ERR);
    cr_expect_eq(get(&board, UART_LSR), EMPTY);
    /* Clearing the FIFO clears its errors. */
    put(&board, UART_TX, 1);
    put(&board, UART_LCR, UART_LCR_SBC);
    put(&board, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
    cr_expect_eq(get(&board, UART_LSR), EMPTY);
    /* The one that is shown already, too. */
    put(&board, UART_LCR, 0);
    put(&board, UART_LCR, UART_LCR_SBC);
    cr_expect_eq(identify(&board), UART_IIR_RLSI);
    put(&board, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
    cr_expect_eq(identify(&board), NONE);
    cr_expect_eq(get(&board, UART_LSR), EMPTY);
    board_end(&board);
}

/* Where the registers are and how they are accessed. */
Test(ns16550a, register_layout)
{
    static const struct {
        uint32_t shift, io_width;
        unsigned widths; /* WIDTH_ bits that shall work */
    } rows[] = {
        {0, 1, 1}, {1, 1, 1}, {1, 2, 3}, {2, 1, 1}, {2, 4, 7}, {3, 4, 7},
    };

    for_each_row (i, rows) {
        const uint8_t shift[] = {CELL(rows[i].shift)};
        const uint8_t io_width[] = {CELL(rows[i].io_width)};
        const struct property properties[] = {
            {"compatible", TEXT("ns16550a")},
            {"reg", CELLS(CELL64(0x10000000), CELL64(0x100))},
            {"reg-shift", DATA(shift, 4)},
            {"reg-io-width", DATA(io_width, 4)},
            {"clock-frequency", CELLS(CELL(1843200))},
            END_OF_PROPERTIES,
        };
        static const uint8_t clock[] = {CELL(1843200)};
        struct board board;
        struct device *device;
        int node;

        board_make(&board, 1);
        device = board_add(&board, "serial", properties);
        for (unsigned width = 1; width <= 8; width *= 2) {
            uint64_t at = BASE + (UINT64_C(7) << rows[i].shift);
            uint64_t value = 0;
            bool works = (rows[i].widths & width) != 0;
            err_t expected = works ? OK : ERR_INVALID_INPUT;
            struct bus *bus = &board.set.buses[BUS_MMIO];

            if (!works && at % width != 0)
                continue;
            cr_expect_eq(bus_write(bus, at, width, 0x11223340 + width),
                         expected);
            cr_expect_eq(bus_read(bus, at, width, &value), expected);
            cr_expect_eq(value, works ? 0x40 + width : 0, "row %zu", i);
        }
        /* Between two registers there is none. */
        if (rows[i].shift != 0) {
            uint64_t at = BASE + (UINT64_C(7) << rows[i].shift) + 1;
            board_write(&board, at, 1, 0xff);
            cr_expect_eq(board_read(&board, at, 1), 0);
        }
        node = board_describe(&board, device);
        cr_expect(board_described(&board, node, "compatible", "ns16550a",
                                  sizeof("ns16550a")));
        cr_expect(board_described(&board, node, "clock-frequency", clock, 4));
        cr_expect_eq(board_described(&board, node, "reg-shift", shift, 4),
                     rows[i].shift != 0);
        cr_expect_eq(board_described(&board, node, "reg-io-width", io_width, 4),
                     rows[i].io_width != 1);
        board_end(&board);
    }
}

Test(ns16550a, bad_configurations)
{
    static const struct {
        const char *name;
        uint32_t value; /* reg: the size */
    } rows[] = {
        {"reg-shift", 5},    {"reg-io-width", 0},    {"reg-io-width", 3},
        {"reg-io-width", 8}, {"clock-frequency", 0}, {"reg", 7},
        {"reg", 1},
    };

    for_each_row (i, rows) {
        bool is_reg = strcmp(rows[i].name, "reg") == 0;
        const uint8_t value[] = {CELL(rows[i].value)};
        const struct property properties[] = {
            {"compatible", TEXT("ns16550a")},
            {"reg", CELLS(CELL64(BASE), CELL64(is_reg ? rows[i].value : 8))},
            {is_reg ? NULL : rows[i].name, DATA(value, 4)},
            END_OF_PROPERTIES,
        };
        struct board board;
        struct device *device = NULL;
        const char *what = "";

        board_make(&board, 1);
        board_configure(&board, "serial", properties);
        cr_expect_eq(device_from_node(&board.context, &device, &what),
                     ERR_INVALID_INPUT, "row %zu", i);
        cr_expect_str_eq(what, rows[i].name);
        board_end(&board);
    }
}

/* A PC's: on the bus of ports, all of which exist. */
Test(ns16550a, at_ports)
{
    static const struct {
        uint64_t base;
        err_t error;
    } rows[] = {
        {0x3f8, OK},
        {0xfff8, OK},
        {0xfff9, ERR_INVALID_INPUT},
        {0x10000, ERR_INVALID_INPUT},
    };

    for_each_row (i, rows) {
        const struct property properties[] = {
            {"compatible", TEXT("ns16550a")},
            {"reg", CELLS(CELL64(rows[i].base), CELL64(8))},
            {"ports", TEXT("")},
            END_OF_PROPERTIES,
        };
        struct board board;
        struct device *device = NULL;
        const char *what = "";
        uint64_t value = 0;

        board_make(&board, 1);
        board_configure(&board, "serial", properties);
        cr_expect_eq(device_from_node(&board.context, &device, &what),
                     rows[i].error, "row %zu", i);
        if (rows[i].error == OK) {
            cr_assert_eq(device_set_add(&board.set, device, NULL), OK);
            cr_expect_eq(bus_read(&board.set.buses[BUS_PORT],
                                  rows[i].base + UART_LSR, 1, &value),
                         OK);
            cr_expect_eq(value, EMPTY);
            cr_expect_eq(
                bus_read(&board.set.buses[BUS_MMIO], rows[i].base, 1, &value),
                ERR_NOT_FOUND);
        } else {
            cr_expect_str_eq(what, "reg", "row %zu", i);
        }
        board_end(&board);
    }
}

/* Any sequence of accesses and input: the line is what IIR says, and no byte
 * of the console's is lost or doubled unless the guest cleared it. */
Test(ns16550a, random_accesses)
{
    uint64_t seed = 7;

    for (unsigned round = 0; round < 20; round++) {
        struct board board;

        make(&board);
        for (unsigned step = 0; step < 1000; step++) {
            unsigned reg = (unsigned)random_below(&seed, 8);

            if (random_below(&seed, 8) == 0 && board.input_end < 4000)
                type(&board, random_below(&seed, 20));
            if (random_below(&seed, 2) == 0)
                (void)get(&board, reg);
            else if (board.output_size < sizeof(board.output))
                put(&board, reg, (unsigned)random_below(&seed, 256));
            (void)identify(&board);
        }
        device_set_reset(&board.set);
        cr_expect_not(board.lines[IRQ]);
        board_end(&board);
    }
}
