/* SPDX-License-Identifier: Apache-2.0 */
/* Exits that no operation of the fake guest leads to. */
#include "hv/arch/x86_64/svm/rig.h"

#define PATTERN UINT64_C(0x1122334455667788)

/* 16 and 8 bits leave the rest of RAX, 32 clear the upper half. */
Test(exits, in_writes_part_of_a_register)
{
    static const struct {
        uint8_t width, bytes[2];
        uint8_t length;
        uint64_t info, rax;
    } widths[] = {
        {1, {0xec}, 1, IOIO_SZ8, 0x1122334455667711},
        {2, {0x66, 0xed}, 2, IOIO_SZ16, 0x1122334455662211},
        {4, {0xed}, 1, IOIO_SZ32, 0x44332211},
    };

    rig_start("full", 1, 1);
    rig_mode(0, RIG_LONG);
    for (unsigned i = 0; i < ARRAY_SIZE(widths); i++) {
        uint64_t rip = rig_rip(0);
        struct rig_exit exit = {
            .code = VMEXIT_IOIO,
            .info1 =
                FIELD_PUT(IOIO_PORT, RIG_PORT) | IOIO_TYPE_IN | widths[i].info,
            .info2 = rip + widths[i].length,
            .length = widths[i].length,
        };

        memcpy(exit.bytes, widths[i].bytes, widths[i].length);
        memcpy(rig.bytes + 3 * 4096, "\x11\x22\x33\x44", 4);
        rig_set_gpr(0, X86_GPR_RAX, 0x1122334455667788);
        cr_expect_eq(rig_exit(0, &exit), VERDICT_RESUME);
        cr_expect_eq(rig_gpr(0, X86_GPR_RAX), widths[i].rax, "%u: 0x%llx",
                     widths[i].width,
                     (unsigned long long)rig_gpr(0, X86_GPR_RAX));
        cr_expect_eq(rig_rip(0), exit.info2);
    }
    rig_stop();
}

/* A processor that refuses to enter a guest, or exits for what nobody asked
 * for, is the end of the VM, with its reason. */
Test(exits, what_stops_the_vm)
{
    static const uint64_t codes[] = {
        VMEXIT_INVALID,
        UINT32_MAX,
        VMEXIT_EXCP0 + X86_VECTOR_MC,
        VMEXIT_VMGEXIT,
        VMEXIT_TASK_SWITCH,
        VMEXIT_CR0_READ,
        VMEXIT_RDTSC,
        0x3ff,
        0x1234567800000072,
        VMEXIT_SHUTDOWN,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
        rig_start("full", 1, 1);
        rig_mode(0, RIG_LONG);
        cr_expect_eq(rig_exit(0, &(struct rig_exit){.code = codes[i]}),
                     VERDICT_STOP_VM, "0x%llx", (unsigned long long)codes[i]);
        cr_expect_eq(rig.vm->stop, codes[i] == VMEXIT_SHUTDOWN ? VM_STOP_REBOOT
                                                               : VM_STOP_FAULT);
        cr_expect_neq(rig.vm->reason[0], '\0');
        rig_stop();
    }
}
/* A fault of a walk of the guest's tables is none of its instruction, whatever
 * that is and wherever it goes. */
Test(exits, walk_of_tables_in_a_device)
{
    static const uint8_t mov[] = {0x8b, 0x03};
    struct rig_exit exit = {
        .code = VMEXIT_NPF,
        .info1 = NPF_TABLE | X86_FAULT_US | X86_FAULT_RW,
        .info2 = RIG_DEVICE,
        .length = 2,
    };

    rig_start("full", 1, 1);
    rig_mode(0, RIG_LONG);
    rig_set_gpr(0, X86_GPR_RBX, RIG_DATA + 0x10);
    rig_set_gpr(0, X86_GPR_RAX, PATTERN);
    memcpy(exit.bytes, mov, sizeof(mov));
    cr_expect_eq(rig_exit(0, &exit), VERDICT_STOP_VM);
    cr_expect_eq(rig.accesses, 0);
    cr_expect_eq(rig_gpr(0, X86_GPR_RAX), PATTERN);
    rig_stop();
}
