/* SPDX-License-Identifier: Apache-2.0 */
/* The VMM of a target that has a device, and no virtual machine around it:
 * what a device tells it is not heard. */
#include "api/vmm.h"

#define NOT_HEARD(ret, name, params, args, traced, flow, failure) \
    ret name##_impl params                                        \
    {                                                             \
        return failure;                                           \
    }
#define NONE(...)
VMM_API(NOT_HEARD, NONE, NONE, NONE)
