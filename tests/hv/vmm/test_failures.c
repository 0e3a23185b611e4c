/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that can fail, fails, one call after the other: while virtual
 * machines are made, and while they live. What a guest asks for then fails in
 * a way that it can see, or its VM stops and says why; nothing is lost, and
 * afterwards the machine works as if nothing had been.
 */
#include <stdio.h>

#include "arch/riscv64/sbi.h"
#include "sim/fake_hw/riscv64/profile.h"
#include "sim/shim.h"
#include "support/machine.h"
#include "vmm/internal.h"

/* Pages that nobody has touched, for the guests' lives. */
#define FRESH(page) (SPEC_MEMORY + 0x200000 + (page)*UINT64_C(0x1000))

/* The disk's registers and a request to read a sector: virtio 1.2, 4.2.2,
 * 2.7.5 and 5.2.6. */
#define DISK(offset, value)                                         \
    {                                                               \
        0, OP_STORE_OF(SPEC_VIRTIO + (offset), 4, (value)), NOTHING \
    }
#define RING(address, value)                           \
    {                                                  \
        0, OP_STORE_OF((address), 8, (value)), NOTHING \
    }
#define DESCRIPTOR(n, at, size, flags, next) \
    RING(FRESH(0) + 16 * (n), (at)),         \
        RING(FRESH(0) + 16 * (n) + 8,        \
             (size) | (uint64_t)(flags) << 32 | (uint64_t)(next) << 48)

enum need {
    NOTHING,
    SUCCESS, /* an SBI call: the next step depends on it */
};

/* What the guest of VM 1 does, in order. */
static const struct step {
    vcpu_id vcpu;
    struct guest_op op;
    enum need need;
} life[] = {
    {0, OP_STORE_OF(FRESH(8), 8, 1), NOTHING},
    {0, OP_LOAD_OF(FRESH(9), 8), NOTHING},
    /* A timer, and a wait for it. */
    {0, OP_CSR_OF(OP_CSR_WRITE, CSR_sie, BIT(IRQ_S_TIMER)), NOTHING},
    {0, OP_ECALL_OF(SBI_EID_TIME, 0, 1 << 24), SUCCESS},
    {0, {.kind = OP_WFI}, NOTHING},
    {0, OP_ECALL_OF(0 /* the legacy one */, 0, 1), SUCCESS},
    {0, {.kind = OP_WFI}, NOTHING},
    {0, OP_CSR_OF(OP_CSR_WRITE, CSR_sie, 0), NOTHING},
    /* A second hart, and an interrupt for it. */
    {0, OP_ECALL_OF(SBI_EID_HSM, 0, 1, SPEC_MEMORY), SUCCESS},
    {1, OP_STORE_OF(FRESH(10), 8, 2), NOTHING},
    {1, OP_CSR_OF(OP_CSR_WRITE, CSR_sie, BIT(IRQ_S_SOFT)), NOTHING},
    {0, OP_ECALL_OF(SBI_EID_IPI, 0, 2, 0), SUCCESS},
    {1, {.kind = OP_WFI}, NOTHING},
    {0, OP_ECALL_OF(SBI_EID_RFENCE, 1, 3, 0, 0, 0x1000), NOTHING},
    /* Firmware and devices that touch memory for the guest. */
    {0, OP_ECALL_OF(SBI_EID_DBCN, 0, 4, FRESH(11), 0), NOTHING},
    {0, OP_STORE_OF(SPEC_PLIC + 4 * SPEC_VIRTIO_IRQ, 4, 1), NOTHING},
    {0, OP_STORE_OF(SPEC_PLIC + 0x2080, 4, 1 << SPEC_VIRTIO_IRQ), NOTHING},
    {0, OP_STORE_OF(SPEC_UART, 1, 'x'), NOTHING},
    DISK(0x70, 0),
    DISK(0x70, 3),
    DISK(0x24, 1),
    DISK(0x20, 1),
    DISK(0x70, 0xb),
    DISK(0x30, 0),
    DISK(0x38, 8),
    DISK(0x80, FRESH(0)),
    DISK(0x90, FRESH(1)),
    DISK(0xa0, FRESH(2)),
    DISK(0x44, 1),
    DISK(0x70, 0xf),
    DESCRIPTOR(0, FRESH(3), 16, 1, 1),
    DESCRIPTOR(1, FRESH(4), 512, 3, 2),
    DESCRIPTOR(2, FRESH(5), 1, 2, 0),
    RING(FRESH(1), 1 << 16),
    DISK(0x50, 0),
    {0, OP_LOAD_OF(SPEC_PLIC + 0x201004, 4), NOTHING},
};

