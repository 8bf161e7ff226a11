/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model of an MC146818 real-time clock with 128 bytes of CMOS RAM. Pure: time comes in with each
 * call, and it says when it wants to be called again. It calls no host service.
 *
 * The guest's time is the host's wall clock (UTC) plus whole seconds that the guest chose by
 * setting its clock, so it follows when the host's clock is set. Nothing runs between calls: flags
 * are worked out from the time that has passed since the last call.
 */
#ifndef PLATFORM_RTC_H
#define PLATFORM_RTC_H

#include <stdbool.h>
#include <stdint.h>

#define RTC_BYTES 128u
#define RTC_NEVER UINT64_MAX

/** Now, on the clocks that the model runs on. */
struct rtc_now {
	uint64_t wall_ns; /* since 1970 */
	uint64_t tick_ns; /* monotonic */
};

struct rtc {
	uint8_t index;
	uint8_t cmos[RTC_BYTES]; /* time registers in it are used while the guest sets the clock */
	int64_t offset_s;        /* guest time minus wall clock */
	int64_t seen_s;          /* guest time up to which flags are worked out */
	uint64_t seen_period;    /* likewise, number of the period */
};

void rtc_init(struct rtc *rtc, struct rtc_now now);

/** Access to the index port and to the data port. */
void rtc_select(struct rtc *rtc, uint8_t index);
uint8_t rtc_read(struct rtc *rtc, struct rtc_now now);
void rtc_write(struct rtc *rtc, struct rtc_now now, uint8_t value);

/** Works out the flags; to be called at the times that the two functions below give. */
void rtc_update(struct rtc *rtc, struct rtc_now now);

/** Level of the interrupt line. */
uint32_t rtc_level(const struct rtc *rtc);

/** Wall-clock time of the next alarm, or RTC_NEVER. */
uint64_t rtc_next_wall(const struct rtc *rtc);

/** Monotonic time of the next periodic or update interrupt, or RTC_NEVER. Updates end within a
 * second whatever is done to the wall clock in the meantime. */
uint64_t rtc_next_tick(const struct rtc *rtc, struct rtc_now now);

#endif
