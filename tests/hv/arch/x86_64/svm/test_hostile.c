/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no guest can do, and what fails at the worst moment: exits of any code
 * with any information at any instruction, and memory that runs out. Whatever
 * becomes of the VM, the hypervisor goes on, leaks nothing, and never enters
 * the guest with what the processor refuses.
 */
#include "hv/arch/x86_64/random.h"
#include "hv/arch/x86_64/svm/rig.h"

#define ROUNDS 20000

static uint64_t seed = 1;

static unsigned pick(unsigned count)
{
    return random_pick(&seed, count);
}

static uint64_t random_code(void)
{
    static const uint64_t often[] = {
        VMEXIT_NPF,  VMEXIT_NPF,    VMEXIT_NPF,          VMEXIT_IOIO,
        VMEXIT_MSR,  VMEXIT_CPUID,  VMEXIT_CR0_READ + 8, VMEXIT_CR0_WRITE + 4,
        VMEXIT_IRET, VMEXIT_XSETBV, VMEXIT_CR0_WRITE + 8};

    switch (pick(4)) {
    case 0: return pick(0x100);
    case 1:
        return pick(200) == 0 ? random_next(&seed) : VMEXIT_EXCP0 + pick(32);
    default: return often[pick(ARRAY_SIZE(often))];
    }
}

static uint64_t random_place(void)
{
    static const uint64_t places[] = {
        RIG_DEVICE,     RIG_DEVICE + 4096, RIG_NARROW, RIG_HOLE, RIG_ROM,
        RIG_RAM - 4096, RIG_LAPIC,         0xfec00000, 0,        RIG_TABLES};

    return pick(20) == 0 ? random_next(&seed)
                         : places[pick(ARRAY_SIZE(places))] + pick(4096);
}

/* Events that a processor reports; bits without V say nothing. */
static uint64_t random_event(void)
{
    static const uint64_t types[] = {EVENT_TYPE_INTR, EVENT_TYPE_NMI,
                                     EVENT_TYPE_EXCEPTION, EVENT_TYPE_SOFT};
    static const uint8_t exceptions[] = {0,  1,  3,  4,  5,  6,  7,  8, 10,
                                         11, 12, 13, 14, 16, 17, 18, 19};
    uint64_t type = types[pick(4)];
    uint64_t vector = type == EVENT_TYPE_EXCEPTION
                          ? exceptions[pick(ARRAY_SIZE(exceptions))]
                          : pick(256);

    if (pick(4) != 0)
        return pick(2) ? 0 : random_next(&seed) & ~EVENT_V;
    return EVENT_V | FIELD_PUT(EVENT_TYPE, type) | vector |
           (pick(2) ? EVENT_EV | FIELD_PUT(EVENT_ERRORCODE, pick(UINT16_MAX))
                    : 0);
}

static void random_registers(void)
{
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        rig_set_gpr(0, i, pick(2) ? random_place() : random_value(&seed));
    rig_set_gpr(0, X86_GPR_RSP, RIG_STACK - pick(64));
    if (pick(2))
        rig_set_gpr(0, X86_GPR_RCX,
                    pick(2) ? 0xc0000080 + pick(16) : pick(200));
}

static void disturb(void)
{
    switch (pick(16)) {
    case 0: rig_interrupt(0, (uint8_t)(16 + pick(240))); break;
    case 1: rig_nmi(0); break;
    case 2: rig_set_flags(0, X86_RFLAGS_IF, 0); break;
    case 3: rig_set_flags(0, 0, X86_RFLAGS_IF); break;
    case 4: rig_set_flags(0, X86_RFLAGS_TF, 0); break;
    case 5: rig_vmcb(0)->control.interrupt_shadow = pick(2); break;
    default: break;
    }
    (void)cpus_take_kick(0);
}

static enum verdict exit_once(enum rig_mode mode)
{
    static const enum x86_mode modes[RIG_MODES] = {
        [RIG_REAL] = X86_MODE_16,      [RIG_PROTECTED] = X86_MODE_32,
        [RIG_TWO_LEVEL] = X86_MODE_32, [RIG_PAE] = X86_MODE_32,
        [RIG_LONG] = X86_MODE_64,
    };
    struct rig_exit exit = {
        .code = random_code(),
        .info1 = pick(2) ? pick(32) : random_next(&seed),
        .info2 = pick(2) ? random_place() : random_next(&seed),
        .length = (uint8_t)(1 + pick(X86_INSN_MAX)),
        .event = random_event(),
    };

