/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real-time clock: see rtc.h. After the MC146818A data sheet; the century byte is where PCs
 * have it. Not modelled: daylight saving, square-wave output, the stopped divider.
 */
#include "rtc.h"

#define REG_SECOND       0x00u
#define REG_SECOND_ALARM 0x01u
#define REG_MINUTE       0x02u
#define REG_MINUTE_ALARM 0x03u
#define REG_HOUR         0x04u
#define REG_HOUR_ALARM   0x05u
#define REG_WEEKDAY      0x06u
#define REG_DAY          0x07u
#define REG_MONTH        0x08u
#define REG_YEAR         0x09u
#define REG_A            0x0au
#define REG_B            0x0bu
#define REG_C            0x0cu
#define REG_D            0x0du
#define REG_CENTURY      0x32u

#define A_UIP   0x80u /* an update is about to come */
#define A_RATE  0x0fu
#define A_RESET 0x26u /* 32768 Hz crystal, 1024 Hz: what a PC's firmware leaves */

#define B_SET    0x80u
#define B_PIE    0x40u
#define B_AIE    0x20u
#define B_UIE    0x10u
#define B_BINARY 0x04u
#define B_24H    0x02u

#define C_IRQ      0x80u
#define C_PERIODIC 0x40u
#define C_ALARM    0x20u
#define C_UPDATE   0x10u
#define C_FLAGS    (C_PERIODIC | C_ALARM | C_UPDATE)

#define D_VALID    0x80u /* the battery is good */
#define HOUR_PM    0x80u
#define ALARM_ANY  0xc0u /* both bits: matches every value */
#define NS_PER_S   UINT64_C(1000000000)
#define UIP_NS     UINT64_C(244000) /* how long UIP is set before the update */
#define S_PER_DAY  86400
#define CRYSTAL_HZ UINT64_C(32768)

/* Fields of a time of day and date. */
struct fields {
	int64_t year;
	uint32_t month, day; /* from 1 */
	uint32_t weekday;    /* 1: Sunday */
	uint32_t hour, minute, second;
};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back; year >= 0. The
 * year is taken to begin in March, so that the leap day is its last. */