/* And in the end. */
static const struct guest_op reboot = OP_ECALL_OF(SBI_EID_SRST, 0, 1, 0);

static struct machine *make(const char *profile, uint32_t cpus, bool *failed)
{
    struct machine_spec spec = {.vm_count = 2};
    struct machine *made = NULL;
    struct bundle bundle;
    const struct machine_config config = {
        .cpus = cpus,
        .profile = sim_profile_find(&riscv64_sim_arch, profile),
        .bundle = &bundle,
    };
    err_t error;

    spec_usual_vm(&spec.vms[0], 1, 2);
    cr_assert(spec_add_device(&spec.vms[0], "vconsole", 0x10002000, 2));
    cr_assert(spec_add_device(&spec.vms[0], "rng", 0x10003000, 3));
    spec.vms[0].memory[1] = (struct spec_memory){
        .base = 0x90000000, .size = 0x4000, .populate = true};
    spec.vms[0].memory_count = 2;
    spec_usual_vm(&spec.vms[1], 2, 1);
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    error = machine_create(&config, &made);
    *failed = shim_failed_calls() != 0;
    bundle_free(&bundle);
    cr_assert(error == OK || error == ERR_NO_MEMORY);
    cr_assert(error == OK || ram_frames_in_use() == 0);
    return error == OK ? made : NULL;
}

/* What the sweep is at, for the messages. */
static char at[96];

static bool runs(vm_id id)
{
    const struct vm *vm = vmm_find_vm(id);

    return vm != NULL && vm->state == VM_RUNNING;
}

/* Guests may have written anything, zeros too. */
static bool was_said(const char *text)
{
    size_t size;
    const char *said = console_output(&size);

    for (size_t i = 0; i + strlen(text) <= size; i++) {
        if (memcmp(&said[i], text, strlen(text)) == 0)
            return true;
    }
    return false;
}

/* A VM that does not run has said why. */
static void expect_reason(vm_id id)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "(vm@%u)", id);
    if (vmm_find_vm(id) == NULL)
        (void)snprintf(name, sizeof(name), "VM vm@%u", id);
    cr_expect(was_said(name) && was_said("memory"), "%s: no reason", at);
}

/* One operation. A vCPU that was stopped in the middle of another one first
 * finds that that is over. */
static struct guest_result do_step(vcpu_id vcpu, const struct guest_op *op)
{
    struct guest_result result;
    err_t error = machine_do(machine, 1, vcpu, op, &result);

    if (error == ERR_BUSY) {
        (void)machine_run(machine, 100);
        error = machine_do(machine, 1, vcpu, op, &result);
    }
    cr_assert_eq(error, OK, "%s: %s", at, error_text(error));
    return result;
}

/* The guest's life; false when its VM has stopped. `whole`: nothing fails. */
static bool live(bool whole)
{
    for (size_t i = 0; i < ARRAY_SIZE(life); i++) {
        struct guest_result result = do_step(life[i].vcpu, &life[i].op);

        if (!runs(1)) {
            (void)machine_run(machine, 100);
            cr_assert(!whole, "%s, step %zu", at, i);
            expect_reason(1);
            return false;
        }
        cr_assert(result.outcome == OUTCOME_RETIRED, "%s, step %zu (%s): %s",
                  at, i, guest_op_name(life[i].op.kind),
                  guest_outcome_name(result.outcome));
        if (life[i].need == NOTHING)
            continue;
        cr_assert(!whole || result.value == SBI_SUCCESS, "%s, step %zu", at, i);
        if (result.value != SBI_SUCCESS)
            return true;
    }
    return true;
}

