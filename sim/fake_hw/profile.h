/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind of processor that can be faked: what an architecture's manual leaves
 * open. Each architecture's own struct begins with this.
 */
#ifndef SIM_FAKE_HW_PROFILE_H
#define SIM_FAKE_HW_PROFILE_H

struct fake_profile {
    const char *name;
    const char *summary;
};

#endif
