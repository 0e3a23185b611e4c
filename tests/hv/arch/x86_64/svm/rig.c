/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/arch/x86_64/svm/rig.h"

const char *const rig_svm_profiles[] = {"full", "qemu", "toliman", "ryzen",
                                        NULL};

struct svm_vcpu *rig_svm(vcpu_id id)
{
    return to_svm(rig.vm->vcpus[id]);
}

static uint64_t get(vcpu_id id, enum x86_register reg)
{
    return rig_vcpu(id)->vendor->get(rig_vcpu(id), reg);
}

static uint64_t get_rsp(vcpu_id id)
{
    return rig_vmcb(id)->save.rsp;
}

static struct x86_segment get_cs(vcpu_id id)
{
    const struct vmcb_save *save = &rig_vmcb(id)->save;

    return (struct x86_segment){.base = save->cs.base,
                                .selector = save->cs.selector};
}

/* As decode assists have them: up to the page's end, or 15 in all. What was
 * behind them stays. */
static void give_bytes(vcpu_id id)
{
    struct vmcb_control *control = &rig_vmcb(id)->control;
    uint64_t at = rig_linear_rip(id);
    uint64_t room = PAGE_SIZE - at % PAGE_SIZE;

    if (room > X86_INSN_MAX)
        room = X86_INSN_MAX;
    rig_read(at, control->instruction_bytes, room);
    control->bytes_fetched = (uint8_t)room;
}

static void make_exit(vcpu_id id, const struct rig_exit *exit)
{
    struct svm_vcpu *v = rig_svm(id);
    struct vmcb_control *control = &v->vmcb.control;

    control->exitcode = exit->code;
    control->exitinfo1 = exit->info1;
    control->exitinfo2 = exit->info2;
    control->exitintinfo = exit->event;
    svm_resume_event(v);
    control->bytes_fetched = 0;
    control->nrip = 0;
    if ((v->features & SVM_FEATURE_NRIPS) != 0 && exit->code != VMEXIT_NPF)
        control->nrip = v->vmcb.save.rip + exit->length;
    if ((v->features & SVM_FEATURE_DECODE_ASSISTS) != 0 &&
        exit->code == VMEXIT_NPF && (exit->info1 & X86_FAULT_ID) == 0 &&
        exit->length != 0)
        give_bytes(id);
}

enum verdict rig_exit(vcpu_id id, const struct rig_exit *exit)
{
    cpus_set_current(rig_vcpu(id)->base.cpu);
    if (exit->length != 0 && !exit->is_there)
        rig_write(rig_linear_rip(id), exit->bytes, exit->length);
    make_exit(id, exit);
    return rig_handle(id);
}

static void make_access(vcpu_id id, uint64_t gpa_raw, bool write,
                        uint8_t length)
{
    make_exit(
        id, &(struct rig_exit){
                .code = VMEXIT_NPF,
                .info1 = NPF_FINAL | X86_FAULT_US | (write ? X86_FAULT_RW : 0),
                .info2 = gpa_raw,
                .length = length,
            });
}

const struct rig_vendor rig_svm_vendor = {
    .arch = &x86_64_sim_arch,
    .get = get,
    .get_rsp = get_rsp,
    .get_cs = get_cs,
    .make_access = make_access,
};
