# SPDX-License-Identifier: Apache-2.0
"""start: exec of the VMM to its first KVM_RUN, with a disk and a card."""

from measure import guests
from measure.process import Running
from measure.systems import Disk, Net
from measure.trace import Trace, seconds_of

NAME, BED = "start", "icount"
DISK_MIB = 8


def milliseconds(bench, system, guest, at_end=None):
    """Starts a guest until its first instruction; at_end is called with the process then."""
    with Trace() as trace, bench.directory() as directory:
        trace.enable("sched/sched_process_exec", "kvm/kvm_entry")
        with bench.running(system, guest, directory) as vm:
            events = trace.wait_for("kvm_entry", 120)
            begin, end = seconds_of(events, "sched_process_exec", vm.pid), seconds_of(events, "kvm_entry")
            if begin is None or end is None:
                vm.fail("no first KVM_RUN")
            if at_end:
                at_end(vm)
    return (end - begin) * 1000


def warm_up(bench, system):
    """Has all that a system reads in the page cache, also code that runs later: what is waited for would be time."""
    if system.name in bench.warm:
        return
    bench.warm.add(system.name)
    with bench.directory() as directory:
        milliseconds(bench, system, guests.first_line(bench.settings, directory), Running.read_mapped_files)


def run(bench):
    disk = bench.file("start.img", DISK_MIB, "/dev/shm")

    def once(system, repetition):
        with bench.directory() as directory:
            guest = guests.first_line(bench.settings, directory, disks=(Disk(disk),), nets=(Net("user"),))
            if repetition == 0:  # for what disks and cards read
                milliseconds(bench, system, guest, Running.read_mapped_files)
            bench.record(NAME, "", system, milliseconds(bench, system, guest), "ms", repetition)

    # Short, with waits for grace periods of the kernel in it: more of them than of others.
    bench.measure(NAME, once, repeats=1 if bench.quick else bench.repeats * 2 + 1)
