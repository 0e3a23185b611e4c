/* SPDX-License-Identifier: Apache-2.0 */
/* Dates of the Gregorian calendar, and seconds since 1970 began. */
#ifndef DEVICE_PC_CALENDAR_H
#define DEVICE_PC_CALENDAR_H

#include <stdint.h>

/* The last second of the year 9999. */
#define CALENDAR_LAST  UINT64_C(253402300799)
#define CALENDAR_NEVER UINT64_MAX
#define CALENDAR_ANY   UINT32_MAX

struct calendar {
    uint32_t year, month, day; /* from 1 on */
    uint32_t hour, minute, second;
    uint32_t weekday; /* 1: Sunday */
};

/* A time after CALENDAR_LAST is that. */
void calendar_of_seconds(uint64_t seconds, struct calendar *calendar);

/* What is out of range is taken for the nearest that is not, from the year
 * 1970 on. The weekday does not count. */
uint64_t calendar_to_seconds(const struct calendar *calendar);

/* Times of a day: numbers, or CALENDAR_ANY. */
struct calendar_match {
    uint32_t hour, minute, second;
};

/* The first second after `after` that matches; CALENDAR_NEVER: a number is
 * not one of a time of a day. */
uint64_t calendar_next_match(uint64_t after,
                             const struct calendar_match *match);

#endif
