/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which device an exit went to: the ranges come from the configuration in the
 * trace, the address from the exit's registers.
 */
#ifndef SIM_TRACE_DEVICES_H
#define SIM_TRACE_DEVICES_H

#include "sim/trace_arch.h"

#define TRACE_MAX_DEVICES 256

struct trace_device {
    uint32_t vm;
    uint64_t base, size;
    char name[48];
    uint64_t reads, writes; /* for whoever counts */
};

struct trace_devices {
    struct trace_layout layout;
    struct vcpu *scratch; /* NULL: the architecture is not known here */
    unsigned count;
    struct trace_device devices[TRACE_MAX_DEVICES];
    unsigned vm_count;
    struct {
        uint32_t id;
        char name[48];
    } vms[64];
};

/* Reads the configuration, as far as it is one. */
void trace_devices_init(struct trace_devices *devices,
                        const struct trace_start *start);
void trace_devices_fini(struct trace_devices *devices);

/* An exit in words that reports share. */
struct trace_exit {
    uint64_t kind; /* as recorded: trace_exit_kind_name() */
    bool has_gpa;
    uint64_t gpa;
    bool is_write;
    struct trace_device *device; /* NULL: none */
    char insn[64];               /* "" when the registers do not tell */
};

/* Of an EXIT event that is complete. */
void trace_describe_exit(struct trace_devices *devices,
                         const struct trace_start *start,
                         const struct trace_event *event,
                         struct trace_exit *exit);

/* The VM's name, "linux" say, or "VM 3". */
const char *trace_vm_name(const struct trace_devices *devices, uint32_t vm,
                          char *room, size_t size);

#endif
