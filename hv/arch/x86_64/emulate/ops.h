/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions that the decoder knows: name, and which function of the
 * executor does it. `none` is for those whose length alone is of interest:
 * whoever intercepts them knows what they do.
 */
#ifndef ARCH_X86_64_EMULATE_OPS_H
#define ARCH_X86_64_EMULATE_OPS_H

/* The first eight in the order of bits 5:3 of their opcodes. */
#define X86_OPS(X)              \
    X(add, alu)                 \
    X(or, alu)                  \
    X(adc, alu)                 \
    X(sbb, alu)                 \
    X(and, alu)                 \
    X(sub, alu)                 \
    X(xor, alu)                 \
    X(cmp, compare)             \
    X(test, compare)            \
    X(inc, unary)               \
    X(dec, unary)               \
    X(not, unary)               \
    X(neg, unary)               \
    X(bt, bit)                  \
    X(bts, bit)                 \
    X(btr, bit)                 \
    X(btc, bit)                 \
    X(mov, mov)                 \
    X(movabs, mov)              \
    X(movzx, mov)               \
    X(movsx, movsx)             \
    X(movsxd, movsx)            \
    X(movbe, movbe)             \
    X(movnti, mov)              \
    X(mov_from_segment, mov)    \
    X(xchg, xchg)               \
    X(xadd, xadd)               \
    X(cmpxchg, cmpxchg)         \
    X(cmpxchg8b, cmpxchg_pair)  \
    X(cmpxchg16b, cmpxchg_pair) \
    X(push, push)               \
    X(pop, pop)                 \
    X(movs, string)             \
    X(stos, string)             \
    X(lods, string)             \
    X(cmps, string)             \
    X(scas, string)             \
    X(ins, string)              \
    X(outs, string)             \
    X(movups, vector)           \
    X(movupd, vector)           \
    X(movaps, vector)           \
    X(movapd, vector)           \
    X(movdqa, vector)           \
    X(movdqu, vector)           \
    X(lddqu, vector)            \
    X(movntps, vector)          \
    X(movntpd, vector)          \
    X(movntdq, vector)          \
    X(movntdqa, vector)         \
    X(movss, vector)            \
    X(movsd, vector)            \
    X(movd, vector)             \
    X(movq, vector)             \
    X(movntq, vector)           \
    X(movlps, vector)           \
    X(movlpd, vector)           \
    X(movhps, vector)           \
    X(movhpd, vector)           \
    X(nop, nop)                 \
    X(pause, nop)               \
    X(mov_to_segment, none)     \
    X(mov_control, none)        \
    X(mov_debug, none)          \
    X(in, none)                 \
    X(out, none)                \
    X(pushf, none)              \
    X(popf, none)               \
    X(int3, none)               \
    X(int, none)                \
    X(into, none)               \
    X(int1, none)               \
    X(iret, none)               \
    X(hlt, none)                \
    X(sldt, none)               \
    X(str, none)                \
    X(lldt, none)               \
    X(ltr, none)                \
    X(sgdt, none)               \
    X(sidt, none)               \
    X(lgdt, none)               \
    X(lidt, none)               \
    X(smsw, none)               \
    X(lmsw, none)               \
    X(invlpg, none)             \
    X(clts, none)               \
    X(invd, none)               \
    X(wbinvd, none)             \
    X(wrmsr, none)              \
    X(rdtsc, none)              \
    X(rdmsr, none)              \
    X(rdpmc, none)              \
    X(cpuid, none)              \
    X(rsm, none)                \
    X(invpcid, none)            \
    X(vmcall, none)             \
    X(monitor, none)            \
    X(mwait, none)              \
    X(xgetbv, none)             \
    X(xsetbv, none)             \
    X(vmrun, none)              \
    X(vmmcall, none)            \
    X(vmload, none)             \
    X(vmsave, none)             \
    X(stgi, none)               \
    X(clgi, none)               \
    X(skinit, none)             \
    X(invlpga, none)            \
    X(swapgs, none)             \
    X(rdtscp, none)             \
    X(monitorx, none)           \
    X(mwaitx, none)             \
    X(clzero, none)             \
    X(rdpru, none)

enum x86_op {
#define X(name, function) X86_OP_##name,
    X86_OPS(X)
#undef X
        X86_OP_COUNT
};

#endif
