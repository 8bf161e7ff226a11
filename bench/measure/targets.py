# SPDX-License-Identifier: Apache-2.0
"""What each line of the table must reach. Printed beside the figures, never asserted."""

import dataclasses
import re

QEMUS = ("qemu-q35", "qemu-microvm")


@dataclasses.dataclass(frozen=True)
class Target:
    """`of`: the system that the ratio is to; None: the figure itself. `limit` is the most, or the least if `least`."""

    row: str
    limit: float
    of: str | None = None
    least: bool = False
    below: bool = False  # the limit itself is not reached
    case: str = ""  # a regular expression for the cases it is for

    def text(self):
        sign = (">" if self.below else ">=") if self.least else ("<" if self.below else "<=")
        return f"{sign} {self.limit:g}" + (f" of {self.of}" if self.of else "")

    def reached(self, value):
        if self.below:
            return value > self.limit if self.least else value < self.limit
        return value >= self.limit if self.least else value <= self.limit


def _each(row, limit, systems=QEMUS, **more):
    return [Target(row, limit, of, **more) for of in systems]


ALL = [
    Target("boot", 0.50, "qemu-q35"),
    Target("boot", 0.35, "qemu-microvm"),
    Target("boot", 0.70, "lkvm"),
    *_each("start", 0.10, case="small kernel.*"),
    Target("start", 15, below=True, case="small kernel.*"),
    Target("start", 20, below=True, case=r"\d+ plugins more.*"),
    *_each("exits", 1, (*QEMUS, "lkvm"), below=True, case=r"all|to user space"),
    Target("memory", 5, case=r"besides.*"),
    *_each("memory", 0.15, case=r"besides.*"),
    *_each("pio", 0.8, case=r"round trip"),
    *_each("mmio", 0.8, case=r"round trip"),
    Target("pio", 1.05, case=r"250 devices to few"),
    Target("mmio", 1.05, case=r"250 devices to few"),
    *_each("blk", 1.3, least=True, case=r"(tmpfs|disk), .*"),
    Target("blk", 1, "lkvm", least=True, below=True, case=r"(tmpfs|disk), .*"),
    *_each("net", 1, least=True, case=r"vhost: .*to.*"),
    *_each("net", 1.3, least=True, case=r"(tap|user): .*to.*"),
    *_each("net", 1, case=r".*round trip"),
    *_each("latency", 1, below=True),
    Target("scale", 1.10, case=r".* to the first"),
]


def of(row, case):
    return [t for t in ALL if t.row == row and (not t.case or re.fullmatch(t.case, case))]