static int64_t days_of(int64_t year, uint32_t month, uint32_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year =
		(153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static struct fields fields_of(int64_t time_s)
{
	int64_t of_day = ((time_s % S_PER_DAY) + S_PER_DAY) % S_PER_DAY;
	int64_t days = (time_s - of_day) / S_PER_DAY;
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	uint32_t month = (uint32_t)(mp < 10 ? mp + 3 : mp - 9);

	return (struct fields){.year = yoe + era * 400 + (month <= 2),
		.month = month,
		.day = (uint32_t)(doy - (153 * mp + 2) / 5 + 1),
		.weekday = (uint32_t)(((days % 7) + 11) % 7) + 1,
		.hour = (uint32_t)(of_day / 3600),
		.minute = (uint32_t)(of_day / 60 % 60),
		.second = (uint32_t)(of_day % 60)};
}

static uint8_t encode(const struct rtc *rtc, uint32_t value)
{
	if (rtc->cmos[REG_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)((value / 10 % 10) << 4 | value % 10);
}

static uint32_t decode(const struct rtc *rtc, uint8_t value)
{
	if (rtc->cmos[REG_B] & B_BINARY)
		return value;
	return (value >> 4) * 10u + (value & 0xfu);
}

static uint8_t encode_hour(const struct rtc *rtc, uint32_t hour)
{
	if (rtc->cmos[REG_B] & B_24H)
		return encode(rtc, hour);
	return (uint8_t)(encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0));
}

static uint32_t decode_hour(const struct rtc *rtc, uint8_t value)
{
	if (rtc->cmos[REG_B] & B_24H)
		return decode(rtc, value);
	return decode(rtc, value & (uint8_t)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

static int64_t guest_s(const struct rtc *rtc, struct rtc_now now)
{
	return (int64_t)(now.wall_ns / NS_PER_S) + rtc->offset_s;
}

/* The time registers show this time. */
static void load_time(struct rtc *rtc, int64_t time_s)
{
	struct fields f = fields_of(time_s);

	rtc->cmos[REG_SECOND] = encode(rtc, f.second);
	rtc->cmos[REG_MINUTE] = encode(rtc, f.minute);
	rtc->cmos[REG_HOUR] = encode_hour(rtc, f.hour);
	rtc->cmos[REG_WEEKDAY] = encode(rtc, f.weekday);
	rtc->cmos[REG_DAY] = encode(rtc, f.day);
	rtc->cmos[REG_MONTH] = encode(rtc, f.month);
	rtc->cmos[REG_YEAR] = encode(rtc, (uint32_t)(f.year % 100));
	rtc->cmos[REG_CENTURY] = encode(rtc, (uint32_t)(f.year / 100 % 100));
}

/* The guest's time becomes what the time registers show. Values that no clock shows (month 0, 61
 * seconds) are taken as a time all the same, never refused: so does the chip. */
static void store_time(struct rtc *rtc, struct rtc_now now)
{
	const uint8_t *cmos = rtc->cmos;
	int64_t year = (int64_t)decode(rtc, cmos[REG_CENTURY]) * 100 + decode(rtc, cmos[REG_YEAR]);
	uint32_t month = decode(rtc, cmos[REG_MONTH]);
	int64_t time_s;

	month = month < 1 ? 1 : month > 12 ? 12 : month;
	time_s = days_of(year, month, decode(rtc, cmos[REG_DAY])) * S_PER_DAY +
		 (int64_t)decode_hour(rtc, cmos[REG_HOUR]) * 3600 +
		 (int64_t)decode(rtc, cmos[REG_MINUTE]) * 60 + decode(rtc, cmos[REG_SECOND]);
	rtc->offset_s += time_s - guest_s(rtc, now);
	rtc->seen_s = time_s;
}

static bool is_time(uint8_t index)
{
	switch (index) {
	case REG_SECOND:
	case REG_MINUTE:
	case REG_HOUR:
	case REG_WEEKDAY:
	case REG_DAY:
	case REG_MONTH:
	case REG_YEAR:
	case REG_CENTURY:
		return true;
	default:
		return false;
	}
}

/* First time after `after_s` at which the alarm matches; false: at no time of day. */
static bool next_alarm(const struct rtc *rtc, int64_t after_s, int64_t *ret_s)
{
	const uint8_t *cmos = rtc->cmos;
	const bool any_hour = (cmos[REG_HOUR_ALARM] & ALARM_ANY) == ALARM_ANY;
	const bool any_minute = (cmos[REG_MINUTE_ALARM] & ALARM_ANY) == ALARM_ANY;
	const bool any_second = (cmos[REG_SECOND_ALARM] & ALARM_ANY) == ALARM_ANY;
	const uint32_t hour = decode_hour(rtc, cmos[REG_HOUR_ALARM]);
	const uint32_t minute = decode(rtc, cmos[REG_MINUTE_ALARM]);
	const uint32_t second = decode(rtc, cmos[REG_SECOND_ALARM]);
	int64_t t = after_s + 1;

	if ((!any_hour && hour > 23) || (!any_minute && minute > 59) ||
		(!any_second && second > 59))
		return false;
	/* Each step goes to the next hour, minute or second that can match: at most 25 hours, 60
	 * minutes and 60 seconds are gone through before all three match. */
	for (int steps = 0; steps < 256; steps++) {
		struct fields f = fields_of(t);

		if (!any_hour && f.hour != hour)
			t += 3600 - (int64_t)(f.minute * 60 + f.second);
		else if (!any_minute && f.minute != minute)
			t += 60 - (int64_t)f.second;
		else if (!any_second && f.second != second)
			t++;
		else {
			*ret_s = t;
			return true;
		}
	}
	return false;
}

/* Crystal ticks of one period of the periodic interrupt as a shift; 0: it is off. */
static uint32_t period_shift(const struct rtc *rtc)
{
	uint32_t rate = rtc->cmos[REG_A] & A_RATE;

	return rate == 0 ? 0 : rate <= 2 ? rate + 6 : rate - 1;
}

static uint64_t period_number(uint64_t tick_ns, uint32_t shift)
{
	uint64_t ticks =
		tick_ns / NS_PER_S * CRYSTAL_HZ + tick_ns % NS_PER_S * CRYSTAL_HZ / NS_PER_S;

	return ticks >> shift;
}

void rtc_init(struct rtc *rtc, struct rtc_now now)
{
	*rtc = (struct rtc){.index = 0};
	rtc->cmos[REG_A] = A_RESET;
	rtc->cmos[REG_B] = B_24H;
	rtc->cmos[REG_D] = D_VALID;
	rtc->seen_s = guest_s(rtc, now);
	rtc->seen_period = period_number(now.tick_ns, period_shift(rtc));
	load_time(rtc, rtc->seen_s);
}

void rtc_update(struct rtc *rtc, struct rtc_now now)
{
	uint32_t shift = period_shift(rtc);
	int64_t alarm_s, now_s = guest_s(rtc, now);

	if (!(rtc->cmos[REG_B] & B_SET)) {
		if (now_s != rtc->seen_s) { /* it goes back with the host's clock */
			rtc->cmos[REG_C] |= C_UPDATE;
			if (next_alarm(rtc, rtc->seen_s, &alarm_s) && alarm_s <= now_s)
				rtc->cmos[REG_C] |= C_ALARM;
		}
		rtc->seen_s = now_s;
	}
	if (shift) {
		uint64_t period = period_number(now.tick_ns, shift);

		if (period != rtc->seen_period)
			rtc->cmos[REG_C] |= C_PERIODIC;
		rtc->seen_period = period;
	}
}

uint32_t rtc_level(const struct rtc *rtc)
{
	return (rtc->cmos[REG_C] & rtc->cmos[REG_B] & C_FLAGS) != 0;
}

void rtc_select(struct rtc *rtc, uint8_t index)
{
	rtc->index = index & (RTC_BYTES - 1); /* bit 7 masks NMIs, of which there are none */
}

uint8_t rtc_read(struct rtc *rtc, struct rtc_now now)
{
	const bool setting = rtc->cmos[REG_B] & B_SET;
	uint8_t value;

	rtc_update(rtc, now);
	if (is_time(rtc->index) && !setting)
		load_time(rtc, guest_s(rtc, now));
	value = rtc->cmos[rtc->index];
	if (rtc->index == REG_A && !setting && now.wall_ns % NS_PER_S >= NS_PER_S - UIP_NS)
		value |= A_UIP;
	if (rtc->index == REG_C) {
		value = (uint8_t)(value | (rtc_level(rtc) ? C_IRQ : 0));
		rtc->cmos[REG_C] = 0;
	}
	return value;
}

static void write_b(struct rtc *rtc, struct rtc_now now, uint8_t value)
{
	const bool was_setting = rtc->cmos[REG_B] & B_SET;

	if (!was_setting)
		load_time(rtc, guest_s(rtc, now));
	if (value & B_SET)
		value &= (uint8_t)~B_UIE;
	rtc->cmos[REG_B] = value;
	if (was_setting && !(value & B_SET))
		store_time(rtc, now);
}

void rtc_write(struct rtc *rtc, struct rtc_now now, uint8_t value)
{
	rtc_update(rtc, now);
	switch (rtc->index) {
	case REG_A:
		rtc->cmos[REG_A] = value & (uint8_t)~A_UIP;
		rtc->seen_period = period_number(now.tick_ns, period_shift(rtc));
		return;
	case REG_B:
		write_b(rtc, now, value);
		return;
	case REG_C:
	case REG_D:
		return;
	default:
		break;
	}
	if (is_time(rtc->index) && !(rtc->cmos[REG_B] & B_SET)) {
		load_time(rtc, guest_s(rtc, now));
		rtc->cmos[rtc->index] = value;
		store_time(rtc, now);
		return;
	}
	rtc->cmos[rtc->index] = value;
}

uint64_t rtc_next_wall(const struct rtc *rtc)
{
	const uint8_t b = rtc->cmos[REG_B];
	int64_t alarm_s;

	/* A flag that is set and not read yet holds the line up: nothing more can happen. */
	if ((b & B_SET) || !(b & B_AIE) || rtc_level(rtc) ||
		!next_alarm(rtc, rtc->seen_s, &alarm_s))
		return RTC_NEVER;
	return (uint64_t)(alarm_s - rtc->offset_s) * NS_PER_S;
}

static uint64_t next_period(uint64_t tick_ns, uint32_t shift)
{
	uint64_t ticks = (period_number(tick_ns, shift) + 1) << shift;

	/* Rounded up, so that the period is over then. */
	return ticks / CRYSTAL_HZ * NS_PER_S +
	       (ticks % CRYSTAL_HZ * NS_PER_S + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
}

uint64_t rtc_next_tick(const struct rtc *rtc, struct rtc_now now)
{
	const uint8_t b = rtc->cmos[REG_B];
	const uint32_t shift = period_shift(rtc);
	uint64_t next_ns = RTC_NEVER, update_ns;

	if (rtc_level(rtc))
		return RTC_NEVER;
	if (shift && (b & B_PIE))
		next_ns = next_period(now.tick_ns, shift);
	if ((b & B_UIE) && !(b & B_SET)) {
		update_ns = now.tick_ns + (NS_PER_S - now.wall_ns % NS_PER_S);
		next_ns = update_ns < next_ns ? update_ns : next_ns;
	}
	return next_ns;
}
