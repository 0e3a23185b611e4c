/* SPDX-License-Identifier: Apache-2.0 */
/* The process as a whole, for tests of single components. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "sim/clock.h"
#include "sim/console.h"
#include "sim/cpus.h"
#include "sim/fake_hw/violation.h"
#include "sim/ram.h"
#include "sim/shim.h"

/*
 * A fresh host: all frames free, time 0, `cpus` CPUs with fake hardware in its
 * reset state, an empty console, no hooks, no fault armed.
 */
void sim_reset(uint32_t cpus);

#endif
