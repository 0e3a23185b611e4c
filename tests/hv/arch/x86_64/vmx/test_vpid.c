/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMCSs and VPIDs: where a VMCS is, what of a guest goes with it, and when
 * translations are dropped. The fake processor's TLB forgets nothing by itself:
 * what the hypervisor forgets to say shows as a violation, or as memory that
 * was there before.
 */
#include "hv/arch/x86_64/vcpu/own.h"
#include "hv/arch/x86_64/vmx/rig.h"

static const struct guest_op load = {
    .kind = OP_LOAD, .width = 8, .address = RIG_DATA};
static const struct guest_op cpuid = {.kind = OP_X86_CPUID};
static const struct guest_op pause_op = {.kind = OP_X86_PAUSE};

/* Whatever is on its way is delivered before. */
static const struct guest_op delay = {.kind = OP_DELAY};

/* The VMCS --------------------------------------------------------------- */

static bool is_on(uint32_t cpu, uint64_t vmcs)
{
    const struct fake_vmx *vmx = &fake_x86_cpus[cpu].vmx;

    for (unsigned i = 0; i < VMX_ACTIVE; i++) {
        if (vmx->active[i].address == vmcs)
            return true;
    }
    return false;
}

/* It is in the CPU that its vCPU is bound to, and in no other. */
Test(vmcs, is_cleared_when_its_vcpu_leaves)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        uint64_t vmcs;

        own_take(rig_vmx_profiles[p]);
        vmcs = rig_vmx(1)->vmcs_pa.raw;
        for (unsigned i = 0; i < 6; i++) {
            own_bind(1 + i % 2);
            own_run(&cpuid);
            cr_expect(is_on(1 + i % 2, vmcs), "%s", rig_vmx_profiles[p]);
            cr_expect_not(is_on(1 + (i + 1) % 2, vmcs));
            own_unbind();
            cr_expect_not(is_on(1 + i % 2, vmcs), "%s", rig_vmx_profiles[p]);
        }
        own_give_back();
        rig_stop();
    }
}

/* After an exit a CPU of the host has its own TSS, wherever the vCPU was. */
Test(vmcs, exits_find_the_host_that_it_is_on)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        own_take(rig_vmx_profiles[p]);
        for (unsigned i = 0; i < 6; i++) {
            own_run_once(&cpuid, 1 + i / 2 % 2);
            cr_expect_eq(violations_count(), 0, "%s, %u: %s",
                         rig_vmx_profiles[p], i, violations_last());
        }
        rig_vmx(1)->host_cpu = 2; /* as if it had been there */
        own_run_once(&cpuid, 2);
        cr_expect_gt(violations_of(RULE_VMX_OTHER_HOST), 0, "%s",
                     rig_vmx_profiles[p]);
        own_give_back();
        rig_stop_violated();
    }
}

/* RSP is in the VMCS, or among the general registers if it was set: an exit by
 * CPUID brings it into neither place by itself. */
Test(vmcs, registers_go_with_it)
{
    static const uint32_t cpus[][2] = {{1, 1}, {1, 2}, {2, 1}};

    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        for_each_row (i, cpus) {
            struct guest_op rsp = {.kind = OP_SET_REG,
                                   .reg = X86_GPR_RSP,
                                   .value = RIG_STACK - 0x100};
            struct guest_op call = {.kind = OP_X86_INT, .number = 0x80};
            uint64_t rip;

            own_take(rig_vmx_profiles[p]);
            own_run_once(&cpuid, cpus[i][0]);
            own_bind(cpus[i][0]);
            own_run(&rsp);
            own_run(&cpuid);
            rip = rig_rip(1);
            *rig_vcpu(1)->rflags |= X86_RFLAGS_CF | X86_RFLAGS_OF;
            own_unbind();
            cr_expect_eq(rig_rsp(1), RIG_STACK - 0x100, "%s, row %zu",
                         rig_vmx_profiles[p], i);
            own_run_once(&cpuid, cpus[i][1]);
            cr_expect_eq(rig_rip(1), rip + 2, "%s, row %zu",
                         rig_vmx_profiles[p], i);
            own_bind(cpus[i][0]);
            own_run(&call);
            own_run(&delay);
            own_unbind();
            cr_expect_eq(rig_handler(1), 0x80, "%s, row %zu: 0x%llx",
                         rig_vmx_profiles[p], i,
                         (unsigned long long)rig_rip(1));
            cr_expect_eq(rig_peek(RIG_STACK - 0x100 - 8 * 5, 8), rip + 4);
            cr_expect_eq(rig_peek(RIG_STACK - 0x100 - 8 * 3, 8),
                         X86_RFLAGS_FIXED | X86_RFLAGS_CF | X86_RFLAGS_OF);
            cr_expect_eq(rig_peek(RIG_STACK - 0x100 - 8 * 2, 8),
                         RIG_STACK - 0x100, "%s, row %zu", rig_vmx_profiles[p],
                         i);
            own_give_back();
            rig_stop();
        }
    }
}

