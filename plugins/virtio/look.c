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

bool vio_look_wanted(struct vio_look *look)
{
	if (!look->skip)
		return true;
	look->skip--;
	return false;
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

void vio_look_ended(struct vio_look *look, bool found)
{
	if (found)
		hit(look);
	else
		miss(look);
}
