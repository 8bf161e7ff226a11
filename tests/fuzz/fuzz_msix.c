/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: MSI-X table and pending bits of a PCI bus as it is shipped. A second reading of PCI
 * Local Bus 3.0, 6.8.2 says which message each vector sends and when; no other may reach the guest,
 * and none may be lost.
 */
#include <sys/eventfd.h>

#include "bus.h"

#define SLOT        1u
#define MSIX_BAR    2u
#define VECTORS_MAX 66u
#define ENTRY_BYTES 16u

#define CONTROL_ENABLE   0x8000u
#define CONTROL_MASK_ALL 0x4000u

/* What the table should say of a vector. */
struct vector {
	uint64_t address;
	uint32_t data;
	bool masked;
	bool raised; /* and not sent yet */
};

struct model {
	struct bus bus;
	struct fake_pci_device *pci;
	uint32_t count;
	struct vector vectors[VECTORS_MAX];
	bool decoded, master, enabled, masked;
};

static bool is_live(const struct model *m, const struct vector *vector)
{
	return m->master && m->enabled && !m->masked && !vector->masked &&
	       (vector->address & ~0xffffcull) == 0xfee00000;
}

/* Messages that are due come, in any order, and no others. */
static void check_messages(struct model *m)
{
	struct fake_msi msi;

	while (fake_msi_take(m->bus.host, &msi)) {
		uint32_t i = 0;

		while (i < m->count && !(m->vectors[i].raised && is_live(m, &m->vectors[i]) &&
					       m->vectors[i].address == msi.address &&
					       m->vectors[i].data == msi.data))
			i++;
		FUZZ_CHECK(i < m->count);
		m->vectors[i].raised = false;
	}
	for (uint32_t i = 0; i < m->count; i++)
		FUZZ_CHECK(!m->vectors[i].raised || !is_live(m, &m->vectors[i]));
}

static void raise_vector(struct model *m, struct fuzz_input *in)
{
	uint32_t number = fuzz_below(in, m->count);
	int32_t fd = -1;

	FUZZ_CHECK(
		m->bus.table->msix_fd(m->bus.object, m->bus.functions[0].handle, number, &fd) == 0);
	FUZZ_CHECK(eventfd_write(fd, 1) == 0);
	m->vectors[number].raised = true;
}

static void set_dword(struct model *m, uint64_t offset, uint32_t value)
{
	struct vector *vector = &m->vectors[offset / ENTRY_BYTES];

	switch (offset % ENTRY_BYTES) {
	case 0:
		vector->address = (vector->address & ~0xffffffffull) | (value & ~3u);
		break;
	case 4:
		vector->address = (vector->address & 0xffffffff) | (uint64_t)value << 32;
		break;
	case 8:
		vector->data = value;
		break;
	default:
		vector->masked = value & 1;
		break;
	}
}

static void write_table(struct model *m, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	uint32_t width = how & 1 ? 4 : 8;
	uint64_t offset = fuzz_u8(in) % (m->count * 4) * 4;
	uint64_t value = how & 2 ? 0xfee00000 | (uint64_t)fuzz_u8(in) << 12 : fuzz_u64(in);

	if (how & 4)
		width = 1u << (how >> 6);
	if (how & 8)
		offset += how >> 4;
	if (how & 16)
		offset = fuzz_u16(in) & 0xfff;
	fake_bar_write(m->pci, MSIX_BAR, offset, width, value);
	if (!m->decoded || width < 4 || offset % width || offset / ENTRY_BYTES >= m->count)
		return;
	set_dword(m, offset, (uint32_t)value);
	if (width == 8)
		set_dword(m, offset + 4, (uint32_t)(value >> 32));
}

/* As a driver does it: the whole entry, unmasked or masked. */
static void program(struct model *m, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	struct vector *vector = &m->vectors[how % m->count];
	uint64_t offset = how % m->count * ENTRY_BYTES;
	uint32_t data = fuzz_u8(in);

	fake_bar_write(m->pci, MSIX_BAR, offset, 8, 0xfee00000);
	if (m->decoded)
		vector->address = 0xfee00000;
	check_messages(m);
	fake_bar_write(m->pci, MSIX_BAR, offset + 8, 8, data | (uint64_t)(how >> 7) << 32);
	if (!m->decoded)
		return;
	vector->data = data;
	vector->masked = how >> 7;
}

