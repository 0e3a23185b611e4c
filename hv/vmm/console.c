/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One console for all VMs. The VM in focus is connected to it: its output is
 * shown as it comes, and what is typed is its input. Other VMs' output is
 * shown by whole lines, each behind the VM's name. The keys of the console's
 * own follow the escape key, Ctrl-]; docs/console.md lists them.
 *
 * Nobody writes into a line that the VM in focus has begun. Lines of others
 * are held until it ends, or until it is clear that it will not end soon: its
 * VM rests, as at a prompt, or what is held fills its buffer. Then a line of
 * the console's own making ends it.
 *
 * Input that the VM in focus does not take is kept, up to CONSOLE_INPUT bytes;
 * what is typed beyond that is dropped with a bell, so that the escape key
 * works whatever the guest does.
 */
#include "api/console.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "vmm/internal.h"

#define ESCAPE_KEY 0x1d /* Ctrl-] */

static void put(const char *text, size_t size)
{
    if (size != 0)
        console_write(text, size);
}

/* A line of what was measured. */
static void report_line(void *context, const char *line)
{
    (void)context;
    console_report("[twinax] ", 9);
    console_report(line, strlen(line));
    console_report("\r\n", 2);
}

static void show_stats(const struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        char text[VM_NAME_SIZE + 64];

        (void)format_text(text, sizeof(text),
                          "[twinax] VM %u (%s) vCPU %u:\r\n", vm->config.id,
                          vm->config.name, i);
        put(text, strlen(text));
        exit_stats_print(vm->vcpus[i]->stats, report_line, NULL);
    }
}

/* Shows what is held; a line that the VM in focus has begun ends here. */
static void release(struct console *console)
{
    if (console->mid_line)
        put("\r\n", 2);
    console->mid_line = false;
    put(console->held, console->held_used);
    console->held_used = 0;
    for (uint64_t due = console->stats_due; due != 0; due &= due - 1) {
        if (vmm->vms[bit_lowest(due)] != NULL)
            show_stats(vmm->vms[bit_lowest(due)]);
    }
    console->stats_due = 0;
    atomic_store(&console->is_behind, false);
}

void console_release(void)
{
    spin_lock(&vmm->console.lock);
    release(&vmm->console);
    spin_unlock(&vmm->console.lock);
}

/* Shows a piece of a line, or holds it: there is room. */
static void emit(struct console *console, const char *text, size_t size)
{
    if (console->mid_line) {
        memcpy(console->held + console->held_used, text, size);
        console->held_used += size;
    } else {
        put(text, size);
    }
}

static void print_line(const char *label, const char *text, size_t size)
{
    struct console *console = &vmm->console;
    size_t label_size = strlen(label);

    if (console->held_used + label_size + size + strlen("[] \r\n") >
        CONSOLE_HELD)
        release(console);
    emit(console, "[", 1);
    emit(console, label, label_size);
    emit(console, "] ", 2);
    emit(console, text, size);
    emit(console, "\r\n", 2);
    atomic_store(&console->is_behind, console->mid_line);
}

void console_print(const char *format, ...)
{
    char text[VM_REASON_SIZE + 64];
    va_list args;
    size_t size;

    va_start(args, format);
    size = format_args(text, sizeof(text), format, args);
    va_end(args);
    if (size >= sizeof(text))
        size = sizeof(text) - 1;
    spin_lock(&vmm->console.lock);
    print_line("twinax", text, size);
    spin_unlock(&vmm->console.lock);
}

static void flush_line(struct console_port *port)
{
    if (port->line_used != 0)
        print_line(port->label, port->line, port->line_used);
    port->line_used = 0;
}

/* Output of a VM that is not in focus: gathered to whole lines. */
static void gather(struct console_port *port, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char byte = bytes[i];

        if (byte == '\n' || port->line_used == CONSOLE_LINE)
            flush_line(port);
        if (byte != '\n' && byte != '\r')
            port->line[port->line_used++] = byte;
    }
}

/* Output of the VM in focus. What waits for the end of its line comes between
 * that and the beginning of the next. */
