# SPDX-License-Identifier: Apache-2.0
"""exits: how often, and why, a guest leaves the processor between its first instruction and its init's first line."""

from measure import guests
from measure.reasons import guest_reason, user_reason
from measure.trace import Trace

from .start import warm_up

NAME, BED = "exits", "icount"
KERNEL, USER = ("kvm/kvm_exit", "exit_reason"), ("kvm/kvm_userspace_exit", "reason")
SHOWN_LEAST = 0.01  # a reason has a line of its own if it makes this part of any system's exits


def count_exits(bench, system):
    with Trace() as trace, bench.directory() as directory:
        trace.enable()
        trace.histogram(*KERNEL)
        trace.histogram(*USER)
        guest = guests.first_line(bench.settings, directory)
        with bench.running(system, guest, directory) as vm:
            vm.wait_for(f"^{guests.FIRST_LINE}$")
            trace.pause(*KERNEL)
            trace.pause(*USER)
        kernel, user = trace.read_histogram(*KERNEL), trace.read_histogram(*USER)
    return {guest_reason(n): c for n, c in kernel.items()}, {user_reason(n): c for n, c in user.items()}


def record(bench, what, counts):
    for system, by_reason in counts.items():
        bench.record(NAME, what, system, sum(by_reason.values()), "exits")
    reasons = {}
    for by_reason in counts.values():
        for reason, count in by_reason.items():
            reasons[reason] = max(reasons.get(reason, 0), count / sum(by_reason.values()))
    for reason in sorted(reasons, key=reasons.get, reverse=True):
        if reasons[reason] >= SHOWN_LEAST:
            for system, by_reason in counts.items():
                bench.record(NAME, f"{what}: {reason}", system, by_reason.get(reason, 0), "exits")


def run(bench):
    kernel, user = {}, {}

    def once(system, _):
        warm_up(bench, system)
        kernel[system.name], user[system.name] = count_exits(bench, system)

    bench.measure(NAME, once, repeats=1)
    record(bench, "all", kernel)
    record(bench, "to user space", user)
