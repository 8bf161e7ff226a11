# SPDX-License-Identifier: Apache-2.0
"""start: exec of the VMM to its first KVM_RUN, with a disk and a card."""

import subprocess

from measure import guests
from measure.systems import Disk, Net
from measure.trace import Trace, seconds_of

NAME, BED = "start", "icount"
BUSY_PROCESSOR_GIVES_WAY = True  # a tick is a third of the figure
DISK_MIB = 8
STRANGERS = 20


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


def keep_files_of(bench, system, guest):
    """Has all that a system reads for a guest in memory, also code that runs later: what is waited for would be time."""
    mapped = set()
    milliseconds(bench, system, guest, lambda vm: mapped.update(vm.mapped_files()))
    bench.keep({*mapped, guest.kernel}, system.directories())


def warm_up(bench, system):
    """The same for a guest without devices; once is enough."""
    if system.name in bench.warm:
        return
    bench.warm.add(system.name)
    with bench.directory() as directory:
        keep_files_of(bench, system, guests.first_line(bench.settings, directory))


def remount_cgroups(options):
    # With type and source mount(8) does not add the options of now.
    subprocess.run(["mount", "-t", "cgroup2", "-o", options, "cgroup2", "/sys/fs/cgroup"], check=True)


def run(bench):
    disk = bench.file("start.img", DISK_MIB, "/dev/shm")
    devices = {"disks": (Disk(disk),), "nets": (Net("user"),)}

    def measure(case, system, repetition, guest):
        if repetition == 0:
            keep_files_of(bench, system, guest)
        bench.record(NAME, case, system, milliseconds(bench, system, guest), "ms", repetition)

    def small(system, repetition, host=""):
        if system.boots_elf:
            measure(f"small kernel{host}", system, repetition, guests.exit_loop(bench.settings, "wait", **devices))

    def large(system, repetition):
        with bench.directory() as directory:
            guest = guests.first_line(bench.settings, directory, **devices)
            measure("Debian's kernel", system, repetition, guest)

    def plugins(system, repetition, host=""):
        """What twenty plugins of others add to a machine without devices: found, checked, loaded, made."""
        if system is not bench.vmm:
            return
        each = []
        for count in (0, STRANGERS):
            guest = guests.exit_loop(bench.settings, "wait", strangers=count)
            if repetition == 0 and not host:
                keep_files_of(bench, system, guest)
            each.append(milliseconds(bench, system, guest))
        bench.record(NAME, f"empty machine{host}", system, each[0], "ms", repetition)
        bench.record(NAME, f"{STRANGERS} plugins more{host}", system, each[1] - each[0], "ms", repetition)

    # Short, with waits for grace periods of the kernel in it: more of them than of others.
    repeats = 1 if bench.quick else bench.repeats * 2 + 1
    bench.measure(NAME, small, repeats)
    bench.measure(NAME, large, repeats)
    bench.measure(NAME, plugins, repeats)
    if bench.settings["testbed"]:
        remount_cgroups("remount,favordynmods")
        for each in (small, plugins):
            bench.measure(NAME, lambda *which, each=each: each(*which, ", host with favordynmods"), repeats)
        remount_cgroups("remount")
