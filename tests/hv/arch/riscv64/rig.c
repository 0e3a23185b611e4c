/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

struct rig rig;

static void console_write_bytes(struct chardev *chardev, const uint8_t *bytes,
                                size_t size)
{
    cr_assert_leq(rig.written + size, sizeof(rig.output));
    memcpy(rig.output + rig.written, bytes, size);
    rig.written += size;
}

static size_t console_read_bytes(struct chardev *chardev, uint8_t *bytes,
                                 size_t size)
{
    size_t length = strlen(rig.input);

    size = size < length ? size : length;
    memcpy(bytes, rig.input, size);
    rig.input += size;
    return size;
}

static void start_vcpu(unsigned id)
{
    const struct vcpu_config config = {
        .vm_id = 1,
        .id = id,
        .hw_id = RIG_HART + id,
        .peers = rig.peers,
        .peer_count = RIG_VCPUS,
        .memory = &rig.memory,
        .console = &rig.console,
    };
    const struct vcpu_setup setup = {
        .entry = gpa(RIG_ENTRY),
        .arg = RIG_ARG,
        .stage2 = {.root = rig.memory.root,
                   .mode = rig.memory.format->mode,
                   .gpa_bits = rig.memory.format->gpa_bits},
    };

    cr_assert_eq(vcpu_new(&riscv_vcpu_ops, &config, &rig.arena, &rig.peers[id]),
                 OK);
    cr_assert_eq(vcpu_setup(rig.peers[id], &setup), OK);
    atomic_store(&rig.peers[id]->powered, true);
}

void rig_start(const char *profile)
{
    const struct s2_format *format;

    sim_reset(RIG_CPUS);
    fake_riscv_reset(riscv_profile_find(profile), RIG_CPUS);
    riscv_vcpu_ops.reset_machine();
    memset(&rig, 0, sizeof(rig));
    rig.console.write = console_write_bytes;
    rig.console.read = console_read_bytes;
    rig.input = "";
    format = riscv_vcpu_ops.stage2_format(RIG_MEMORY + RIG_SIZE);
    cr_assert_not_null(format);
    cr_assert_eq(aspace_init(&rig.memory, format, NULL), OK);
    cr_assert_eq(
        aspace_map_lazy(&rig.memory, gpa(RIG_MEMORY), RIG_SIZE, MEM_RWX, false),
        OK);
    for (unsigned id = 0; id < RIG_VCPUS; id++)
        start_vcpu(id);
}

void rig_stop(void)
{
    for (unsigned id = 0; id < RIG_VCPUS; id++) {
        if (rig.peers[id]->state == VCPU_READY)
            rig_unbind(id);
        vcpu_destroy(rig.peers[id]);
    }
    aspace_fini(&rig.memory);
    arena_free_all(&rig.arena);
    cr_expect_eq(ram_frames_in_use(), 0);
    cr_expect_eq(clock_timer_count(), 0);
    cr_expect_eq(violations_count(), 0, "%s", violations_last());
}

struct riscv_vcpu *rig_vcpu(unsigned id)
{
    return to_riscv(rig.peers[id]);
}

struct riscv_vcpu *rig_bind(unsigned id, uint32_t cpu)
{
    cpus_set_current(cpu);
    cr_assert_eq(vcpu_bind(rig.peers[id]), OK);
    fake_riscv_current()->vstvec = RIG_VECTOR;
    return rig_vcpu(id);
}

void rig_unbind(unsigned id)
{
    cpus_set_current(rig.peers[id]->cpu);
    cr_assert_eq(vcpu_unbind(rig.peers[id]), OK);
}

struct vm_exit rig_decode(struct riscv_vcpu *v, uint64_t scause, uint64_t stval,
                          uint64_t htval, uint64_t htinst)
{
    struct vm_exit exit;

    memset(&exit, 0xa5, sizeof(exit));
    v->regs.scause = scause;
    v->regs.stval = stval;
    v->regs.htval = htval;
    v->regs.htinst = htinst;
    riscv_vcpu_ops.decode(&v->base, &exit);
    return exit;
}

struct rig_answer rig_call(struct riscv_vcpu *v, struct rig_call call)
{
    struct rig_answer answer = {.verdict = VERDICT_COUNT};
    uint64_t pc = v->regs.pc;

    memcpy(&v->regs.gpr[REG_A0], call.args, sizeof(call.args));
    v->regs.gpr[REG_A6] = call.fid;
    v->regs.gpr[REG_A7] = call.eid;
    answer.exit = rig_decode(v, CAUSE_ECALL_VS, 0, 0, 0);
    if (answer.exit.kind == EXIT_FIRMWARE_CALL)
        answer.verdict = riscv_vcpu_ops.firmware_call(&v->base, &answer.exit);
    answer.error = (int64_t)v->regs.gpr[REG_A0];
    answer.value = v->regs.gpr[REG_A1];
    answer.moved = v->regs.pc - pc;
    return answer;
}

/* --- A guest that does one operation --- */

static struct guest_op the_op;
static struct guest_result the_result;
static bool is_done;

static const struct guest_op *next_op(struct trap_source *source)
{
    return is_done ? NULL : &the_op;
}

static void note_result(struct trap_source *source,
                        const struct guest_result *result)
{
    the_result = *result;
    is_done = true;
}

/* What vm_handle_exit() does, as far as the architecture is concerned. */
static void handle(struct riscv_vcpu *v, struct vm_exit *exit)
{
    const struct vcpu_ops *ops = v->base.ops;
    enum verdict verdict = VERDICT_RESUME;

    if (exit->kind == EXIT_FIRMWARE_CALL)
        verdict = ops->firmware_call(&v->base, exit);
    else if (exit->kind == EXIT_LAZY_STATE)
        verdict = ops->lazy_state(&v->base, exit);
    else if (exit->kind == EXIT_SYSREG_READ || exit->kind == EXIT_SYSREG_WRITE)
        verdict = ops->sysreg(&v->base, exit);
    else if (exit->kind == EXIT_EXCEPTION)
        verdict = VERDICT_INJECT;
    else if (exit->kind == EXIT_NESTED_PAGE_FAULT)
        verdict = aspace_handle_fault(&rig.memory, exit->fault.gpa,
                                      exit->fault.access, NULL) == OK
                      ? VERDICT_RESUME
                      : VERDICT_INJECT;
    if (verdict == VERDICT_INJECT)
        ops->inject_fault(&v->base, exit);
}

struct guest_result rig_do(struct riscv_vcpu *v, struct guest_op op)
{
    static struct trap_source source;
    struct vm_exit exit;

    source = (struct trap_source){.next = next_op, .done = note_result};
    the_op = op;
    is_done = false;
    the_result = (struct guest_result){.outcome = OUTCOME_PENDING};
    fake_riscv_set_source(v->base.cpu, &source);
    for (unsigned exits = 0; !is_done && exits < 16; exits++) {
        cr_assert_eq(vcpu_run(&v->base, &exit), OK);
        if (exit.kind == EXIT_EXTERNAL_INTERRUPT)
            break;
        handle(v, &exit);
    }
    fake_riscv_set_source(v->base.cpu, NULL);
    return the_result;
}
