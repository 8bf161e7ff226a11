# SPDX-License-Identifier: Apache-2.0
"""net: iperf3 in both directions and round trips, over a tap with vhost-net, a tap without, and user-mode networks."""

import itertools
import re

from measure import stats

from . import serving

NAME, BED = "net", "smp"
KINDS, QUICK_KINDS = ("vhost", "tap", "user"), ("vhost", "user")
SECONDS = 1
PINGS, QUICK_PINGS = 20, 10
DIRECTIONS = {"guest to host": "", "host to guest": "-R"}
BITS = {"": 1e-6, "K": 1e-3, "M": 1, "G": 1e3}


def parse_rate(text):
    """Mbit/s that the receiver has seen, from iperf3's output."""
    number, unit = re.search(r"([\d.]+) ([KMG]?)bits/sec.*receiver", text).groups()
    return float(number) * BITS[unit]


def parse_pings(text):
    """Microseconds of each round trip but the first, which includes finding the address."""
    return [float(ms) * 1000 for ms in re.findall(r"time=([\d.]+) ms", text)][1:]


def run(bench):
    pings = QUICK_PINGS if bench.quick else PINGS

    def once(guest, step, repetition):
        kind, what = step
        address = guest.cards[kind]
        if what in DIRECTIONS:
            text = guest.tool(f"/usr/bin/iperf3 -c {address} -t {SECONDS} {DIRECTIONS[what]}")
            value, unit = parse_rate(text), "Mbit/s"
        else:
            trips = parse_pings(guest.vm.shell(f"ping -c {pings} -i 0.05 {address}"))
            value, unit = stats.median(trips), "us"
        bench.record(NAME, f"{kind}: {what}", guest.system, value, unit, repetition)

    kinds = QUICK_KINDS if bench.quick else KINDS
    serving.in_turn(bench, NAME, serving.repeats(bench), list(itertools.product(kinds, (*DIRECTIONS, "round trip"))), once)
