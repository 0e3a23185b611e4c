/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done about exits that no riscv64 guest makes: those of hardware that
 * says what was accessed, of ports, of refused entries. A vCPU of the machine
 * decodes them from a row instead of its registers.
 */
#include "support/machine.h"
#include "support/rows.h"

static struct vm_exit decoded;

static void decode_row(const struct vcpu *vcpu, struct vm_exit *exit)
{
    *exit = decoded;
}

static struct vcpu_ops ops;

/* What the register holds before. */
#define MARK 0x77

/* vCPU 0 of VM 1, which is in its guest. */
static struct vcpu *make(void)
{
    struct vcpu *vcpu;

    make_machine(1, 1, 2);
    (void)run_op(1, 0, OP_LOAD_OF(SPEC_MEMORY, 8));
    vcpu = vmm_find_vm(1)->vcpus[0];
    ops = *vcpu->ops;
    ops.decode = decode_row;
    vcpu->ops = &ops;
    return vcpu;
}

static enum verdict handle(struct vcpu *vcpu, struct vm_exit exit)
{
    decoded = exit;
    return vm_handle_exit(vcpu->config.vm, vcpu);
}

#define MMIO(kind_, at, bytes, value)               \
    {                                               \
        .kind = (kind_), .insn_len = 4, .access = { \
            .address = (at),                        \
            .width = (bytes),                       \
            .reg = OP_DEFAULT_REG,                  \
            .reg_width = 8,                         \
            .insn_len = 4,                          \
            .write = (kind_) == EXIT_MMIO_WRITE,    \
            .data = (value)                         \
        }                                           \
    }

/* What becomes of the pc. */
enum { STAYS = 0, TRAPS = -1 };

static const struct {
    const char *name;
    struct vm_exit exit;
    enum verdict verdict;
    int moves;       /* the pc: bytes, or TRAPS */
    uint64_t value;  /* of the register, which was MARK */
    const char *why; /* the VM's reason to stop, or NULL */
} rows[] = {
    {"read of a device", MMIO(EXIT_MMIO_READ, SPEC_UART + 5, 1, 0),
     VERDICT_RESUME, 4, 0x60, NULL},
    {"write to a device", MMIO(EXIT_MMIO_WRITE, SPEC_UART + 7, 1, 0x5a),
     VERDICT_RESUME, 4, MARK, NULL},
    {"read of nothing", MMIO(EXIT_MMIO_READ, 0x20000000, 4, 0), VERDICT_RESUME,
     TRAPS, MARK, NULL},
    {"write to nothing", MMIO(EXIT_MMIO_WRITE, 0x20000000, 4, 0),
     VERDICT_RESUME, TRAPS, MARK, NULL},
    {"read of a width that the device lacks",
     MMIO(EXIT_MMIO_READ, SPEC_PLIC, 1, 0), VERDICT_RESUME, TRAPS, MARK, NULL},
    {"write that ends the machine",
     MMIO(EXIT_MMIO_WRITE, SPEC_FINISHER, 4, 0x5555), VERDICT_STOP_VM, 4, MARK,
     "through a device"},
    {"preemption timer",
     {.kind = EXIT_PREEMPTION_TIMER},
     VERDICT_YIELD,
     STAYS,
     MARK,
     NULL},
    {"external interrupt",
     {.kind = EXIT_EXTERNAL_INTERRUPT},
     VERDICT_YIELD,
     STAYS,
     MARK,
     NULL},
    {"end of an interrupt",
     {.kind = EXIT_INTERRUPT_END, .insn_len = 4},
     VERDICT_RESUME,
     4,
     MARK,
     NULL},
    {"halt", {.kind = EXIT_IDLE, .insn_len = 4}, VERDICT_BLOCK, 4, MARK, NULL},
    {"power off of a CPU",
     {.kind = EXIT_CPU_DOWN},
     VERDICT_POWER_OFF,
     STAYS,
     MARK,
     NULL},
    {"refused entry",
     {.kind = EXIT_FAIL_ENTRY, .fail_entry = {0x80000021}},
     VERDICT_STOP_VM,
     STAYS,
     MARK,
     "refuses to enter vCPU 0: reason 0x80000021"},
    {"nobody knows",
     {.kind = EXIT_UNKNOWN, .unknown = {0x4711}},
     VERDICT_STOP_VM,
     STAYS,
     MARK,
     "for a reason nobody knows: unknown 0x4711"},
    {"power off",
     {.kind = EXIT_SYSTEM_DOWN, .system_down = {false, 7}},
     VERDICT_STOP_VM,
     STAYS,
     MARK,
     "reason 7"},
};

