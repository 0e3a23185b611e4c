/* SPDX-License-Identifier: Apache-2.0 */
/* sim/report.html as a string: made by cmake/embed.cmake. */
#ifndef SIM_REPORT_PAGE_H
#define SIM_REPORT_PAGE_H

extern const char report_page[];

#endif
