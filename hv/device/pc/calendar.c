/* SPDX-License-Identifier: Apache-2.0 */
#include "device/pc/calendar.h"

#include <stdbool.h>

#define MINUTE   60
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define THURSDAY 4 /* 1970-01-01, when Sunday is 0 */

static bool is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t days_in_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1U : 0U);
}

/* Days from 1970-01-01 to the first of that year. */
static uint64_t days_before(uint32_t year)
{
    uint64_t past = year - 1;
    uint64_t leaps = past / 4 - past / 100 + past / 400;

    return past * 365 + leaps - 719162;
}

void calendar_of_seconds(uint64_t seconds, struct calendar *calendar)
{
    uint32_t year, month = 1;
    uint64_t days;

    seconds = seconds < CALENDAR_LAST ? seconds : CALENDAR_LAST;
    days = seconds / DAY;
    /* The mean year is too long for an early date of a year, never by more. */
    year = 1970 + (uint32_t)(days * 400 / 146097);
    while (days_before(year + 1) <= days)
        year++;
    while (days_before(year) > days)
        year--;
    calendar->weekday = (uint32_t)((days + THURSDAY) % 7) + 1;
    days -= days_before(year);
    while (days >= days_in_month(year, month))
        days -= days_in_month(year, month++);
    calendar->year = year;
    calendar->month = month;
    calendar->day = (uint32_t)days + 1;
    calendar->hour = (uint32_t)(seconds / HOUR % 24);
    calendar->minute = (uint32_t)(seconds / MINUTE % 60);
    calendar->second = (uint32_t)(seconds % 60);
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

uint64_t calendar_to_seconds(const struct calendar *calendar)
{
    uint32_t year = clamp(calendar->year, 1970, 9999);
    uint32_t month = clamp(calendar->month, 1, 12);
    uint32_t day = clamp(calendar->day, 1, days_in_month(year, month));
    uint64_t days = days_before(year) + day - 1;

    for (uint32_t i = 1; i < month; i++)
        days += days_in_month(year, i);
    return days * DAY + clamp(calendar->hour, 0, 23) * HOUR +
           clamp(calendar->minute, 0, 59) * MINUTE +
           clamp(calendar->second, 0, 59);
}

/* How far it is from `now`, of `count`, to the next that is wanted. */
static uint64_t distance(uint64_t now, uint32_t wanted, uint64_t count)
{
    return wanted == CALENDAR_ANY ? 0 : (wanted + count - now) % count;
}

static bool can_match(const struct calendar_match *match)
{
    return (match->hour < 24 || match->hour == CALENDAR_ANY) &&
           (match->minute < 60 || match->minute == CALENDAR_ANY) &&
           (match->second < 60 || match->second == CALENDAR_ANY);
}

/* Goes on to the hour, then to the minute, then to the second that fit. Any of
 * them may lead into the next minute or hour, which need not, once. */
uint64_t calendar_next_match(uint64_t after, const struct calendar_match *match)
{
    uint64_t at = after + 1;

    if (!can_match(match))
        return CALENDAR_NEVER;
    for (;;) {
        uint64_t hours = distance(at / HOUR % 24, match->hour, 24);
        uint64_t minutes = distance(at / MINUTE % 60, match->minute, 60);
        uint64_t seconds = distance(at % 60, match->second, 60);

        if (hours != 0)
            at += hours * HOUR - at % HOUR;
        else if (minutes != 0)
            at += minutes * MINUTE - at % MINUTE;
        else if (seconds != 0)
            at += seconds;
        else
            return at;
    }
}
