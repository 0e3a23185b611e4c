/* SPDX-License-Identifier: Apache-2.0 */
/* The little JSON that commands print. */
#ifndef SIM_JSON_H
#define SIM_JSON_H

#include <stdio.h>

/* `text` as a JSON string, quotes included; bytes beyond ASCII as they are. */
void json_string(FILE *to, const char *text);

#endif