/* One that the hypervisor sets while the vCPU is nowhere. */
Test(vmcs, a_stack_pointer_that_is_set_meanwhile)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        for (uint32_t cpu = 1; cpu < 3; cpu++) {
            struct guest_op call = {.kind = OP_X86_INT, .number = 0x80};

            own_take(rig_vmx_profiles[p]);
            own_run_once(&cpuid, 1);
            rig_set_gpr(1, X86_GPR_RSP, RIG_STACK - 0x200);
            own_run_once(&pause_op, cpu);
            own_bind(1);
            own_run(&call);
            own_run(&delay);
            own_unbind();
            cr_expect_eq(rig_rsp(1), RIG_STACK - 0x200 - 8 * 5, "%s, CPU %u",
                         rig_vmx_profiles[p], cpu);
            cr_expect_eq(rig_peek(RIG_STACK - 0x200 - 8 * 2, 8),
                         RIG_STACK - 0x200);
            own_give_back();
            rig_stop();
        }
    }
}

/* A load from a device sets it back to what the entry before had written. */
Test(vmcs, a_stack_pointer_that_was_written_before)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        const uint64_t value = RIG_STACK;
        struct guest_op set = {
            .kind = OP_SET_REG, .reg = X86_GPR_RSP, .value = RIG_STACK - 0x100};
        struct guest_op get = {.kind = OP_LOAD,
                               .width = 8,
                               .reg = X86_GPR_RSP,
                               .address = RIG_DEVICE};

        own_take(rig_vmx_profiles[p]);
        memcpy(rig_device(RIG_DEVICE), &value, sizeof(value));
        own_run_once(&pause_op, 1); /* there is code, which makes no exit */
        own_run_once(&set, 1);
        own_run_once(&get, 1);
        own_run_once(&pause_op, 1);
        cr_expect_eq(rig_field(1, VMCS_AT_GUEST_RSP), RIG_STACK, "%s: 0x%llx",
                     rig_vmx_profiles[p],
                     (unsigned long long)rig_field(1, VMCS_AT_GUEST_RSP));
        own_give_back();
        rig_stop();
    }
}

/* The shadow of STI: an NMI waits behind the migration, too. */
Test(vmcs, the_shadow_goes_with_it)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        for (uint32_t cpu = 1; cpu < 3; cpu++) {
            struct guest_op sti = {.kind = OP_X86_STI};

            own_take(rig_vmx_profiles[p]);
            own_run_once(&cpuid, 1);
            own_run_once(&sti, 1);
            atomic_store(&rig_vcpu(1)->nmi, true);
            vcpu_request(rig.vm->vcpus[1], VCPU_REQUEST_INTERRUPT);
            own_run_once(&pause_op, cpu);
            own_run_once(&delay, cpu);
            cr_expect_eq(rig_handler(1), X86_VECTOR_NMI, "%s, CPU %u: 0x%llx",
                         rig_vmx_profiles[p], cpu,
                         (unsigned long long)rig_rip(1));
            cr_expect_eq(rig_stacked(1, 0), RIG_CODE + 2 + 1 + 2, "%s, CPU %u",
                         rig_vmx_profiles[p], cpu);
            own_give_back();
            rig_stop();
        }
    }
}

