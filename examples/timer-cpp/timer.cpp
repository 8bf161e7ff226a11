/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer-cpp: the device of ../timer in C++20. What it holds of the host are objects that give it
 * back, so that there is no undoing by hand; exceptions end at the functions that the core calls.
 * README.md has the registers.
 */
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

#include <vmm/support.h>

namespace
{

constexpr uint64_t register_delay = 0;
constexpr uint64_t register_count = 4;
constexpr uint64_t register_bytes = 8;
constexpr uint64_t us_ns = 1000;

enum option_index { option_port_index, option_irq_index };

/* An error that a function of the host has returned. */
class error : public std::runtime_error
{
      public:
	error(int32_t code, const std::string &text) : std::runtime_error(text), code_(code)
	{
	}
	int32_t code() const
	{
		return code_;
	}

      private:
	int32_t code_;
};

void check(int32_t ret, const std::string &text)
{
	if (ret < 0)
		throw error(ret, text);
}

/* What may go wrong in `body` as the error code and text that the core expects. */
template <typename Body> int32_t guarded(vmm_error *out, Body body) noexcept
{
	try {
		body();
		return 0;
	} catch (const error &e) {
		vmm_set_error(out, "%s", e.what());
		return e.code();
	} catch (const std::bad_alloc &) {
		vmm_set_error(out, "no memory");
		return VMM_E_NOMEM;
	} catch (const std::exception &e) {
		vmm_set_error(out, "%s", e.what());
		return VMM_E_INVAL;
	}
}

/* A host service: a copy of its table, as the ABI has it. */
template <typename Table> Table service(const vmm_create_args &args, const char *id)
{
	Table table;

	check(vmm_query(args.hello, args.host, id, sizeof(table), &table, sizeof(table), nullptr),
		std::string("this vmm does not offer ") + id);
	return table;
}

/* An edge-triggered interrupt line. */
class line
{
      public:
	line(const vmm_irq &irq, vmm_host *host, uint32_t gsi) : irq_(irq), host_(host)
	{
		check(irq_.line_open(host_, gsi, VMM_IRQ_EDGE, &handle_),
			"interrupt line " + std::to_string(gsi) + " cannot be used");
	}
	line(const line &) = delete;
	line &operator=(const line &) = delete;
	~line()
	{
		irq_.line_close(host_, handle_);
	}
	void pulse() const
	{
		irq_.line_set(host_, handle_, 1);
		irq_.line_set(host_, handle_, 0);
	}

      private:
	const vmm_irq &irq_;
	vmm_host *host_;
	uint64_t handle_ = 0;
};

/* A timer on the device's own loop that stands still while the guest is paused. */
class alarm_clock
{
      public:
	alarm_clock(const vmm_loop &loop, vmm_host *host, vmm_call_cb cb, void *ctx)
	    : loop_(loop), host_(host)
	{
		check(loop_.timer_add(host_, loop_.own(host_), VMM_CLOCK_VM, cb, ctx, &handle_),
			"no timer");
	}
	alarm_clock(const alarm_clock &) = delete;
	alarm_clock &operator=(const alarm_clock &) = delete;
	~alarm_clock()
	{
		loop_.timer_remove(host_, handle_);
	}
	int32_t arm(uint64_t deadline_ns) const
	{
		return loop_.timer_arm(host_, handle_, deadline_ns);
	}

      private:
	const vmm_loop &loop_;
	vmm_host *host_;
	uint64_t handle_ = 0;
};

/* Ports that the device answers for. */
class region
{
      public:
	region(const vmm_io &io, vmm_host *host, const vmm_io_region &what) : io_(io), host_(host)
	{
		check(io_.region_add(host_, &what, &handle_), "its ports are not free");
	}
	region(const region &) = delete;
	region &operator=(const region &) = delete;
	~region()
	{
		io_.region_remove(host_, handle_);
	}

      private:
	const vmm_io &io_;
	vmm_host *host_;
	uint64_t handle_ = 0;
};

class timer
{
      public:
	explicit timer(const vmm_create_args &args)
	    : host_(args.host), io_(service<vmm_io>(args, VMM_IO_ID)),
	      irq_(service<vmm_irq>(args, VMM_IRQ_ID)), loop_(service<vmm_loop>(args, VMM_LOOP_ID)),
	      port_(static_cast<uint64_t>(args.values[option_port_index]->number)),
	      gsi_(static_cast<uint32_t>(args.values[option_irq_index]->number))
	{
	}

	void realize();
	void unrealize()
	{
		region_.reset();
		alarm_.reset();
		line_.reset();
	}
	uint64_t read(uint64_t offset) const;
	int32_t write(uint64_t offset, uint64_t value);

