# SPDX-License-Identifier: Apache-2.0
"""scale: 1 to 64 guests of 64 MiB, each started when the one before is there, and all of them staying.

The guest is the small kernel, which stops after its first line: it is the VMM that is measured, not Linux.
"""

import contextlib

from measure import guests, stats
from measure.trace import Trace, seconds_of

from .start import warm_up

NAME, BED = "scale", "icount"
BUSY_PROCESSOR_GIVES_WAY = True  # as for the start
STEPS, PEER_STEPS, QUICK_STEPS = (1, 4, 16, 64), (1, 4, 16), (1, 4)
LINE = r"^exits$"


def started(bench, system, stack, trace):
    """Starts one more guest; returns it and the milliseconds from its exec to its first line."""
    directory = stack.enter_context(bench.directory())
    guest = guests.exit_loop(bench.settings, "wait")
    vm = stack.enter_context(bench.running(system, guest, directory))
    _, end_ns = vm.wait_for(LINE)
    return vm, (end_ns / 1e9 - seconds_of(trace.events(), "sched_process_exec", vm.pid)) * 1000


def mib_of(vms):
    return sum(sum(vm.pss_kib(guests.SMALL_MIB)) for vm in vms) / 1024


def run(bench):
    steps = QUICK_STEPS if bench.quick else STEPS

    def once(system, _):
        if not system.boots_elf:
            bench.note(NAME, f"{system.name} does not boot the small kernel")
            return
        warm_up(bench, system)
        with contextlib.ExitStack() as stack:
            trace = stack.enter_context(Trace())
            trace.enable("sched/sched_process_exec")
            vms, times, first = [], [], None
            for step in steps if system is bench.vmm else [n for n in steps if n in PEER_STEPS]:
                fresh = []
                while len(vms) < step:
                    vm, milliseconds = started(bench, system, stack, trace)
                    vms.append(vm)
                    fresh.append(milliseconds)
                times = fresh or times
                figures = {"time": stats.median(times), "memory": mib_of(vms) / step}
                first = first or figures
                for what, figure in figures.items():
                    unit = "ms" if what == "time" else "MiB"
                    bench.record(NAME, f"{step} guests: {what} for each", system, figure, unit)
                    if figures is not first:
                        change = figure / first[what]
                        bench.record(NAME, f"{step} guests: {what} to the first", system, change, "times")

    bench.measure(NAME, once, repeats=1)
