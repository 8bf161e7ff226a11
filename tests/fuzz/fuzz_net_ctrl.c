/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the control queue of a network device, ctrl.c. Each command is answered with one
 * byte, and the number of pairs in use is always one that the device has.
 */
#include "net_rig.h"

static struct net_rig rig;
static bool refuse;

static int32_t pairs_changed(struct net_backend *backend)
{
	FUZZ_CHECK(backend->net->pairs >= 1 && backend->net->pairs <= backend->net->pairs_max);
	return refuse ? VMM_E_IO : 0;
}

/* What device.c does with it; the rest of that file wants a host. */
int32_t net_pairs_changed(struct net *net, uint32_t pairs)
{
	uint32_t before = net->pairs;
	int32_t ret;

	net->pairs = pairs;
	ret = pairs_changed(net->backend);
	if (ret < 0)
		net->pairs = before;
	return ret;
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};
	uint8_t how = fuzz_u8(&in);

	net_rig_init(&rig, GUEST_QUEUE_MAX, GUEST_INDIRECT);
	rig.net.pairs = 1;
	rig.net.pairs_max = 1 + (how & 7);
	rig.net.features = how & 8 ? NET_F_MQ : 0;
	refuse = how & 16;
	rig.queue_first = net_ctrl_queue(&rig.net);
	FUZZ_CHECK(rig.queue_first == (how & 8 ? 2 * rig.net.pairs_max : 2));
	while (in.left) {
		net_rig_drive(&rig, &in);
		if (fuzz_u8(&in) & 3)
			continue;
		rig.written = rig.pushed = 0;
		net_rig_notify(&rig);
		net_ctrl_notify(&rig.net);
		FUZZ_CHECK(rig.written <= rig.pushed && !rig.held[0]);
		FUZZ_CHECK(rig.net.pairs >= 1 && rig.net.pairs <= rig.net.pairs_max);
		FUZZ_CHECK(rig.net.pairs == 1 || (how & 8 && !refuse));
		virtq_flush(&rig.queues[0]);
	}
	net_rig_fini(&rig);
	return 0;
}