    random_registers();
    disturb();
    random_insn(&seed, modes[mode], exit.bytes);
    if (exit.code == VMEXIT_NPF)
        exit.info1 |= pick(2) ? NPF_FINAL : NPF_TABLE;
    if (exit.code == VMEXIT_IOIO && pick(2))
        exit.info2 = rig_vmcb(0)->save.rip + exit.length;
    return rig_exit(0, &exit);
}

/* Back to where the next one can be. False: the VM is no more. */
static bool go_back(enum rig_mode mode, enum verdict verdict)
{
    struct vmcb_save *save = &rig_vmcb(0)->save;

    rig.accesses = 0;
    if (verdict == VERDICT_STOP_VM || rig.vm->stop != VM_STOP_NONE ||
        rig.vm->state != VM_RUNNING)
        return false;
    rig_svm(0)->x86.wait = X86_RUNS;
    save->rip = RIG_CODE + pick(4096) - save->cs.base;
    save->rflags &= ~(X86_RFLAGS_TF | X86_RFLAGS_VM);
    if (pick(500) == 0) {
        rig.vm->vcpus[0]->stalls = 0;
        rig_mode(0, mode);
    }
    return true;
}

static void be_hostile(const char *profile, enum rig_mode mode, unsigned rounds)
{
    rig_start(profile, 1, 1);
    rig_mode(0, mode);
    rig_enable_apic(0);
    for (unsigned i = 0; i < rounds; i++) {
        if (go_back(mode, exit_once(mode)))
            continue;
        cr_expect_neq(rig.vm->reason[0], '\0');
        rig_stop();
        rig_start(profile, 1, 1);
        rig_mode(0, mode);
        rig_enable_apic(0);
    }
    rig_stop();
}

Test(hostile, exits)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        for (unsigned mode = 0; mode < RIG_MODES; mode++)
            be_hostile(rig_svm_profiles[p], mode,
                       (unsigned)random_rounds(ROUNDS) / 20);
    }
}

/* Memory ----------------------------------------------------------------- */

/* Each allocation in turn fails while the machine is made. */
Test(hostile, no_memory_while_the_vm_is_made)
{
    for (unsigned p = 0; rig_svm_profiles[p] != NULL; p++) {
        bool failed = true;

        for (uint64_t nth = 1; failed; nth++) {
            cr_assert_lt(nth, 10000u);
            machine_fail_at_boot(nth);
            failed = rig_try_start(rig_svm_profiles[p], 2, 4);
            machine_fail_at_boot(0);
            cr_expect_eq(ram_frames_in_use(), 0, "%s: allocation %u",
                         rig_svm_profiles[p], (unsigned)nth);
        }
    }
}

/* A page for which there is no memory is no hole: nothing is lost. */
Test(hostile, no_memory_for_an_emulated_access)
{
    static const uint8_t movsq[] = {0x48, 0xa5};

    for (unsigned to_device = 0; to_device < 2; to_device++) {
        enum verdict verdict;

        rig_start("full", 1, 1);
        rig_mode(0, RIG_LONG);
        rig_set_gpr(0, X86_GPR_RSI, to_device ? 0x50000 : RIG_DEVICE);
        rig_set_gpr(0, X86_GPR_RDI, to_device ? RIG_DEVICE : 0x50000);
        rig_write(RIG_CODE, movsq, sizeof(movsq));
        shim_fail_nth(1, "memory_alloc", true);
        verdict = rig_exit(
            0, &(struct rig_exit){.code = VMEXIT_NPF,
                                  .info1 = NPF_FINAL | X86_FAULT_US |
                                           (to_device ? X86_FAULT_RW : 0),
                                  .info2 = RIG_DEVICE,
                                  .length = sizeof(movsq),
                                  .is_there = true});
        shim_fail_never();
        cr_expect_eq(verdict, VERDICT_STOP_VM);
        cr_expect_not_null(strstr(rig.vm->reason, "memory"), "%s",
                           rig.vm->reason);
        rig_stop();
    }
}