/* Translations ------------------------------------------------------------ */

/* Each vCPU has page tables of its own, in which one address is another page.
 */
static void make_own_tables(vcpu_id id)
{
    uint64_t table = RIG_SPARE + 2 * id * PAGE_SIZE;

    rig_poke(table, (table + PAGE_SIZE) | 0x63, 8);
    for (unsigned i = 0; i < 4; i++)
        rig_poke(table + PAGE_SIZE + 8 * i, (uint64_t)i << 30 | 0xe3, 8);
    /* At 4 GiB: the guest's number of megabytes further on. */
    rig_poke(table + PAGE_SIZE + 8 * 4,
             (RIG_SPARE + (8 + 2 * id) * PAGE_SIZE) | 0x63, 8);
    rig_poke(RIG_SPARE + (8 + 2 * id) * PAGE_SIZE,
             (RIG_SPARE + (9 + 2 * id) * PAGE_SIZE) | 0x63, 8);
    rig_poke(RIG_SPARE + (9 + 2 * id) * PAGE_SIZE,
             (RIG_DATA + id * PAGE_SIZE) | 0x63, 8);
    rig_poke(RIG_DATA + id * PAGE_SIZE, 0x1000 + id, 8);
}

/* As many vCPUs as use up all of a CPU's VPIDs, again and again: one address
 * is another page for each, and nobody finds another one's translation. */
Test(vpid, generations)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        uint64_t generation;
        uint32_t vpids;

        rig_start(rig_vmx_profiles[p], 1, 4);
        for (vcpu_id id = 0; id < 4; id++) {
            rig_mode(id, RIG_LONG);
            make_own_tables(id);
            rig_do(id, rig_write_cr(3, RIG_SPARE + 2 * id * PAGE_SIZE));
        }
        vpids = rig_vmx(0)->controls->vpids;
        generation = vmx_cpus[0].vpids.generation;
        for (unsigned i = 0; i < 40; i++) {
            struct vmx_vcpu *first = rig_vmx(i % 4);

            /* It begins a generation, with a number that was another one's: as
             * one that comes to the CPU, or that has been there all along. */
            vmx_cpus[0].vpids.next = vpids;
            if (i % 2 == 0)
                first->vpid.cpu = X86_NO_CPU;
            else
                first->vpid.generation = 0;
            for (unsigned n = 0; n < 4; n++) {
                vcpu_id id = (vcpu_id)((i + n) % 4);
                struct guest_op own = load;

                own.address = UINT64_C(4) << 30;
                cr_expect_eq(rig_do(id, own).value, 0x1000 + id,
                             "%s, round %u, vCPU %u", rig_vmx_profiles[p], i,
                             id);
            }
        }
        if (vpids != 0)
            cr_expect_gt(vmx_cpus[0].vpids.generation, generation, "%s",
                         rig_vmx_profiles[p]);
        rig_stop();
    }
}

/* A generation ends while a vCPU is elsewhere: its number is old. */
Test(vpid, a_number_of_an_old_generation)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        uint64_t generation;

        own_take(rig_vmx_profiles[p]);
        if (rig_vmx(1)->controls->vpids != 0) {
            own_run_once(&load, 1);
            generation = vmx_cpus[1].vpids.generation;
            vmx_cpus[1].vpids.next = rig_vmx(1)->controls->vpids;
            rig_vmx(1)->vpid.cpu = 2; /* as if it had been there */
            own_run_once(&load, 1);
            cr_expect_eq(vmx_cpus[1].vpids.generation, generation + 1);
            cr_expect_eq(rig_field(1, VMCS_AT_VPID), 1, "%s",
                         rig_vmx_profiles[p]);
        }
        own_give_back();
        rig_stop();
    }
}
