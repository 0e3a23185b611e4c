/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's interrupts must be, said once more and as plainly as can be:
 * the reference that random runs of the real code are compared with. It
 * follows the PLIC specification 1.0.0 ("Interrupt Gateways", "Interrupt
 * Claim Process"), the Privileged Architecture 1.12 (sip, sie, WFI), Sstc and
 * SBI 2.0 (TIME, IPI, HSM). It knows vCPUs and sources only: no CPUs, no
 * queues, no migration, which a guest cannot see.
 *
 * Only time is uncertain: an interrupt of a host timer is there at or after
 * its deadline. So pending bits are a range: those that must, and those that
 * may be set.
 */
#ifndef TESTS_HV_INTERRUPTS_MODEL_H
#define TESTS_HV_INTERRUPTS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_VMS     2
#define MODEL_HARTS   4
#define MODEL_SOURCES 96

/* Bits of sip and sie. */
#define SIP_SSIP UINT64_C(0x002)
#define SIP_STIP UINT64_C(0x020)
#define SIP_SEIP UINT64_C(0x200)
#define SIP_ALL  (SIP_SSIP | SIP_STIP | SIP_SEIP)

#define MODEL_NEVER UINT64_MAX

struct model_hart {
    bool on;
    bool waiting;       /* in WFI, or suspended */
    bool suspended;     /* waiting, and that by HSM */
    bool enabled;       /* sstatus.SIE */
    uint64_t sie, ssip; /* as the registers' bits */
    uint64_t deadline;  /* of its timer, in ticks */
    bool timer_set;     /* since it was started */
    bool timer_sure;    /* the deadline has passed, and everybody knows */
    bool timer_forced;  /* the interrupt came without a deadline */
    bool notified;      /* while it waits: so it may wake up for nothing */
    uint64_t may_take;  /* interrupts it could have taken since it was asked */
};

struct model_plic {
    uint8_t priority[MODEL_SOURCES + 1];
    bool line[MODEL_SOURCES + 1], pending[MODEL_SOURCES + 1];
    bool in_service[MODEL_SOURCES + 1], edge[MODEL_SOURCES + 1];
    bool enable[MODEL_HARTS][MODEL_SOURCES + 1];
    uint8_t threshold[MODEL_HARTS];
};

struct model_vm {
    uint32_t harts;
    struct model_hart hart[MODEL_HARTS];
    struct model_plic plic;
};

struct model {
    bool sstc;
    uint64_t now; /* ticks */
    struct model_vm vm[MODEL_VMS];
};

/* All VMs have just been started: hart 0 is on. */
void model_init(struct model *model, bool sstc, const uint32_t *harts);

/* Every change of a VM's interrupts is one of these. */
void model_set_line(struct model_vm *vm, uint32_t source, bool high);
void model_pulse(struct model_vm *vm, uint32_t source);
void model_set_priority(struct model_vm *vm, uint32_t source, uint32_t value);
void model_set_threshold(struct model_vm *vm, uint32_t hart, uint32_t value);
void model_set_enable(struct model_vm *vm, uint32_t hart, uint32_t word,
                      uint32_t value);
uint32_t model_claim(struct model_vm *vm, uint32_t hart);
void model_complete(struct model_vm *vm, uint32_t hart, uint32_t source);
void model_inject_soft(struct model_vm *vm, uint32_t hart);
void model_inject_timer(const struct model *model, struct model_vm *vm,
                        uint32_t hart);
void model_set_timer(const struct model *model, struct model_hart *hart,
                     uint64_t deadline);
void model_start(struct model_vm *vm, uint32_t hart);
void model_stop(struct model_vm *vm, uint32_t hart);
void model_reset(struct model_vm *vm);

/* Time has come to be `now`; `settled`: and every host timer that is due has
 * fired. */
void model_pass_time(struct model *model, uint64_t now, bool settled);

/* Words of 32 sources as a guest reads them. */
uint32_t model_read_pending(const struct model_vm *vm, uint32_t word);
uint32_t model_read_enable(const struct model_vm *vm, uint32_t hart,
                           uint32_t word);

/* sip: what must be set in it, and what may be. */
uint64_t model_must_pend(const struct model *model, const struct model_vm *vm,
                         uint32_t hart);
uint64_t model_may_pend(const struct model *model, const struct model_vm *vm,
                        uint32_t hart);

#endif
