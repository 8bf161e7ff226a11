# SPDX-License-Identifier: Apache-2.0
"""The scenarios. A module for each part of what vmm promises; importing this package declares them all."""

from . import boot, configs, console, cost, disk, durability, ending, network, packages, power, refusals, sandbox  # noqa: F401