static void show(struct console *console, const char *text, size_t size)
{
    size_t ended = size;

    while (ended != 0 && text[ended - 1] != '\n')
        ended--;
    put(text, ended);
    if (ended != 0) {
        console->mid_line = false;
        if (atomic_load(&console->is_behind))
            release(console);
    }
    put(text + ended, size - ended);
    console->mid_line |= ended != size;
}

static void port_write(struct chardev *chardev, const uint8_t *bytes,
                       size_t size)
{
    struct console_port *port =
        container_of(chardev, struct console_port, chardev);
    const char *text = (const char *)bytes;

    if (size == 0)
        return;
    spin_lock(&vmm->console.lock);
    if (port->vm == vmm->console.focus && port->is_main)
        show(&vmm->console, text, size);
    else
        gather(port, text, size);
    spin_unlock(&vmm->console.lock);
}

static size_t port_read(struct chardev *chardev, uint8_t *bytes, size_t size)
{
    struct console_port *port =
        container_of(chardev, struct console_port, chardev);
    size_t taken = 0;

    spin_lock(&vmm->console.lock);
    while (taken < size && port->input_tail != port->input_head) {
        bytes[taken++] = port->input[port->input_tail % CONSOLE_INPUT];
        port->input_tail++;
    }
    spin_unlock(&vmm->console.lock);
    return taken;
}

static struct console_port *main_port(const struct vm *vm)
{
    for (struct console_port *port = vmm->console.ports; port != NULL;
         port = port->next) {
        if (port->vm == vm && port->is_main)
            return port;
    }
    return NULL;
}

static struct chardev *open_console(struct vm *vm, const char *device)
{
    struct console_port *port = arena_new(&vm->arena, struct console_port);

    if (port == NULL)
        return NULL;
    port->chardev.write = port_write;
    port->chardev.read = port_read;
    port->vm = vm;
    port->is_main = device == NULL;
    (void)format_text(port->label, sizeof(port->label),
                      port->is_main ? "%s" : "%s %s", vm->config.name, device);
    spin_lock(&vmm->console.lock);
    port->next = vmm->console.ports;
    vmm->console.ports = port;
    spin_unlock(&vmm->console.lock);
    return &port->chardev;
}

