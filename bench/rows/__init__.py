# SPDX-License-Identifier: Apache-2.0
"""The rows of the table, in its order. Each module has a NAME, the BED it is measured in and `run`.

BED "icount": one processor whose time is a count of instructions. BED "smp": two processors, real time.
"""

from . import blk, boot, exits, latency, memory, mmio, net, pio, requests, scale, start

ALL = (boot, start, exits, memory, pio, mmio, blk, requests, net, latency, scale)

# They share guests that stay, and come after all others for that.
TOGETHER = (blk, requests, net, latency)