static void expect_stop(const struct vm *vm, const char *name, const char *why)
{
    cr_expect_eq(vm->stop != VM_STOP_NONE, why != NULL, "%s: %s", name,
                 vm->reason);
    if (why != NULL)
        cr_expect_not_null(strstr(vm->reason, why), "%s: %s", name, vm->reason);
}

Test(exits, each_kind_gets_what_it_deserves)
{
    for_each_row (i, rows) {
        struct vcpu *vcpu = make();
        uint64_t pc = ops.get_pc(vcpu);
        uint64_t count = exit_stats_count(vcpu->stats, rows[i].exit.kind);

        ops.set_gpr(vcpu, OP_DEFAULT_REG, MARK);
        cr_expect_eq(handle(vcpu, rows[i].exit), rows[i].verdict, "%s",
                     rows[i].name);
        cr_expect_eq(ops.get_pc(vcpu),
                     rows[i].moves == TRAPS ? 0 : pc + (unsigned)rows[i].moves,
                     "%s", rows[i].name);
        cr_expect_eq(ops.get_gpr(vcpu, OP_DEFAULT_REG), rows[i].value, "%s",
                     rows[i].name);
        cr_expect_eq(exit_stats_count(vcpu->stats, rows[i].exit.kind),
                     count + 1, "%s", rows[i].name);
        expect_stop(vcpu->config.vm, rows[i].name, rows[i].why);
        end_machine();
    }
}

Test(exits, an_access_reaches_its_device, .fini = end_machine)
{
    const struct vm_exit write = MMIO(EXIT_MMIO_WRITE, SPEC_UART + 7, 1, 0x5a);
    const struct vm_exit read = MMIO(EXIT_MMIO_READ, SPEC_UART + 7, 1, 0);
    struct vcpu *vcpu = make();

    cr_expect_eq(handle(vcpu, write), VERDICT_RESUME);
    cr_expect_eq(handle(vcpu, read), VERDICT_RESUME);
    cr_expect_eq(ops.get_gpr(vcpu, OP_DEFAULT_REG), 0x5au);
}

/* A fault on what is there already: another vCPU was first. A processor may
 * remember that there was nothing, so the vCPU's own translations go. */
Test(exits, a_fault_that_is_resolved_already_is_flushed, .fini = end_machine)
{
    const struct vm_exit fault = {
        .kind = EXIT_NESTED_PAGE_FAULT,
        .fault = {.gpa = {SPEC_MEMORY + 0x200000}, .access = ACCESS_READ}};
    struct vcpu *vcpu = make();

    cr_expect_eq(handle(vcpu, fault), VERDICT_RESUME);
    cr_expect_eq(atomic_load(&vcpu->requests) & VCPU_REQUEST_FLUSH, 0u);
    cr_expect_eq(handle(vcpu, fault), VERDICT_RESUME);
    cr_expect_neq(atomic_load(&vcpu->requests) & VCPU_REQUEST_FLUSH, 0u);
}

/* ---- ports -------------------------------------------------------------- */

#define PORT        0x80 /* a register */
#define PORT_FAULTY 0x82 /* an access to it fails */
#define PORT_BUSY   0x83 /* takes a write after some attempts */
#define ATTEMPTS    3

static uint64_t port_value, port_read;
static unsigned port_attempts;

static err_t port_do_read(struct device *device, unsigned range,
                          uint64_t offset, unsigned width, uint64_t *value)
{
    *value = port_value;
    return offset == 0 ? OK : ERR_IO;
}

static err_t port_do_write(struct device *device, unsigned range,
                           uint64_t offset, unsigned width, uint64_t value)
{
    if (offset == PORT_BUSY - PORT && ++port_attempts < ATTEMPTS)
        return ERR_BUSY;
    if (offset == PORT_FAULTY - PORT)
        return ERR_IO;
    port_value = value;
    return OK;
}

static void port_reset(struct device *device)
{
    port_value = 0;
}

