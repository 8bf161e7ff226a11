/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: requests to a virtio-blk disk as it is shipped, behind the real transport, with an
 * image in memory. Of a request that is laid out as the specification has it the status is known;
 * any other must leave the image as it may be: as long as it was, the bytes behind the last whole
 * block untouched, and all of it if the disk is read-only.
 */
#include <sys/stat.h>
#include <unistd.h>

#include <vmm/testkit/virtio_driver.h>

#include "fuzz.h"
#include "memfile.h"

#define RAM_BYTES     0x10000u
#define DRIVER_BYTES  0x2000u /* of it, for the driver's rings */
#define HEADER_GPA    0x2000u
#define STATUS_GPA    0x2100u
#define DATA_GPA      0x8000u
#define DATA_BYTES    0x8000u
#define SECTOR        512u
#define DISK_BYTES    0x4000u
#define TAIL_BYTES    100u /* not a whole sector: no part of the disk */
#define TAIL_FILL     0xa5
#define DESCRIPTORS   16u
#define BLK_DEVICE_ID 2u
#define NO_STATUS     0xee
#define SEGMENTS_MAX  32u

#define T_IN           0u
#define T_OUT          1u
#define T_FLUSH        4u
#define T_GET_ID       8u
#define T_DISCARD      11u
#define T_WRITE_ZEROES 13u
#define S_OK           0u
#define S_IOERR        1u
#define S_UNSUPP       2u
#define F_FLUSH        (1ull << 9)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

struct machine {
	struct fake_host *host;
	struct fake_virtio driver;
	uint8_t image[DISK_BYTES + TAIL_BYTES]; /* as it was at the start */
	int readonly;
	int limited; /* in requests per second */
};

/* A range of discard and write zeroes, as in the data of a request. */
struct segment {
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags;
};

/* A request whose parts are where they should be. */
struct request {
	uint32_t type;
	uint64_t sector;
	uint64_t readable_bytes; /* behind the header */
	uint64_t writable_bytes; /* before the status */
};

static void up(struct machine *m, uint8_t how)
{
	static const struct fake_ram ram = {0, RAM_BYTES};
	const struct fake_config config = {.ram = &ram, .ram_count = 1, .flags = FAKE_CLOCK};
	static const char *const caches[] = {
		"cache=writeback", "cache=writethrough", "cache=unsafe", "cache=writeback"};
	char path[64] = "path=";
	const char *options[] = {path, caches[how & 3], how & 4 ? "readonly=true" : "aio=worker",
		how & 8 ? "discard=false" : "aio=worker", how & 16 ? "block_size=4096" : "slot=1",
		how & 32 ? "iops=1000" : "queues=1", "transport=virtio0", "queue_size=16",
		"aio=worker", NULL};

	memset(m->image, 0x11, DISK_BYTES);
	memset(m->image + DISK_BYTES, TAIL_FILL, TAIL_BYTES);
	snprintf(path + 5, sizeof(path) - 5, "%s", memfile(0, m->image, sizeof(m->image)));
	m->readonly = how & 4;
	m->limited = how & 32;
	m->host = fake_host_create(&config);
	fake_plugin_load(m->host, FAKE_PLUGIN("virtio"));
	fake_plugin_load(m->host, FAKE_PLUGIN("virtio-blk"));
	FUZZ_CHECK(fake_device_add(m->host, "virtio-mmio", "virtio0", NULL, NULL) == 0);
	FUZZ_CHECK(fake_device_add(m->host, "virtio-blk", "disk0", options, NULL) == 0);
	FUZZ_CHECK(fake_host_start(m->host) == 0);
	fake_virtio_find_mmio(m->host, BLK_DEVICE_ID, 0, 0, DRIVER_BYTES, &m->driver);
}

static void check_image(struct machine *m)
{
	uint8_t now[sizeof(m->image)];
	struct stat st;

	FUZZ_CHECK(fstat(memfile_fd(0), &st) == 0 && st.st_size == sizeof(m->image));
	FUZZ_CHECK(pread(memfile_fd(0), now, sizeof(now), 0) == sizeof(now));
	FUZZ_CHECK(!memcmp(now + DISK_BYTES, m->image + DISK_BYTES, TAIL_BYTES));
	if (m->readonly)
		FUZZ_CHECK(!memcmp(now, m->image, DISK_BYTES));
}

