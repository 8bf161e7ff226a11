# SPDX-License-Identifier: Apache-2.0
"""latency: 99th percentile of 4 KiB reads at depth 1 while the guest's network streams, both through the VMM."""

import re

from . import blk, serving

NAME, BED = "latency", "smp"
SECONDS, QUICK_SECONDS = 2, 1
LEAD_SECONDS = 1  # iperf3 streams before, and until fio has surely ended
JOB = ("randread", "4k", 1)


def parse_p99(text):
    """Microseconds from fio's terse output, the completion latency of reads."""
    return float(re.search(r"99\.000000%=(\d+)", text)[1])


def run(bench):
    seconds = QUICK_SECONDS if bench.quick else SECONDS

    def once(guest, kind, repetition):
        address, device = guest.cards[kind], guest.disks["tmpfs", "io_uring"]
        stream = f"chroot /root /usr/bin/iperf3 -c {address} -t 60 >/dev/null & sleep {LEAD_SECONDS}"
        fio = f"{blk.fio([JOB], device, seconds, latencies=True)}; kill $!; wait $! || true"
        p99 = parse_p99(guest.vm.shell(f"{stream}; {fio}"))
        bench.record(NAME, f"{kind}: 4k randread p99", guest.system, p99, "us", repetition)

    serving.in_turn(bench, NAME, serving.repeats(bench), ("tap",) if bench.quick else ("tap", "vhost"), once)
