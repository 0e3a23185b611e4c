/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ASIDs, flushes, and VMCB clean bits. The fake processor's TLB forgets nothing
 * by itself, and it uses what it remembers of a VMCB: what the hypervisor
 * forgets to say shows as a violation, or as another guest's memory.
 */
#include "hv/arch/x86_64/svm/rig.h"
#include "hv/arch/x86_64/vcpu/own.h"

static const struct guest_op load = {
    .kind = OP_LOAD, .width = 8, .address = RIG_DATA};

/* Flushes ---------------------------------------------------------------- */

/* Each vCPU has page tables of its own, in which one address is another page.
 */
static void make_own_tables(vcpu_id id)
{
    uint64_t table = RIG_SPARE + 2 * id * PAGE_SIZE;

    rig_poke(table, (table + PAGE_SIZE) | 0x63, 8);
    for (unsigned i = 0; i < 4; i++)
        rig_poke(table + PAGE_SIZE + 8 * i, (uint64_t)i << 30 | 0xe3, 8);
    rig_poke(table + PAGE_SIZE + 8 * 4, rig_peek(RIG_TABLES + PAGE_SIZE, 8), 8);
    rig_poke(RIG_DATA + 8 * id, 0x1000 + id, 8);
}

/* As many vCPUs and flushes as use up all of the processor's ASIDs, again and
 * again: nobody gets to see another one's translations. */
Test(asid, generations)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        uint64_t generation;

        rig_start(rig_svm_profiles[p], 1, 4);
        for (vcpu_id id = 0; id < 4; id++) {
            struct guest_op cr3 =
                rig_write_cr(3, RIG_SPARE + 2 * id * PAGE_SIZE);

            rig_mode(id, RIG_LONG);
            make_own_tables(id);
            rig_do(id, cr3);
        }
        svm_cpus[0].asids.next = rig_svm(0)->asids - 3;
        generation = svm_cpus[0].asids.generation;
        for (unsigned i = 0; i < 50; i++) {
            for (vcpu_id id = 0; id < 4; id++) {
                struct guest_op own = load;
                struct guest_op cr4 =
                    rig_write_cr(4, X86_CR4_PAE | (i % 2 ? X86_CR4_PGE : 0));

                /* Whoever reads what another one has in its TLB finds the
                 * other's value, as 5 GiB leads to different places. */
                own.address = (UINT64_C(4) << 30) + RIG_DATA + 8 * id;
                cr_expect_eq(rig_do(id, own).value, 0x1000 + id,
                             "%s, round %u, vCPU %u", rig_svm_profiles[p], i,
                             id);
                rig_do(id, cr4);
            }
        }
        if (rig_svm(0)->asids <= 64)
            cr_expect_gt(svm_cpus[0].asids.generation, generation, "%s",
                         rig_svm_profiles[p]);
        rig_stop();
    }
}

/* A generation ends while a vCPU is elsewhere, or waits: its number is old. */
Test(asid, a_number_of_an_old_generation)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        uint32_t asids;

        own_take(rig_svm_profiles[p]);
        asids = rig_svm(1)->asids;
        own_replace_page(7);
        own_run_once(&load, 1);
        svm_cpus[1].asids.next = asids;
        rig_svm(1)->asid.cpu = 2; /* as if it had been there */
        own_run_once(&load, 1);
        cr_expect_eq(rig_vmcb(1)->control.guest_asid, 1, "%s",
                     rig_svm_profiles[p]);
        cr_expect_eq(svm_cpus[1].must_flush, false, "the entry has flushed");
        cr_expect_eq(rig_vmcb(1)->control.tlb_control, TLB_CONTROL_NOTHING);
        own_give_back();
        rig_stop();
    }
}

/* Of a processor with clean bits, and without FlushByASID: a flush is another
 * number, which is looked at. */
Test(asid, another_number_is_looked_at)
{
    own_take("full");
    rig_svm(1)->features &= ~(uint64_t)SVM_FEATURE_FLUSH_BY_ASID;
    own_bind(1);
    for (unsigned i = 1; i < 10; i++) {
        own_replace_page(i);
        cr_expect_eq(own_run(&load).value, i);
    }
    own_unbind();
    own_give_back();
    rig_stop();
}

/* EFER.NXE makes of bit 63 what forbids a fetch, and not a reserved one. */
Test(asid, nxe_flushes)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        static const struct guest_op read = {
            .kind = OP_LOAD, .width = 8, .address = RIG_DATA};
        struct guest_op efer = {.kind = OP_X86_WRMSR,
                                .number = X86_MSR_EFER,
                                .value = X86_EFER_LME};

        own_take(rig_svm_profiles[p]);
        own_bind(1);
        efer.value = X86_EFER_LME | X86_EFER_NXE;
        own_run(&efer);
        for (unsigned i = 0; i < 512; i++)
            rig_poke(RIG_SPARE + 8 * i,
                     (uint64_t)i << PAGE_SHIFT | 0x63 |
                         (i == RIG_DATA >> PAGE_SHIFT ? BIT(63) : 0),
                     8);
        rig_poke(RIG_TABLES + 2 * PAGE_SIZE, RIG_SPARE | 0x63, 8);
        own_run(&(struct guest_op){.kind = OP_X86_WRITE_CR,
                                   .number = 3,
                                   .reg = X86_GPR_RDI,
                                   .value = RIG_TABLES});
        cr_expect_eq(own_run(&read).outcome, OUTCOME_RETIRED, "%s",
                     rig_svm_profiles[p]);
        efer.value = X86_EFER_LME;
        own_run(&efer);
        cr_expect_eq(own_run(&read).cause, X86_VECTOR_PF, "%s",
                     rig_svm_profiles[p]);
        own_unbind();
        own_give_back();
        rig_stop();
    }
}

