# SPDX-License-Identifier: Apache-2.0
"""mmio: the same as pio with a register of a virtio device in memory."""

from . import pio

NAME, BED = "mmio", "icount"


def run(bench):
    pio.measure(bench, NAME, "mmio")
