/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a network device: its phases, and what the transport calls.
 */
#include <stdlib.h>
#include <string.h>

#include "backend.h"

void net_set_link(struct net *net, bool up)
{
	uint16_t status = up && net->plugged ? NET_S_LINK_UP : 0;

	if (net->config.status == status)
		return;
	net->config.status = status;
	if (net->attached)
		net->virtio.config_update(net->transport, net->device,
			offsetof(struct net_config, status), (const uint8_t *)&status,
			sizeof(status), 1);
	vmm_logf(&net->log, net->host, VMM_LOG_INFO, "link is %s", up ? "up" : "down");
}

int32_t net_pairs_changed(struct net *net, uint32_t pairs)
{
	uint32_t before = net->pairs;
	int32_t ret = 0;

	net->pairs = pairs;
	if (net->backend->ops->pairs_changed)
		ret = net->backend->ops->pairs_changed(net->backend);
	if (ret < 0)
		net->pairs = before;
	return ret;
}

static int32_t net_activate(void *ctx, uint64_t features)
{
	struct net *net = ctx;
	int32_t ret;

	net->features = features;
	net->pairs = 1;
	net_rx_reset(net);
	ret = net->backend->ops->activate(net->backend);
	net->active = ret == 0;
	return ret;
}

static void net_notify(void *ctx, uint32_t queue)
{
	struct net *net = ctx;

	if (!net->active)
		return;
	if (queue >= net_ctrl_queue(net))
		net_ctrl_notify(net);
	else if (queue & 1)
		net->backend->ops->tx_ready(net->backend, queue / 2);
	else
		net->backend->ops->rx_ready(net->backend, queue / 2);
}

static void deactivate(struct net *net)
{
	if (!net->active)
		return;
	net->active = false;
	net->backend->ops->deactivate(net->backend);
	net_rx_reset(net);
}

static int32_t net_reset(void *ctx)
{
	struct net *net = ctx;

	deactivate(net);
	return 0;
}

static const struct vmm_virtio_ops virtio_ops = {
	.size = sizeof(virtio_ops),
	.activate = net_activate,
	.notify = net_notify,
	.reset = net_reset,
};

static int32_t net_quiesce(void *ctx)
{
	struct net *net = ctx;

	deactivate(net);
	return 0;
}

/* FNV-1a: the address only has to be the same at each start, and to differ between devices. */
static uint64_t hash(const char *text)
{
	uint64_t value = 0xcbf29ce484222325u;

	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * 0x100000001b3u;
	return value;
}

static void set_mac(struct net *net)
{
	const struct vmm_value *mac = net->values[NET_OPT_MAC];
	uint64_t bits = mac->flags & VMM_VALUE_PRESENT
				? (uint64_t)mac->number
				: 0x525400000000u | (hash(net->id) & 0xffffff);

	for (uint32_t i = 0; i < 6; i++)
		net->config.mac[i] = (uint8_t)(bits >> (8 * (5 - i)));
}

static int32_t query_services(struct net *net, struct vmm_error *error)
{
	int32_t ret = vmm_query(net->hello, net->host, VMM_LOOP_ID, sizeof(net->loop), &net->loop,
		sizeof(net->loop), error);

	if (ret == 0)
		ret = vmm_query(net->hello, net->host, VMM_LOG_ID, sizeof(net->log), &net->log,
			sizeof(net->log), error);
	if (ret == 0)
		ret = vmm_query(net->hello, net->host, VMM_MEMORY_ID, sizeof(net->memory),
			&net->memory, sizeof(net->memory), error);
	if (ret == 0)
		ret = vmm_query(net->hello, net->host, VMM_FILE_ID, sizeof(net->file), &net->file,
			sizeof(net->file), error);
	return ret;
}

/* Nobody who has a tap gets sockets. A host of ABI 0.1 does not ask. */
static int32_t say_needs(struct net *net, struct vmm_error *error)
{
	static const uint64_t needs[] = {
		[NET_BACKEND_USER] = VMM_NEED_NETWORK,
		[NET_BACKEND_TAP] = VMM_NEED_TAP,
		[NET_BACKEND_NONE] = 0,
	};
	struct vmm_machine machine;
	int32_t ret = vmm_query(net->hello, net->host, VMM_MACHINE_ID,
		offsetof(struct vmm_machine, needs), &machine, sizeof(machine), error);

	return ret < 0 || !machine.needs
		       ? ret
		       : machine.needs(net->host, needs[net->values[NET_OPT_BACKEND]->number]);
}

