/* SPDX-License-Identifier: Apache-2.0 */
/* x86_64 in scenarios: names, and the operations of its guests. */
#include "sim/scenario_language.h"
#include "sim/x86_64/arch.h"

const struct scenario_language x86_64_language = {0};
