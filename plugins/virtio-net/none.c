/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end "none": a network card without a cable. What is sent is dropped, nothing arrives.
 */
#include <stdlib.h>

#include "backend.h"

static void none_close(struct net_backend *backend)
{
	free(backend);
}

static int32_t none_activate(struct net_backend *backend)
{
	(void)backend;
	return 0;
}

static void none_deactivate(struct net_backend *backend)
{
	(void)backend;
}

static void none_rx_ready(struct net_backend *backend, uint32_t pair)
{
	(void)backend;
	(void)pair;
}

static void none_tx_ready(struct net_backend *backend, uint32_t pair)
{
	struct net_frame frame;

	while (net_tx_pop(backend->net, pair, &frame))
		net_tx_done(backend->net, pair, &frame, false);
}

static const struct net_backend_ops none_ops = {
	.close = none_close,
	.activate = none_activate,
	.deactivate = none_deactivate,
	.rx_ready = none_rx_ready,
	.tx_ready = none_tx_ready,
};

int32_t net_none_open(struct net *net, struct net_backend **ret_backend, struct vmm_error *error)
{
	struct net_backend *backend = calloc(1, sizeof(*backend));

	(void)error;
	if (!backend)
		return VMM_E_NOMEM;
	backend->ops = &none_ops;
	backend->net = net;
	net->plugged = false;
	net->config.status = 0;
	*ret_backend = backend;
	return 0;
}
