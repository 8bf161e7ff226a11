/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of the header in front of a frame that the driver sends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vmm/types.h>

#include "header.h"
#include "wire.h"

#define ALL                                                                                        \
	(NET_F_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN | NET_F_GUEST_CSUM |      \
		NET_F_GUEST_TSO4 | NET_F_MRG_RXBUF)

static int32_t check(struct net_hdr hdr, uint64_t bytes, uint64_t features)
{
	return net_hdr_check(&hdr, bytes, features);
}

static void n10_header_has_12_bytes_whatever_is_negotiated(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct net_hdr), 12);
	assert_int_equal(offsetof(struct net_hdr, num_buffers), 10);
}

static void plain_frame_passes_with_any_features(void **state)
{
	(void)state;
	assert_int_equal(check((struct net_hdr){0}, 60, 0), 0);
	assert_int_equal(check((struct net_hdr){0}, 60, ALL), 0);
}

static void n1_frame_without_a_whole_ethernet_header_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(check((struct net_hdr){0}, 0, ALL), VMM_E_CHAIN);
	assert_int_equal(check((struct net_hdr){0}, NET_FRAME_MIN - 1, ALL), VMM_E_CHAIN);
	assert_int_equal(check((struct net_hdr){0}, NET_FRAME_MIN, ALL), 0);
}

static void n2_frame_beyond_64_kib_of_ip_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(check((struct net_hdr){0}, NET_FRAME_MAX, ALL), 0);
	assert_int_equal(check((struct net_hdr){0}, NET_FRAME_MAX + 1, ALL), VMM_E_CHAIN);
	assert_int_equal(check((struct net_hdr){0}, UINT64_MAX, ALL), VMM_E_CHAIN);
}

static const struct net_hdr tso4 = {.flags = NET_HDR_NEEDS_CSUM,
	.gso_type = NET_GSO_TCPV4,
	.hdr_len = 54,
	.gso_size = 1448,
	.csum_start = 34,
	.csum_offset = 16};

static void n3_segmentation_needs_its_feature(void **state)
{
	struct net_hdr hdr = tso4;

	(void)state;
	assert_int_equal(check(hdr, 9000, NET_F_CSUM | NET_F_HOST_TSO4), 0);
	assert_int_equal(check(hdr, 9000, NET_F_CSUM | NET_F_HOST_TSO6), VMM_E_CHAIN);
	assert_int_equal(check(hdr, 9000, ALL & ~NET_F_CSUM), VMM_E_CHAIN);
	hdr.gso_type = NET_GSO_TCPV6;
	assert_int_equal(check(hdr, 9000, NET_F_CSUM | NET_F_HOST_TSO4), VMM_E_CHAIN);
	assert_int_equal(check(hdr, 9000, NET_F_CSUM | NET_F_HOST_TSO6), 0);
	hdr.gso_type |= NET_GSO_ECN;
	assert_int_equal(check(hdr, 9000, NET_F_CSUM | NET_F_HOST_TSO6), VMM_E_CHAIN);
	assert_int_equal(check(hdr, 9000, ALL), 0);
}

static void n3_every_other_kind_of_segmentation_is_dropped(void **state)
{
	struct net_hdr hdr = tso4;

	(void)state;
	for (uint32_t type = 1; type < 256; type++) {
		uint32_t kind = type & ~NET_GSO_ECN;

		hdr.gso_type = (uint8_t)type;
		assert_int_equal(check(hdr, 9000, ALL),
			kind == NET_GSO_TCPV4 || kind == NET_GSO_TCPV6 ? 0 : VMM_E_CHAIN);
	}
}

static void n3_segments_of_no_length_or_without_checksum_are_dropped(void **state)
{
	struct net_hdr hdr = tso4;

	(void)state;
	hdr.gso_size = 0;
	assert_int_equal(check(hdr, 9000, ALL), VMM_E_CHAIN);
	hdr = tso4;
	hdr.flags = 0;
	assert_int_equal(check(hdr, 9000, ALL), VMM_E_CHAIN);
}

static void n3_header_length_is_bounded_by_the_frame(void **state)
{
	struct net_hdr hdr = tso4;

	(void)state;
	hdr.hdr_len = UINT16_MAX;
	assert_int_equal(net_hdr_check(&hdr, 9000, ALL), 0);
	assert_int_equal(hdr.hdr_len, 9000);
}

static void n3_what_was_not_negotiated_is_cleared(void **state)
{
	struct net_hdr hdr = {.flags = 0xfe,
		.hdr_len = 99,
		.gso_size = 99,
		.csum_start = 99,
		.csum_offset = 99,
		.num_buffers = 99};
	const struct net_hdr clean = {0};

	(void)state;
	assert_int_equal(net_hdr_check(&hdr, 60, ALL), 0);
	assert_memory_equal(&hdr, &clean, sizeof(hdr));
}

static void n4_checksum_lies_inside_of_the_frame(void **state)
{
	struct net_hdr hdr = {.flags = NET_HDR_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};

	(void)state;
	assert_int_equal(check(hdr, 52, ALL), 0);
	assert_int_equal(check(hdr, 51, ALL), VMM_E_CHAIN);
	assert_int_equal(check(hdr, 52, 0), VMM_E_CHAIN);
	hdr.csum_start = UINT16_MAX;
	hdr.csum_offset = UINT16_MAX;
	assert_int_equal(check(hdr, NET_FRAME_MAX, ALL), VMM_E_CHAIN);
	hdr.csum_start = 0;
	assert_int_equal(check(hdr, NET_FRAME_MAX, ALL), 0);
	hdr.csum_offset = 59;
	assert_int_equal(check(hdr, 60, ALL), VMM_E_CHAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(n10_header_has_12_bytes_whatever_is_negotiated),
		cmocka_unit_test(plain_frame_passes_with_any_features),
		cmocka_unit_test(n1_frame_without_a_whole_ethernet_header_is_dropped),
		cmocka_unit_test(n2_frame_beyond_64_kib_of_ip_is_dropped),
		cmocka_unit_test(n3_segmentation_needs_its_feature),
		cmocka_unit_test(n3_every_other_kind_of_segmentation_is_dropped),
		cmocka_unit_test(n3_segments_of_no_length_or_without_checksum_are_dropped),
		cmocka_unit_test(n3_header_length_is_bounded_by_the_frame),
		cmocka_unit_test(n3_what_was_not_negotiated_is_cleared),
		cmocka_unit_test(n4_checksum_lies_inside_of_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
