/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer-cpp.so in a fake host whose time moves only when the test says so. The testkit is C, but
 * does in C++ as it is.
 */
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <memory>

extern "C" {
#include <cmocka.h>
}

#include <vmm/testkit/cmocka.h>

namespace
{

constexpr uint64_t delay_port = 0x590;
constexpr uint64_t count_port = 0x594;
constexpr uint32_t irq = 5;
constexpr uint64_t ms_ns = 1000000;

struct destroy_host {
	void operator()(fake_host *host) const
	{
		fake_host_destroy(host);
	}
};
using host_ptr = std::unique_ptr<fake_host, destroy_host>;

host_ptr with_plugin()
{
	fake_config config = {};

	config.flags = FAKE_CLOCK;
	host_ptr host(fake_host_create(&config));
	fake_plugin_load(host.get(), FAKE_PLUGIN("timer-cpp"));
	return host;
}

host_ptr started()
{
	host_ptr host = with_plugin();

	assert_int_equal(fake_device_add(host.get(), "timer-cpp", "timer0", nullptr, nullptr), 0);
	assert_int_equal(fake_host_start(host.get()), 0);
	return host;
}

void pass_ms(fake_host *host, uint64_t ms)
{
	fake_clock_advance(host, ms * ms_ns);
	fake_settle(host);
}

void fires_once_when_the_time_is_over(void **)
{
	host_ptr host = started();

	fake_pio_write(host.get(), delay_port, 4, 2000);
	pass_ms(host.get(), 1);
	assert_int_equal(fake_line_rises(host.get(), irq), 0);
	assert_int_equal(fake_pio_read(host.get(), delay_port, 4), 1000);
	pass_ms(host.get(), 100);
	assert_int_equal(fake_line_rises(host.get(), irq), 1);
	assert_int_equal(fake_pio_read(host.get(), count_port, 4), 1);
	assert_int_equal(fake_pio_read(host.get(), delay_port, 4), 0);
}

void zero_disarms(void **)
{
	host_ptr host = started();

	fake_pio_write(host.get(), delay_port, 4, 5000);
	fake_pio_write(host.get(), delay_port, 4, 0);
	pass_ms(host.get(), 10);
	assert_int_equal(fake_line_rises(host.get(), irq), 0);
}

void partial_writes_are_ignored(void **)
{
	host_ptr host = started();

	fake_pio_write(host.get(), delay_port, 1, 200);
	pass_ms(host.get(), 1000);
	assert_int_equal(fake_line_rises(host.get(), irq), 0);
}

void error_texts_reach_the_core(void **)
{
	host_ptr host = with_plugin();

	fake_device_add(host.get(), "timer-cpp", "timer0", nullptr, nullptr);
	fake_device_add(host.get(), "timer-cpp", "timer1", nullptr, nullptr);
	assert_int_equal(fake_host_start(host.get()), VMM_E_BUSY);
	assert_string_equal(fake_error(host.get()), "interrupt line 5 cannot be used");
}

void every_failing_service_is_survived(void **)
{
	for (uint32_t n = 1;; n++) {
		host_ptr host = with_plugin();

		fake_host_fail_after(host.get(), n);
		if (fake_device_add(host.get(), "timer-cpp", "timer0", nullptr, nullptr) == 0)
			fake_host_start(host.get());
		if (!fake_host_fault_hit(host.get()))
			return;
	}
}

} // namespace

int main()
{
	const CMUnitTest tests[] = {
		cmocka_unit_test(fires_once_when_the_time_is_over),
		cmocka_unit_test(zero_disarms),
		cmocka_unit_test(partial_writes_are_ignored),
		cmocka_unit_test(error_texts_reach_the_core),
		cmocka_unit_test(every_failing_service_is_survived),
	};

	fake_use_cmocka();
	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
