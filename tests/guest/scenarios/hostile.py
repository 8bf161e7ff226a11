# SPDX-License-Identifier: Apache-2.0
"""A guest that attacks its devices, row by row of tests/hostile/rows: see tests/guest/hostile."""

import os
import re
import signal

from kit.config import device
from kit.test import check, scenario
from kit.vmm import start

SECTORS, SECTOR_BYTES = 2048, 512
LARGE_BYTES = 64 << 20  # of a mapping: the guest's memory
GROWTH_BYTES = 1 << 20  # buffers and stacks have pages that were never used before
HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/enabled"
LONG = 600
FLOOD = "s2_*"
CMDLINE = "iomem=relaxed memmap=16M$160M nox2apic"


def striped_disk(t, name):
    """A disk whose sector n is full of bytes n: what comes back can be told."""
    path = t.path(f"{name}.img")
    with open(path, "wb") as file:
        file.write(b"".join(bytes([n % 256]) * SECTOR_BYTES for n in range(SECTORS)))
    return device("virtio-blk", id=name, path=path)


def footprint(pid):
    """What a process has: open files, threads, memory that is not the guest's."""
    with open(f"/proc/{pid}/smaps") as file:
        text = file.read()
    maps = re.findall(r"^Size: +(\d+) kB\n(?:.*\n)*?Rss: +(\d+) kB$", text, re.M)
    return {
        "sanitized": "libasan" in text or "libtsan" in text,
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "bytes": sum(int(rss) << 10 for size, rss in maps if int(size) << 10 < LARGE_BYTES),
    }


def only_huge_pages_that_are_asked_for(t):
    """Else a stack that is touched for the first time is 2 MiB; for the guest's memory they are asked for."""
    with open(HUGE_PAGES) as file:
        before = re.search(r"\[(\w+)\]", file.read())[1]

    def choose(what):
        with open(HUGE_PAGES, "w") as file:
            file.write(what)

    choose("madvise")
    t.stack.callback(choose, before)


def attack(t, rows, but=""):
    only_huge_pages_that_are_asked_for(t)
    devices = [
        striped_disk(t, "victim"),
        device("virtio-net", id="net0"),
        device("virtio-rng", id="rng0"),
        device("virtio-rng", id="rng1"),
        striped_disk(t, "other"),
        device("serial", id="com2", port=0x2F8, irq=3, backend="pty"),
    ]
    job = f"insmod /msr.ko allow_writes=on; set +x; hostile '{rows}' '{but}'; sleep 1000"
    vmm = start(t, job, devices, cmdline=CMDLINE, parts="hostile", cpus=2)
    vmm.wait_for("^hostile: warm$", LONG)
    before = footprint(vmm.pid)
    vmm.wait_for(r"^hostile: (all passed|\d+ failed)$", LONG)
    after = footprint(vmm.pid)
    t.log(f"before: {before}, after: {after}")
    vmm.signal(signal.SIGTERM)
    vmm.ends(0)
    check(re.search("^hostile: all passed$", vmm.text(), re.M), "rows failed: see the console")
    check(after["fds"] <= before["fds"], "file descriptors of vmm are left open")
    check(after["threads"] <= before["threads"], "vmm has more threads")
    check(after["bytes"] - before["bytes"] < GROWTH_BYTES or after["sanitized"], "vmm grew")


@scenario()
def a_hostile_guest_harms_nobody_else(t):
    """All rows but one in one boot; each shows that the others go on, and that a reset revives its victim.

    --set rows=PATTERN: those whose names match, such as "q17_*".
    """
    rows = t.option("rows", "")
    attack(t, rows or "*", but="" if rows else FLOOD)


@scenario(long=True)
def a_hostile_guest_floods_a_console_that_nobody_reads(t):
    """70,000 bytes, one exit of the processor for each: 20 s where that is emulated."""
    attack(t, FLOOD)
