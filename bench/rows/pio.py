# SPDX-License-Identifier: Apache-2.0
"""pio: round trip of a write to a port of a device, by a guest that times itself; and the part outside of KVM_RUN."""

import dataclasses
import os
import re

from measure import guests, stats
from measure.process import Failure

NAME, BED = "pio", "icount"
MANY = 246  # devices besides; with what the machine has anyway that makes some 250
BATCH = re.compile(r"^batch (\w+) mul (\w+) shift (\w+) accesses (\w+)$", re.M)
# QEMU's first virtio device sits in the last place.
MICROVM_REGISTERS = "feb02e00"


def parse_batches(text):
    """Nanoseconds for each access, of each batch that the guest printed."""
    nanoseconds = []
    for ticks, mul, shift, accesses in ([int(n, 16) for n in batch] for batch in BATCH.findall(text)):
        shift = shift - 256 if shift > 127 else shift
        shifted = ticks << shift if shift >= 0 else ticks >> -shift
        nanoseconds.append((shifted * mul >> 32) / accesses)
    return nanoseconds


def guest_runs(bench, system, guest, environment):
    with bench.directory() as directory, bench.running(system, guest, directory, environment) as vm:
        batches = parse_batches(vm.rest())
        if not batches:
            vm.fail("the guest measured nothing")
    return stats.median(batches)


def outside_ns(bench, system, guest):
    """The library writes a file at the end, which no sandbox allows."""
    guest = dataclasses.replace(guest, sandbox=False)
    with bench.directory() as directory:
        path = os.path.join(directory, "outside")
        environment = {"LD_PRELOAD": bench.settings["outside"], "VMM_BENCH_OUTSIDE": path}
        guest_runs(bench, system, guest, environment)
        with open(path) as file:
            return int(file.read().split()[0])


def kernel_of(bench, system, what, crowd=0):
    if what == "mmio" and system.name == "qemu-microvm":
        what = f"mmio={MICROVM_REGISTERS}"
    return guests.exit_loop(bench.settings, what, rng=True, crowd=crowd)


def measure(bench, row, what):
    def once(system, repetition):
        if not system.boots_elf:
            raise Failure("does not boot the kernel that times exits")
        guest = kernel_of(bench, system, what)
        bench.record(row, "round trip", system, guest_runs(bench, system, guest, {}), "ns", repetition)
        few = outside_ns(bench, system, guest)
        bench.record(row, "outside KVM_RUN", system, few, "ns", repetition)
        if system is bench.vmm:
            many = outside_ns(bench, system, kernel_of(bench, system, what, MANY))
            bench.record(row, "outside KVM_RUN, 250 devices", system, many, "ns", repetition)
            bench.record(row, "250 devices to few", system, many / few, "times", repetition)

    bench.measure(row, once)


def run(bench):
    measure(bench, NAME, "pio")
