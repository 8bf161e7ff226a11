/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plugin ABI of vmm: the one header that a device plugin includes. Start reading at entry.h and
 * device.h; each other header is one interface. Rules of use: docs/abi.md.
 */
#ifndef VMM_PLUGIN_H
#define VMM_PLUGIN_H

#include <vmm/acpi.h>
#include <vmm/device.h>
#include <vmm/entry.h>
#include <vmm/file.h>
#include <vmm/io.h>
#include <vmm/irq.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/machine.h>
#include <vmm/memory.h>
#include <vmm/option.h>
#include <vmm/pci.h>
#include <vmm/stream.h>
#include <vmm/types.h>
#include <vmm/virtio.h>

#endif