static int32_t open_backend(struct net *net, struct vmm_error *error)
{
	switch (net->values[NET_OPT_BACKEND]->number) {
	case NET_BACKEND_USER:
		return net_user_open(net, &net->backend, error);
	case NET_BACKEND_TAP:
		return net_tap_open(net, &net->backend, error);
	default:
		return net_none_open(net, &net->backend, error);
	}
}

static int32_t net_create(const struct vmm_create_args *args, void **ret_ctx)
{
	struct net *net = calloc(1, sizeof(*net));
	int32_t ret;

	if (!net)
		return VMM_E_NOMEM;
	net->hello = args->hello;
	net->host = args->host;
	net->id = args->device_id;
	net->values = args->values;
	net->pairs_max = (uint32_t)args->values[NET_OPT_QUEUES]->number;
	net->config.max_virtqueue_pairs = (uint16_t)net->pairs_max;
	net->plugged = args->values[NET_OPT_LINK]->number;
	net->config.status = net->plugged ? NET_S_LINK_UP : 0;
	if (args->values[NET_OPT_MTU]->flags & VMM_VALUE_PRESENT)
		net->config.mtu = (uint16_t)args->values[NET_OPT_MTU]->number;
	set_mac(net);
	ret = query_services(net, args->error);
	if (ret == 0)
		ret = say_needs(net, args->error);
	if (ret == 0)
		ret = open_backend(net, args->error);
	if (ret < 0) {
		free(net);
		return ret;
	}
	*ret_ctx = net;
	return 0;
}

static int32_t net_bind(void *ctx, struct vmm_error *error)
{
	struct net *net = ctx;

	return vmm_query_ref(net->hello, net->host, net->values[NET_OPT_TRANSPORT], VMM_VIRTIO_ID,
		sizeof(net->virtio), &net->virtio, sizeof(net->virtio), &net->transport, error);
}

static int32_t net_realize(void *ctx, struct vmm_error *error)
{
	struct net *net = ctx;
	const struct vmm_value *slot = net->values[NET_OPT_SLOT];
	uint16_t sizes[2 * NET_PAIRS_MAX + 1];
	uint32_t queues = 2 * net->pairs_max;
	struct vmm_virtio_device device = {
		.struct_size = sizeof(device),
		.owner = net->host,
		.name = net->id,
		.loop = net->loop.own(net->host),
		.device_id = NET_DEVICE_ID,
		.queue_sizes = sizes,
		.features = NET_F_MAC | NET_F_STATUS | NET_F_MRG_RXBUF | net->backend->features,
		.config = (const uint8_t *)&net->config,
		.config_bytes = sizeof(net->config),
		.slot = slot->flags & VMM_VALUE_PRESENT ? (uint32_t)slot->number
							: VMM_VIRTIO_SLOT_AUTO,
		.class_code = 0x020000,
		.ops = &virtio_ops,
		.ctx = net,
		.error = error,
	};
	int32_t ret;

	for (uint32_t i = 0; i < queues; i++)
		sizes[i] = (uint16_t)net->values[NET_OPT_QUEUE_SIZE]->number;
	if (net->config.mtu)
		device.features |= NET_F_MTU;
	if (net->pairs_max > 1) {
		device.features |= NET_F_CTRL_VQ | NET_F_MQ;
		sizes[queues++] = NET_CTRL_SIZE;
	}
	device.queue_count = queues;
	ret = net->virtio.attach(net->transport, &device, &net->device);
	net->attached = ret == 0;
	return ret;
}

static void net_unrealize(void *ctx)
{
	struct net *net = ctx;

	deactivate(net);
	if (net->attached)
		net->virtio.detach(net->transport, net->device);
	net->attached = false;
}

static void net_destroy(void *ctx)
{
	struct net *net = ctx;

	vmm_logf(&net->log, net->host, VMM_LOG_DEBUG,
		"frames to the guest %llu (dropped %llu), from it %llu (dropped %llu)",
		(unsigned long long)net->counters.rx_frames,
		(unsigned long long)net->counters.rx_dropped,
		(unsigned long long)net->counters.tx_frames,
		(unsigned long long)net->counters.tx_dropped);
	net->backend->ops->close(net->backend);
	free(net);
}

const struct vmm_device_ops net_device_ops = {
	.size = sizeof(net_device_ops),
	.validate = net_validate,
	.create = net_create,
	.bind = net_bind,
	.realize = net_realize,
	.quiesce = net_quiesce,
	.unrealize = net_unrealize,
	.destroy = net_destroy,
};