static void finish_port_read(struct vcpu *vcpu,
                             const struct device_access *access, uint64_t value)
{
    port_read = value;
    ops.set_pc(vcpu, ops.get_pc(vcpu) + access->insn_len);
}

static const struct device_ops port_ops = {port_do_read, port_do_write,
                                           port_reset, NULL};
static const struct device_model port_model = {.compatible = "port"};

static const struct {
    uint16_t port;
    uint8_t width;
    uint64_t value; /* that is read after 0x5a has been written */
} port_rows[] = {
    {PORT, 1, 0x5a},
    {PORT, 2, ~UINT64_C(0)}, /* the device knows single bytes */
    {PORT_FAULTY, 1, ~UINT64_C(0)},
    {0x3f8, 1, ~UINT64_C(0)}, /* nobody */
    {0xffff, 1, ~UINT64_C(0)},
};

/* The vCPU of a machine with these ports. */
static struct vcpu *make_with_ports(void)
{
    static struct device device;
    struct device *conflict = NULL;
    struct vcpu *vcpu = make();

    device = (struct device){
        .ops = &port_ops,
        .model = &port_model,
        .name = "port",
        .range_count = 1,
        .ranges = {{PORT, 4, BUS_PORT, 0, WIDTH_1}},
    };
    ops.finish_read = finish_port_read;
    cr_assert_eq(device_set_add(&vcpu->config.vm->devices, &device, &conflict),
                 OK);
    port_value = port_read = 0;
    port_attempts = 0;
    return vcpu;
}

static struct vm_exit write_of(uint16_t port, uint8_t width)
{
    return (struct vm_exit){.kind = EXIT_IO_WRITE,
                            .insn_len = 2,
                            .access = {.address = port,
                                       .width = width,
                                       .insn_len = 2,
                                       .write = true,
                                       .data = 0x5a}};
}

Test(exits, a_port_that_nobody_drives_floats_high)
{
    for_each_row (i, port_rows) {
        struct vcpu *vcpu = make_with_ports();
        struct vm_exit exit = write_of(port_rows[i].port, port_rows[i].width);
        uint64_t pc = ops.get_pc(vcpu);

        cr_expect_eq(handle(vcpu, exit), VERDICT_RESUME, "row %zu", i);
        exit.kind = EXIT_IO_READ;
        exit.access.write = false;
        cr_expect_eq(handle(vcpu, exit), VERDICT_RESUME, "row %zu", i);
        cr_expect_eq(port_read, port_rows[i].value, "row %zu: %#lx", i,
                     port_read);
        cr_expect_eq(ops.get_pc(vcpu), pc + 4, "row %zu", i);
        end_machine();
    }
}

/* A device that is busy has done a part: the guest makes the access again. */
Test(exits, a_write_to_a_busy_port_is_made_again, .fini = end_machine)
{
    struct vcpu *vcpu = make_with_ports();
    uint64_t pc = ops.get_pc(vcpu);

    for (unsigned i = 1; i <= ATTEMPTS; i++) {
        cr_expect_eq(handle(vcpu, write_of(PORT_BUSY, 1)), VERDICT_RESUME);
        cr_expect_eq(port_attempts, i);
        cr_expect_eq(port_value, i == ATTEMPTS ? 0x5a : 0);
        cr_expect_eq(ops.get_pc(vcpu), i == ATTEMPTS ? pc + 2 : pc);
    }
}

/* ---- no progress -------------------------------------------------------- */

Test(exits, a_vcpu_that_gets_nowhere_is_stopped, .fini = end_machine)
{
    const struct vm_exit nothing = {.kind = EXIT_NOTHING};
    struct vcpu *vcpu = make();
    struct vm *vm = vcpu->config.vm;
    unsigned exits = 0;

    /* Getting on in between, it may go on for ever. */
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert_eq(handle(vcpu, nothing), VERDICT_RESUME, "%u", i);
        ops.set_pc(vcpu, ops.get_pc(vcpu) + 4);
    }
    while (handle(vcpu, nothing) == VERDICT_RESUME && exits < 1000)
        exits++;
    cr_expect_gt(exits, 10u, "a few are normal");
    cr_expect_lt(exits, 1000u);
    cr_expect_eq(vm->stop, VM_STOP_FAULT);
    cr_expect_not_null(strstr(vm->reason, "makes no progress"));
}
