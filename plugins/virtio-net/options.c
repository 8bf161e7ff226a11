/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options that are each right by themselves, and do not go together. Pure: looks at values only.
 */
#include "backend.h"

static bool given(const struct vmm_value *value)
{
	return value->flags & VMM_VALUE_GIVEN;
}

static int32_t wrong(struct vmm_error *error, const char *text)
{
	vmm_set_error(error, "%s", text);
	return VMM_E_INVAL;
}

static int32_t check_card(const struct vmm_value *const *values, struct vmm_error *error)
{
	const struct vmm_value *mac = values[NET_OPT_MAC];
	int64_t size = values[NET_OPT_QUEUE_SIZE]->number;

	if (size & (size - 1)) {
		vmm_set_error(error, "queue_size is %lld; expected a power of 2", (long long)size);
		return VMM_E_INVAL;
	}
	if (!(mac->flags & VMM_VALUE_PRESENT))
		return 0;
	if (mac->number >> 40 & 1)
		return wrong(error, "mac is a group address; expected one with an even first byte, "
				    "such as \"52:54:00:12:34:56\"");
	return mac->number ? 0 : wrong(error, "mac is all zero; leave it out to have one made");
}

static int32_t check_tap(const struct vmm_value *const *values, struct vmm_error *error)
{
	bool named = values[NET_OPT_IFNAME]->flags & VMM_VALUE_PRESENT;
	bool fd = values[NET_OPT_FD]->flags & VMM_VALUE_PRESENT;

	if (named == fd)
		return wrong(error,
			"backend = \"tap\" needs either ifname or fd: the tap device to use");
	if (fd && values[NET_OPT_QUEUES]->number > 1)
		return wrong(error, "queues above 1 need ifname: an fd is one queue");
	return 0;
}

static int32_t check_others(const struct vmm_value *const *values, struct vmm_error *error)
{
	if (values[NET_OPT_QUEUES]->number > 1)
		return wrong(error, "queues above 1 need backend = \"tap\"");
	if (given(values[NET_OPT_IFNAME]) || given(values[NET_OPT_FD]))
		return wrong(error, "ifname and fd go with backend = \"tap\"");
	if (values[NET_OPT_VHOST]->number == NET_VHOST_ON)
		return wrong(error, "vhost goes with backend = \"tap\"");
	return 0;
}

int32_t net_validate(const struct vmm_validate_args *args)
{
	const struct vmm_value *const *values = args->values;
	int64_t backend = values[NET_OPT_BACKEND]->number;
	int32_t ret = check_card(values, args->error);

	if (ret == 0)
		ret = backend == NET_BACKEND_TAP ? check_tap(values, args->error)
						 : check_others(values, args->error);
	if (ret < 0)
		return ret;
	if (backend == NET_BACKEND_USER)
		return net_user_validate(values, args->error);
	if (given(values[NET_OPT_HOSTFWD]) || given(values[NET_OPT_NETWORK]) ||
		given(values[NET_OPT_RESTRICT]) || given(values[NET_OPT_OFFLOAD]))
		return wrong(args->error,
			"hostfwd, network, offload and restrict go with backend = \"user\"");
	return 0;
}