static void check_read(struct model *m, struct fuzz_input *in)
{
	uint32_t number = fuzz_below(in, m->count);
	const struct vector *vector = &m->vectors[number];
	uint64_t offset = number * ENTRY_BYTES;
	uint64_t pending;

	if (!m->decoded) {
		FUZZ_CHECK(fake_bar_read(m->pci, MSIX_BAR, offset, 8) == UINT64_MAX);
		return;
	}
	FUZZ_CHECK(fake_bar_read(m->pci, MSIX_BAR, offset, 8) == vector->address);
	FUZZ_CHECK(fake_bar_read(m->pci, MSIX_BAR, offset + 8, 4) == vector->data);
	FUZZ_CHECK(fake_bar_read(m->pci, MSIX_BAR, offset + 12, 4) == vector->masked);
	pending = fake_bar_read(m->pci, MSIX_BAR, m->pci->msix_pba + number / 64 * 8, 8);
	FUZZ_CHECK((pending >> number % 64 & 1) == vector->raised);
	if (number / 64 == m->count / 64)
		FUZZ_CHECK(!(pending & ~0ull << m->count % 64));
	pending = fake_bar_read(m->pci, MSIX_BAR, m->pci->msix_pba + number / 32 * 4, 4);
	FUZZ_CHECK((pending >> number % 32 & 1) == vector->raised);
	fake_bar_read(m->pci, MSIX_BAR, fuzz_u16(in) & 0xfff, 1u << fuzz_below(in, 4));
}

static void control(struct model *m, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);
	uint32_t at = m->pci->msix_cap + 2;
	uint32_t value = (how & 1 ? CONTROL_ENABLE : 0) | (how & 2 ? CONTROL_MASK_ALL : 0);

	if (how & 4) /* the byte that it is in alone */
		fake_pci_write(m->pci, at + 1, 1, value >> 8);
	else if (how & 8)
		fake_pci_write(m->pci, at - 2, 4, value << 16);
	else
		fake_pci_write(m->pci, at, 2, value | (how >> 4));
	m->enabled = how & 1;
	m->masked = how & 2;
	FUZZ_CHECK(fake_pci_read(m->pci, at, 2) == (value | (m->count - 1)));
	FUZZ_CHECK(m->bus.table->msix_enabled(m->bus.object, m->bus.functions[0].handle) ==
		   m->enabled);
}

static void command(struct model *m, struct fuzz_input *in)
{
	uint8_t how = fuzz_u8(in);

	m->decoded = how & FAKE_PCI_CMD_MEMORY;
	m->master = how & FAKE_PCI_CMD_BUS_MASTER;
	fake_pci_write(m->pci, FAKE_PCI_COMMAND, 2, how);
}

/* The pin is up only while the owner wants it and MSI-X is off. */
static void pin(struct model *m, struct fuzz_input *in)
{
	uint32_t level = fuzz_u8(in) & 1;
	uint32_t gsi = fake_pci_read(m->pci, 0x3c, 1);

	FUZZ_CHECK(m->bus.table->intx_set(m->bus.object, m->bus.functions[0].handle, level) == 0);
	FUZZ_CHECK(fake_line_level(m->bus.host, gsi) == (level && !m->enabled));
}

static void step(struct model *m, struct fuzz_input *in)
{
	switch (fuzz_below(in, 10)) {
	case 0:
	case 1:
		raise_vector(m, in);
		break;
	case 2:
		control(m, in);
		break;
	case 3:
		command(m, in);
		break;
	case 4:
	case 5:
		check_read(m, in);
		break;
	case 6:
		program(m, in);
		break;
	case 7:
		pin(m, in);
		break;
	default:
		write_table(m, in);
		break;
	}
	check_messages(m);
}

FUZZ_TARGET(data, bytes)
{
	struct fuzz_input in = {data, bytes};
	uint8_t how = fuzz_u8(&in);
	struct model m = {.count = how == 0xff ? VECTORS_MAX : 1u + how % 4};

	bus_up(&m.bus);
	m.bus.functions[0].vectors = m.count;
	m.bus.functions[0].msix_bar = MSIX_BAR;
	bus_add(&m.bus, 0, SLOT);
	m.pci = &m.bus.functions[0].pci;
	for (uint32_t i = 0; i < m.count; i++)
		m.vectors[i].masked = true;
	fake_pci_enable(m.pci);
	m.decoded = m.master = true;
	while (in.left)
		step(&m, &in);
	bus_down(&m.bus);
	return 0;
}