      private:
	uint64_t now() const
	{
		return loop_.now(host_, VMM_CLOCK_VM);
	}
	void fire()
	{
		deadline_ns_.reset();
		count_++;
		line_->pulse();
	}

	vmm_host *host_;
	vmm_io io_;
	vmm_irq irq_;
	vmm_loop loop_;
	uint64_t port_;
	uint32_t gsi_;
	std::optional<uint64_t> deadline_ns_;
	uint32_t count_ = 0;

	/* Between realize and unrealize. */
	std::optional<line> line_;
	std::optional<alarm_clock> alarm_;
	std::optional<region> region_;
};

uint64_t timer::read(uint64_t offset) const
{
	const uint64_t at = now();

	if (offset == register_count)
		return count_;
	if (offset == register_delay && deadline_ns_ && *deadline_ns_ > at)
		return (*deadline_ns_ - at) / us_ns;
	return 0;
}

int32_t timer::write(uint64_t offset, uint64_t value)
{
	if (offset == register_count)
		count_ = 0;
	if (offset != register_delay)
		return 0;
	if (value)
		deadline_ns_ = now() + value * us_ns;
	else
		deadline_ns_.reset();
	return alarm_->arm(deadline_ns_.value_or(VMM_TIMER_OFF));
}

/*
 * ---- The C side ----
 */

int32_t io_read(void *ctx, uint64_t offset, uint32_t, uint64_t *ret_value)
{
	*ret_value = static_cast<const timer *>(ctx)->read(offset);
	return 0;
}

int32_t io_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value)
{
	/* A register is written as a whole or not at all. */
	return width == 4 ? static_cast<timer *>(ctx)->write(offset, value) : 0;
}

const vmm_io_ops io_ops = {.size = sizeof(vmm_io_ops), .read = io_read, .write = io_write};

void timer::realize()
{
	const vmm_io_region what = {
		.struct_size = sizeof(what),
		.name = "timer-cpp",
		.space = VMM_IO_PIO,
		.flags = VMM_IO_ENABLED,
		.base = port_,
		.bytes = register_bytes,
		.width_max = 4,
		.reserved = 0,
		.ops = &io_ops,
		.ctx = this,
	};

	line_.emplace(irq_, host_, gsi_);
	alarm_.emplace(
		loop_, host_, [](void *ctx) { static_cast<timer *>(ctx)->fire(); }, this);
	region_.emplace(io_, host_, what);
}

int32_t create(const vmm_create_args *args, void **ret_ctx)
{
	return guarded(args->error, [&] { *ret_ctx = std::make_unique<timer>(*args).release(); });
}

int32_t realize(void *ctx, vmm_error *out)
{
	return guarded(out, [&] { static_cast<timer *>(ctx)->realize(); });
}

void unrealize(void *ctx)
{
	static_cast<timer *>(ctx)->unrealize();
}

void destroy(void *ctx)
{
	delete static_cast<timer *>(ctx);
}

constexpr vmm_device_ops make_ops()
{
	vmm_device_ops made = {};

	made.size = sizeof(made);
	made.create = create;
	made.realize = realize;
	made.unrealize = unrealize;
	made.destroy = destroy;
	return made;
}

constexpr vmm_option make_option(
	const char *name, const char *default_text, int64_t min, int64_t max, const char *doc)
{
	vmm_option made = {};

	made.struct_size = sizeof(made);
	made.name = name;
	made.type = VMM_OPT_UINT;
	made.default_text = default_text;
	made.min = min;
	made.max = max;
	made.doc = doc;
	return made;
}

constexpr vmm_option option_port =
	make_option("port", "0x590", 0x100, 0x10000 - register_bytes, "first of its 8 I/O ports");
constexpr vmm_option option_irq = make_option("irq", "5", 3, 15, "its interrupt line");
constexpr const vmm_option *options[] = {&option_port, &option_irq};
constexpr vmm_device_ops ops = make_ops();

constexpr vmm_device_type make_type()
{
	vmm_device_type made = {};

	made.size = sizeof(made);
	made.name = "timer-cpp";
	made.summary = "a timer with an interrupt, in C++";
	made.thread_model = VMM_THREADS_LOOP;
	made.options = options;
	made.option_count = sizeof(options) / sizeof(*options);
	made.ops = &ops;
	return made;
}

constexpr vmm_device_type type = make_type();
constexpr const vmm_device_type *types[] = {&type};
constexpr vmm_plugin_desc desc = {sizeof(vmm_plugin_desc), "com.example.timer-cpp", "0.1.0",
	"a timer with an interrupt, in C++", types, 1};

} // namespace

VMM_PLUGIN(desc, "com.example.timer-cpp", 1);