/* The other VM notices nothing, whatever becomes of the first. */
static void expect_other(uint64_t value)
{
    if (!runs(2))
        return;
    (void)run_op(2, 0, OP_STORE_OF(SPEC_MEMORY, 8, value));
    cr_assert_eq(run_op(2, 0, OP_LOAD_OF(SPEC_MEMORY, 8)).value, value, "%s",
                 at);
}

/* Gets VM 1 to its beginning, and has it live, now that nothing fails. */
static void recover(void)
{
    if (vmm_find_vm(1) == NULL || vmm_find_vm(1)->state == VM_CREATED)
        return;
    cr_assert_eq(vmm_restart_vm(vmm_find_vm(1)), OK, "%s", at);
    (void)machine_run(machine, 100);
    cr_assert(runs(1), "%s: VM 1 is %s", at,
              vm_state_name(vmm_find_vm(1)->state));
    cr_assert(live(true), "%s", at);
}

static const char *const profiles[] = {"virt", "plain"};

Test(failures, while_virtual_machines_are_made)
{
    for (size_t p = 0; p < ARRAY_SIZE(profiles); p++) {
        bool failed = true;

        for (uint64_t nth = 1; failed; nth++) {
            cr_assert_lt(nth, 10000u);
            (void)snprintf(at, sizeof(at), "%s: allocation %u while booting",
                           profiles[p], (unsigned)nth);
            machine_fail_at_boot(nth);
            machine = make(profiles[p], 2, &failed);
            machine_fail_at_boot(0);
            if (machine == NULL)
                continue;
            /* One allocation fails: one VM at most is left out. */
            cr_assert(runs(1) || runs(2), "%s", at);
            if (!runs(1))
                expect_reason(1);
            if (!runs(2))
                expect_reason(2);
            cr_assert(failed || (runs(1) && runs(2)));
            expect_other(0x1234);
            recover();
            end_machine();
        }
    }
}

/* The `nth` call of functions `name` fails in VM 1's life or at its end.
 * Returns whether there was one. */
static bool fail(const char *profile, const char *name, uint64_t nth,
                 bool forever)
{
    bool failed;

    (void)snprintf(at, sizeof(at), "%s: %s, call %u%s", profile, name,
                   (unsigned)nth, forever ? " and later" : "");
    /* Without timers nobody's slice ends: then there are CPUs for all. */
    machine = make(profile, forever ? 4 : 2, &failed);
    expect_other(0x1111);
    (void)machine_run(machine, 100);
    shim_fail_nth(nth, name, forever);
    if (live(false)) {
        (void)do_step(0, &reboot);
        (void)machine_run(machine, 100);
    }
    failed = shim_failed_calls() != 0;
    shim_fail_never();
    if (!runs(1)) {
        enum vm_state state = vmm_find_vm(1)->state;

        cr_expect(state == VM_STOPPED || state == VM_FAILED, "%s", at);
        expect_reason(1);
    }
    expect_other(0x2222);
    recover();
    end_machine();
    return failed;
}

/*
 * Functions that fail for want of something, and those of the VMM that a
 * guest's call or a device leads to. A host timer's notification is none of
 * them: it fails only when the VM is gone.
 */
static const char *const functions[] = {
    "memory_alloc",        "memory_alloc_frame",   "memory_alloc_contiguous",
    "time_register_timer", "vmm_inject_interrupt", "vmm_set_interrupt_line",
    "vmm_start_vcpu",      "vmm_wake_vcpu",
};

Test(failures, while_they_live)
{
    for (size_t p = 0; p < ARRAY_SIZE(profiles); p++) {
        for (size_t f = 0; f < ARRAY_SIZE(functions); f++) {
            for (unsigned forever = 0; forever < 2; forever++) {
                uint64_t nth = 1;

                while (fail(profiles[p], functions[f], nth, forever != 0)) {
                    nth++;
                    cr_assert_lt(nth, 10000u);
                }
            }
        }
    }
}
