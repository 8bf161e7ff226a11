# SPDX-License-Identifier: Apache-2.0
"""requests: what a request of a disk costs the host, by counting: system calls, wake-ups, interrupts and exits.

Counts say little about time, but hardly mind what else the machine does.
"""

import os

from measure.process import Failure
from measure.trace import Trace

from . import blk, serving

NAME, BED = "requests", "smp"
JOBS = (("randread", "4k", 1), ("randwrite", "4k", 32))
SECONDS = 2
CALL, WAKE = ("raw_syscalls/sys_enter", "common_pid"), ("sched/sched_waking", "pid")
EXIT, INTERRUPT = ("kvm/kvm_exit", "common_pid"), ("kvm/kvm_msi_set_irq", "common_pid")
EVENTS = (CALL, WAKE, EXIT, INTERRUPT)


def threads(pid):
    try:
        return {int(name) for name in os.listdir(f"/proc/{pid}/task")}
    except FileNotFoundError:
        raise Failure("it has ended before") from None


def count(guest, command):
    """Runs a command in the guest; returns what it prints and {event: {thread: how often}} of this guest's VMM."""
    with Trace(everybody=True) as trace:
        trace.enable()
        mine = threads(guest.vm.pid)
        for event in EVENTS:
            trace.histogram(*event)
        text = guest.vm.shell(command)
        for event in EVENTS:
            trace.pause(*event)
        mine |= threads(guest.vm.pid)
        counts = {event: trace.read_histogram(*event) for event in EVENTS}
    # Interrupts may be raised by whatever runs when a disk is done; the other guests are idle.
    return text, {e: {t: n for t, n in c.items() if e == INTERRUPT or t in mine} for e, c in counts.items()}


def figures(counts, requests):
    """(what, for each request) of the counts of one run."""
    vcpus = set(counts[EXIT])
    others = {event: sum(n for thread, n in counts[event].items() if thread not in vcpus) for event in (CALL, WAKE)}
    yield "system calls besides vCPUs", others[CALL] / requests
    yield "wake-ups besides vCPUs", others[WAKE] / requests
    yield "wake-ups of vCPUs", sum(counts[WAKE].get(thread, 0) for thread in vcpus) / requests
    yield "interrupts", sum(counts[INTERRUPT].values()) / requests
    yield "exits", sum(counts[EXIT].values()) / requests


def run(bench):
    quick = bench.quick
    places, jobs = (blk.QUICK_PLACES, JOBS[:1]) if quick else (blk.PLACES, JOBS)
    seconds, backends = (1, blk.BACKENDS[:1]) if quick else (SECONDS, blk.BACKENDS)

    def once(guest, step, repetition):
        place, job = step
        # The others have one way, which is compared with both of ours.
        for backend in backends if guest.system is bench.vmm else blk.BACKENDS[:1]:
            text, counts = count(guest, blk.fio([job], guest.disks[place, backend], seconds))
            for what, figure in figures(counts, sum(blk.parse_iops(text)) * seconds):
                for ours in (backend,) if guest.system is bench.vmm else backends:
                    case = f"{place}, {ours}: {job[0]} {job[1]} depth {job[2]}: {what}"
                    bench.record(NAME, case, guest.system, figure, "", repetition)

    serving.in_turn(bench, NAME, 1, [(place, job) for place in places for job in jobs], once)