static void close_console(struct vm *vm)
{
    struct console_port **link = &vmm->console.ports;

    spin_lock(&vmm->console.lock);
    while (*link != NULL) {
        if ((*link)->vm == vm)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
    if (vmm->console.focus == vm)
        vmm->console.focus = NULL;
    spin_unlock(&vmm->console.lock);
}

const struct vm_host vmm_vm_host = {open_console, close_console};

/* Ends the lines that a VM has begun. */
static void end_lines(const struct vm *vm)
{
    for (struct console_port *port = vmm->console.ports; port != NULL;
         port = port->next) {
        if (port->vm == vm)
            flush_line(port);
    }
    if (vm == vmm->console.focus)
        release(&vmm->console);
}

void console_flush(const struct vm *vm)
{
    spin_lock(&vmm->console.lock);
    end_lines(vm);
    spin_unlock(&vmm->console.lock);
}

void console_report_stats(const struct vm *vm)
{
    struct console *console = &vmm->console;

    /* Held as a request: a text whose length was measured would have a replay
     * hold more or less than the recording did. */
    spin_lock(&console->lock);
    console->stats_due |= BIT(vm->config.id);
    if (console->mid_line)
        atomic_store(&console->is_behind, true);
    else
        release(console);
    spin_unlock(&console->lock);
}

static void set_focus(struct vm *vm)
{
    spin_lock(&vmm->console.lock);
    release(&vmm->console);
    end_lines(vm);
    vmm->console.focus = vm;
    spin_unlock(&vmm->console.lock);
}

/* The console's own keys. */

static void key_list(struct vm *focus)
{
    for (unsigned i = 0; i < VMM_MAX_VMS; i++) {
        const struct vm *vm = vmm->vms[i];

        if (vm != NULL)
            console_print("%c VM %u (%s): %s, %u vCPUs",
                          vm == focus ? '*' : ' ', vm->config.id,
                          vm->config.name, vm_state_name(vm->state),
                          vm->config.cpu_num);
    }
}

static void key_next(struct vm *focus)
{
    unsigned from = focus != NULL ? focus->config.id : 0;

    for (unsigned i = 1; i <= VMM_MAX_VMS; i++) {
        struct vm *vm = vmm->vms[(from + i) % VMM_MAX_VMS];

        if (vm == NULL)
            continue;
        set_focus(vm);
        console_print("VM %u (%s) is connected", vm->config.id,
                      vm->config.name);
        return;
    }
}

static void key_stats(struct vm *focus)
{
    if (focus != NULL)
        console_report_stats(focus);
}

static void report_outcome(const struct vm *vm, const char *what, err_t error)
{
    if (error != OK)
        console_print("VM %u (%s) cannot be %s: it is %s", vm->config.id,
                      vm->config.name, what, vm_state_name(vm->state));
}

static void key_pause(struct vm *focus)
{
    if (focus == NULL)
        return;
    if (focus->state == VM_PAUSED)
        report_outcome(focus, "resumed", vmm_resume_vm(focus));
    else
        report_outcome(focus, "paused", vmm_pause_vm(focus));
}

static void key_stop(struct vm *focus)
{
    if (focus != NULL)
        report_outcome(focus, "stopped",
                       vmm_stop_vm(focus, VM_STOP_FORCED, "from the console"));
}

static void key_restart(struct vm *focus)
{
    if (focus != NULL)
        report_outcome(focus, "restarted", vmm_restart_vm(focus));
}

static void key_quit(struct vm *focus)
{
    (void)focus;
    console_print("powering off");
    host_power_off(false);
}

static void key_help(struct vm *focus);

static const struct {
    char key;
    const char *help;
    void (*run)(struct vm *focus);
} keys[] = {
    {'h', "this list", key_help},
    {'l', "list the VMs", key_list},
    {'n', "connect to the next VM", key_next},
    {'s', "the connected VM's exits: counts and costs", key_stats},
    {'p', "pause or resume the connected VM", key_pause},
    {'x', "stop the connected VM", key_stop},
    {'r', "stop, reset and start the connected VM", key_restart},
    {'q', "power the machine off", key_quit},
};

static void key_help(struct vm *focus)
{
    (void)focus;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        console_print("Ctrl-] %c  %s", keys[i].key, keys[i].help);
    console_print("Ctrl-] Ctrl-]  send Ctrl-] to the VM");
}

static void run_key(uint8_t byte)
{
    struct vm *focus = vmm->console.focus;

    console_release();
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].key == (char)byte) {
            keys[i].run(focus);
            return;
        }
    }
    key_help(focus);
}

/* A byte for the VM in focus. */
static void type_byte(uint8_t byte)
{
    struct console_port *port;

    spin_lock(&vmm->console.lock);
    port = main_port(vmm->console.focus);
    if (port != NULL && port->input_head - port->input_tail < CONSOLE_INPUT) {
        port->input[port->input_head % CONSOLE_INPUT] = byte;
        port->input_head++;
    } else {
        put("\a", 1);
    }
    spin_unlock(&vmm->console.lock);
}

/* Tells the device in focus that there is input. */
static void deliver(void)
{
    struct console_port *port;

    spin_lock(&vmm->console.lock);
    port = main_port(vmm->console.focus);
    spin_unlock(&vmm->console.lock);
    if (port != NULL)
        chardev_notify(&port->chardev);
}

void console_poll(void)
{
    uint8_t bytes[64];
    size_t size;

    while ((size = console_read(bytes, sizeof(bytes))) != 0) {
        for (size_t i = 0; i < size; i++) {
            bool escaped = vmm->console.escape;

            vmm->console.escape = !escaped && bytes[i] == ESCAPE_KEY;
            if (escaped && bytes[i] != ESCAPE_KEY)
                run_key(bytes[i]);
            else if (!vmm->console.escape)
                type_byte(bytes[i]);
        }
        deliver();
    }
}
