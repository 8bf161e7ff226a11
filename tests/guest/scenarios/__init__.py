# SPDX-License-Identifier: Apache-2.0
"""The scenarios. A module for each part of what vmm promises; importing this package declares them all."""

from . import (  # noqa: F401
    boot,
    configs,
    console,
    cost,
    disk,
    durability,
    ending,
    examples,
    fuzzing,
    hostile,
    network,
    packages,
    power,
    refusals,
    released,
    sandbox,
)