/* Others have used up the numbers meanwhile, and its own is one of theirs. */
Test(asid, a_vcpu_that_was_away)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        struct guest_op own = load, other = load;
        uint32_t asids;

        rig_start(rig_svm_profiles[p], 1, 2);
        asids = rig_svm(0)->asids;
        rig_svm(0)->features &= ~(uint64_t)SVM_FEATURE_FLUSH_BY_ASID;
        for (vcpu_id id = 0; id < 2; id++) {
            rig_mode(id, RIG_LONG);
            make_own_tables(id);
            rig_do(id, rig_write_cr(3, RIG_SPARE + 2 * id * PAGE_SIZE));
        }
        /* One address, and its page for each of them. */
        own.address = other.address = (UINT64_C(4) << 30) + RIG_DATA;
        rig_poke(RIG_SPARE + 3 * PAGE_SIZE + 8 * 4,
                 (RIG_SPARE + 6 * PAGE_SIZE) | 0x63, 8);
        rig_poke(RIG_SPARE + 6 * PAGE_SIZE, (RIG_SPARE + 7 * PAGE_SIZE) | 0x63,
                 8);
        for (unsigned i = 0; i < 512; i++)
            rig_poke(RIG_SPARE + 7 * PAGE_SIZE + 8 * i, RIG_ROM | 0x63, 8);
        rig_poke(RIG_ROM, 0x2000, 8);
        cr_expect_eq(rig_do(1, own).value, 0x2000);
        for (unsigned i = 0; asids <= 64 && i < asids + 2; i++) {
            cr_expect_eq(rig_do(0, other).value, 0x1000);
            rig_do(0, rig_write_cr(4, X86_CR4_PAE | (i % 2 ? 0 : X86_CR4_PGE)));
        }
        cr_expect_eq(rig_do(1, own).value, 0x2000, "%s", rig_svm_profiles[p]);
        rig_stop();
    }
}

/* Clean bits ------------------------------------------------------------- */

/* What is changed on one CPU is what another one uses, which remembers the
 * VMCB from before; and the first again. */
Test(asid, a_vmcb_on_two_cpus)
{
    static const struct guest_op changes[] = {
        {.kind = OP_X86_WRITE_CR,
         .number = 4,
         .reg = X86_GPR_RDI,
         .value = X86_CR4_PAE | X86_CR4_PGE},
        {.kind = OP_X86_WRITE_CR,
         .number = 3,
         .reg = X86_GPR_RDI,
         .value = RIG_TABLES | 0x18},
        {.kind = OP_X86_WRITE_CR,
         .number = 0,
         .reg = X86_GPR_RDI,
         .value = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP | X86_CR0_ET},
        {.kind = OP_X86_WRITE_CR,
         .number = 2,
         .reg = X86_GPR_RDI,
         .value = 0x1234},
        {.kind = OP_X86_WRMSR,
         .number = X86_MSR_EFER,
         .value = X86_EFER_LME | X86_EFER_NXE},
        {.kind = OP_X86_WRMSR,
         .number = X86_MSR_PAT,
         .value = 0x0706050401000607},
        {.kind = OP_X86_WRMSR, .number = X86_MSR_TSC, .value = 0x12345678},
        {.kind = OP_X86_WRITE_DR,
         .number = 7,
         .reg = X86_GPR_RDI,
         .value = 0x455},
        {.kind = OP_X86_LIDT, .address = RIG_DATA, .number = 0x123},
        {.kind = OP_X86_LGDT, .address = RIG_DATA, .number = 0x123},
    };

    for_each_row (i, changes) {
        static const struct guest_op nothing = {.kind = OP_X86_PAUSE};
        struct vmcb_save save;

        own_take("full");
        own_run_once(&nothing, 1);
        own_run_once(&nothing, 2);
        cr_expect_eq(own_run_once(&changes[i], 1).outcome, OUTCOME_RETIRED,
                     "row %zu", i);
        save = rig_vmcb(1)->save;
        own_run_once(&nothing, 2);
        own_run_once(&nothing, 1);
        cr_expect_eq(rig_vmcb(1)->save.cr4, save.cr4, "row %zu", i);
        cr_expect_eq(rig_vmcb(1)->save.cr3, save.cr3, "row %zu", i);
        cr_expect_eq(rig_vmcb(1)->save.cr0, save.cr0, "row %zu", i);
        cr_expect_eq(rig_vmcb(1)->save.cr2, save.cr2, "row %zu", i);
        cr_expect_eq(rig_vmcb(1)->save.efer, save.efer, "row %zu", i);
        cr_expect_eq(rig_vmcb(1)->save.g_pat, save.g_pat, "row %zu", i);
        cr_expect_eq(rig_vmcb(1)->save.dr7, save.dr7, "row %zu", i);
        cr_expect_eq(rig_vmcb(1)->save.idtr.base, save.idtr.base);
        cr_expect_eq(rig_vmcb(1)->save.gdtr.base, save.gdtr.base);
        own_give_back();
        rig_stop();
    }
}

/* A number that is given out again after a reset of the VM. */
Test(asid, clean_bits_are_used)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        static const struct guest_op cpuid = {.kind = OP_X86_CPUID};
        bool has_clean;

        own_take(rig_svm_profiles[p]);
        has_clean = (rig_svm(1)->features & SVM_FEATURE_VMCB_CLEAN) != 0;
        own_bind(1);
        own_run(&cpuid);
        cr_expect_eq(rig_vmcb(1)->control.clean,
                     has_clean ? (uint32_t)CLEAN_ALL : 0, "%s",
                     rig_svm_profiles[p]);
        own_unbind();
        own_give_back();
        rig_stop();
    }
}