/* Runs the loop, and time for a disk with a limit. */
static void run(struct machine *m)
{
	for (uint32_t i = 0; m->limited && i < 4; i++) {
		fake_settle(m->host);
		fake_clock_advance(m->host, 1000000000);
	}
	fake_settle(m->host);
}

/* The same of discard and write zeroes: the rules of their segments, of which all are looked at
 * before the first is served. */
static uint32_t expected_of_segments(const struct machine *m, const struct request *r)
{
	const struct segment *segments = fake_ram(m->host, DATA_GPA, DATA_BYTES);
	uint64_t count = r->readable_bytes / sizeof(*segments);

	if (r->writable_bytes || m->readonly || !count || count > SEGMENTS_MAX ||
		r->readable_bytes % sizeof(*segments))
		return S_IOERR;
	for (uint64_t i = 0; i < count; i++)
		if (segments[i].flags & ~1u || (segments[i].flags && r->type == T_DISCARD))
			return S_UNSUPP;
	for (uint64_t i = 0; i < count; i++) {
		const struct segment *a = &segments[i];

		if (!a->sectors || a->sector > DISK_BYTES / SECTOR ||
			a->sectors > DISK_BYTES / SECTOR - a->sector)
			return S_IOERR;
		for (uint64_t j = 0; j < i; j++)
			if (a->sector < segments[j].sector + segments[j].sectors &&
				segments[j].sector < a->sector + a->sectors)
				return S_IOERR;
	}
	return S_OK;
}

/* The status that 5.2.6 wants. */
static uint32_t expected(const struct machine *m, const struct request *r)
{
	uint64_t bytes = r->type == T_IN ? r->writable_bytes : r->readable_bytes;
	int fits = r->sector <= DISK_BYTES / SECTOR && bytes <= DISK_BYTES - r->sector * SECTOR &&
		   bytes % SECTOR == 0;

	switch (r->type) {
	case T_IN:
		return r->readable_bytes || !fits ? S_IOERR : S_OK;
	case T_GET_ID:
		return r->readable_bytes ? S_IOERR : S_OK;
	case T_FLUSH:
		return m->driver.features & F_FLUSH ? S_OK : S_UNSUPP;
	case T_OUT:
		return r->writable_bytes || m->readonly || !fits ? S_IOERR : S_OK;
	case T_DISCARD:
		return m->driver.features & F_DISCARD ? expected_of_segments(m, r) : S_UNSUPP;
	case T_WRITE_ZEROES:
		return m->driver.features & F_WRITE_ZEROES ? expected_of_segments(m, r) : S_UNSUPP;
	default:
		return S_UNSUPP;
	}
}

static void take_request(struct fuzz_input *in, struct request *r)
{
	static const uint32_t types[] = {
		T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_WRITE_ZEROES, T_IN, T_OUT};
	uint8_t how = fuzz_u8(in);
	uint64_t bytes;

	r->type = how & 8 ? fuzz_u32(in) : types[how & 7];
	r->sector = fuzz_number(in);
	bytes = fuzz_number(in);
	if (how & 16)
		bytes *= SECTOR;
	bytes %= DATA_BYTES + 1;
	r->writable_bytes = r->type == T_IN || r->type == T_GET_ID ? bytes : 0;
	r->readable_bytes = bytes - r->writable_bytes;
	if (how & 32)
		r->writable_bytes = fuzz_u8(in);
	if (how & 64)
		r->readable_bytes = fuzz_u8(in);
}

/* Cuts [gpa, gpa + bytes) into buffers; returns how many. */
static uint32_t cut(struct fuzz_input *in, struct fake_virtio_buffer *buffers, uint32_t room,
	uint64_t gpa, uint64_t bytes, uint32_t write)
{
	uint32_t count = 0;

	while (bytes && count < room) {
		uint64_t piece = fuzz_u8(in);

		if (!piece || piece > bytes || count + 1 == room)
			piece = bytes;
		buffers[count++] = (struct fake_virtio_buffer){gpa, (uint32_t)piece, write};
		gpa += piece;
		bytes -= piece;
	}
	return count;
}

