# SPDX-License-Identifier: Apache-2.0
"""boot: exec of the VMM to the first line of the guest's init. No disk, no card."""

from measure import guests
from measure.trace import Trace, seconds_of

from .start import warm_up

NAME, BED = "boot", "icount"


def seconds(bench, system, guest):
    with Trace() as trace, bench.directory() as directory:
        trace.enable("sched/sched_process_exec")
        with bench.running(system, guest, directory) as vm:
            _, end_ns = vm.wait_for(f"^{guests.FIRST_LINE}$")
            return end_ns / 1e9 - seconds_of(trace.events(), "sched_process_exec", vm.pid)


def run(bench):
    def once(case, options, system, repetition):
        warm_up(bench, system)
        with bench.directory() as directory:
            guest = guests.first_line(bench.settings, directory, options)
            bench.record(NAME, case, system, seconds(bench, system, guest), "s", repetition)

    bench.measure(NAME, lambda *each: once("", "", *each))
    if not bench.quick:
        bench.measure(NAME, lambda *each: once("no self-tests of ciphers", guests.NO_SELF_TESTS, *each))
