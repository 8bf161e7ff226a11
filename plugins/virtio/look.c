/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deciding on a look; see look.h. One that finds nothing costs what two that find a chain gain.
 */
#include "look.h"

#define CREDIT_FIRST 4u /* of a try that found something */
#define CREDIT_MAX   8u
#define MISS_COSTS   2u

/* Notifications between two tries: of a driver that never adds anything in time, one in a thousand
 * waits. */
#define SKIP_FIRST 16u
#define SKIP_MAX   1024u

/* Of a try, and at most: 4 to 50 us, by the processor. */
#define READINGS_MAX 1000u
#define READINGS_MIN 16u

bool vio_look_wanted(struct vio_look *look)
{
	if (!look->skip)
		return true;
	look->skip--;
	return false;
}

bool vio_look_due(struct vio_look *look)
{
	return look->credit || vio_look_wanted(look);
}

uint32_t vio_look_readings(const struct vio_look *look)
{
	return look->credit ? look->readings : READINGS_MAX;
}

/* Longer at once, shorter by and by. */
static void fit(struct vio_look *look, uint32_t readings)
{
	uint32_t enough = 4 * readings + READINGS_MIN;

	if (enough > READINGS_MAX)
		enough = READINGS_MAX;
	if (enough < look->readings)
		enough = look->readings - (look->readings - enough) / 64;
	look->readings = enough;
}

static void hit(struct vio_look *look)
{
	if (!look->credit)
		look->credit = CREDIT_FIRST;
	else if (look->credit < CREDIT_MAX)
		look->credit++;
	if (look->credit == CREDIT_MAX)
		look->last_skip = 0;
}

static void miss(struct vio_look *look)
{
	look->credit = look->credit > MISS_COSTS ? look->credit - MISS_COSTS : 0;
	if (look->credit)
		return;
	look->last_skip = look->last_skip ? look->last_skip * 2 : SKIP_FIRST;
	if (look->last_skip > SKIP_MAX)
		look->last_skip = SKIP_MAX;
	look->skip = look->last_skip;
}

void vio_look_ended(struct vio_look *look, bool found, uint32_t readings)
{
	if (found) {
		fit(look, readings);
		hit(look);
	} else {
		miss(look);
	}
}