/* What is not RAM cannot be a part of a good request: two areas for what is read and written. */
static void good_request(struct machine *m, struct fuzz_input *in)
{
	struct fake_virtio_buffer buffers[DESCRIPTORS];
	struct request r = {0};
	uint8_t *status = fake_ram(m->host, STATUS_GPA, 1);
	uint32_t count, header[4], want, used;
	const uint8_t *segments;
	size_t bytes;

	take_request(in, &r);
	/* What is under way may write anywhere. */
	run(m);
	while (fake_virtio_reap(&m->driver, 0, NULL, NULL))
		;
	memcpy(header, &r.type, 4);
	header[1] = 0;
	memcpy(&header[2], &r.sector, 8);
	fake_ram_write(m->host, HEADER_GPA, header, sizeof(header));
	segments = fuzz_some(in, &bytes);
	if (bytes)
		fake_ram_write(m->host, DATA_GPA, segments, bytes);
	*status = NO_STATUS;
	if (r.readable_bytes + r.writable_bytes > DATA_BYTES)
		r.readable_bytes = DATA_BYTES - r.writable_bytes;
	count = cut(in, buffers, 4, HEADER_GPA, sizeof(header), 0);
	count += cut(in, buffers + count, 4, DATA_GPA, r.readable_bytes, 0);
	count += cut(in, buffers + count, 4, DATA_GPA + r.readable_bytes, r.writable_bytes, 1);
	buffers[count++] = (struct fake_virtio_buffer){STATUS_GPA, 1, 1};
	if (m->driver.queues[0].free_count < count ||
		fake_virtio_status(&m->driver) & FAKE_VIRTIO_NEEDS_RESET)
		return;
	want = expected(m, &r);
	fake_virtio_add(&m->driver, 0, buffers, count, 0);
	fake_virtio_kick(&m->driver, 0);
	run(m);
	FUZZ_CHECK(*status == want);
	FUZZ_CHECK(fake_virtio_reap(&m->driver, 0, NULL, &used) && used <= r.writable_bytes + 1);
	if (r.type == T_IN && want == S_OK)
		FUZZ_CHECK(used == r.writable_bytes + 1);
}

/* Descriptors as they come. */
static void any_chain(struct machine *m, struct fuzz_input *in)
{
	uint32_t count = 1 + fuzz_below(in, 6);
	uint32_t first = fuzz_below(in, DESCRIPTORS);

	for (uint32_t i = 0; i < count; i++) {
		uint8_t how = fuzz_u8(in);
		uint64_t gpa = how & 0x10   ? HEADER_GPA + (how >> 5)
			       : how & 0x08 ? fuzz_number(in)
					    : DATA_GPA + (how >> 5) * 0x800u;
		uint16_t flags = how & 7;

		if (i + 1 < count)
			flags |= FAKE_VIRTIO_NEXT;
		if (gpa < DRIVER_BYTES) /* a driver that overwrites its rings is another target's */
			gpa += DRIVER_BYTES;
		fake_virtio_desc(&m->driver, 0, (first + i) % DESCRIPTORS, gpa,
			(uint32_t)fuzz_number(in), flags,
			(uint16_t)((first + i + 1) % DESCRIPTORS));
	}
	fake_virtio_avail(&m->driver, 0, (uint16_t)first);
	fake_virtio_kick(&m->driver, 0);
}

static void init(struct machine *m, struct fuzz_input *in)
{
	uint64_t without = (uint64_t)fuzz_u8(in) << 8;

	fake_settle(m->host);
	fake_virtio_set_status(&m->driver, 0);
	run(m);
	fake_virtio_init(&m->driver, FAKE_VIRTIO_ALL & ~without);
}

static void step(struct machine *m, struct fuzz_input *in)
{
	const uint8_t *from;
	size_t bytes;

	switch (fuzz_below(in, 8)) {
	case 0:
	case 1:
	case 2:
		good_request(m, in);
		break;
	case 3:
	case 4:
		any_chain(m, in);
		break;
	case 5:
		run(m);
		break;
	case 6:
		fake_virtio_config_write(&m->driver, fuzz_below(in, 64), 1, fuzz_u8(in));
		init(m, in);
		break;
	default:
		from = fuzz_some(in, &bytes);
		if (bytes)
			fake_ram_write(m->host, HEADER_GPA, from, bytes);
		break;
	}
}

FUZZ_TARGET(data, bytes)
{
	static struct machine m;
	struct fuzz_input in = {data, bytes};

	memset(&m, 0, sizeof(m));
	up(&m, fuzz_u8(&in));
	fake_virtio_init(&m.driver, FAKE_VIRTIO_ALL);
	while (in.left)
		step(&m, &in);
	run(&m);
	check_image(&m);
	init(&m, &in);
	good_request(&m, &in);
	fake_virtio_fini(&m.driver);
	fake_host_destroy(m.host);
	return 0;
}
