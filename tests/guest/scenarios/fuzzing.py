# SPDX-License-Identifier: Apache-2.0
"""A guest that is a blind fuzzer (tests/guest/fuzz): vmm outlives it, and every device comes back by a reset.

A seed that failed is run again with

    tests/guest/run --icount shift=1 --logs fuzzing-for-minutes --set count=1 --set seed=N --set steps=N [--set second=1]
        [--set lethal=1]

as the failure says. With a second processor the order of things differs each time. In the testbed time is a count of
instructions for it, as processors that are emulated each by a thread break off a few of a hundred seeds (docs/testbed.md).
"""

import os
import re
import signal
import time

from kit.config import device
from kit.test import check, scenario
from kit.vmm import Vmm, base_devices, configure

from .hostile import footprint, striped_disk

MEMORY = "128M"
GROWTH_BYTES = 8 << 20  # with the threads and buffers of all that is used for the first time
SECONDS_PER_STEP = 0.004  # far more than it takes
ENDINGS = (0, 10, 12, 14)  # vmm.1: power-off, reset, triple fault, an error of KVM; odd ones are debug-exit's
SOON = 60
STEPS, STEPS_LONG = 6000, 100000


def start_fuzzer(t, seed, steps, flags):
    cmdline = f"seed={seed} steps={steps} {' '.join(flags)}"
    boot = {"kernel": t.fuzz_kernel(), "cmdline": cmdline}
    pci = {"transport": "virtio0"}
    devices = [
        *base_devices(),
        {**striped_disk(t, "disk0"), **pci},
        device("virtio-net", id="net0", **pci),
        device("virtio-rng", id="rng0", **pci),
        {**striped_disk(t, "disk1"), **pci, "iothread": "io1", "aio": "worker"},
        device("virtio-mmio", id="mmio0"),
        device("virtio-rng", id="rng1", transport="mmio0"),
        device("serial", id="com2", port=0x2F8, irq=3, backend="null"),
        device("debug-exit"),
    ]
    return Vmm(t, ["-c", configure(t, boot, devices, cpus=2, memory=MEMORY, iothreads=["io1"])])


def outlives(t, seed, steps, *flags):
    """One seed. Lethal ones may end vmm, but with a status that means it; others have to go on to their end."""
    again = f"--set seed={seed} --set steps={steps}" + "".join(f" --set {flag}=1" for flag in flags)
    t.log(f"=== seed {seed}: tests/guest/run --icount shift=1 fuzzing-for-minutes --set count=1 {again}")
    vmm = start_fuzzer(t, seed, steps, flags)
    before, end = None, time.monotonic() + 120 + steps * SECONDS_PER_STEP
    while vmm.process.poll() is None and not re.search("^fuzz: (done|FAILED)", vmm.text(), re.M):
        if not before and "fuzz: begins" in vmm.text():
            before = footprint(vmm.pid)
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    judge(t, vmm, before, "lethal" in flags)


def judge(t, vmm, before, lethal):
    found = re.search("^fuzz: (done|FAILED.*)$", vmm.text(), re.M)
    check(lethal or not found or found.group(1) == "done", found and found.group(0))
    alive = vmm.process.poll() is None
    check(found or lethal or not alive, "the fuzzer hangs")
    if alive:
        after = footprint(vmm.pid)
        vmm.signal(signal.SIGTERM)
        vmm.ends(0, SOON)
    status = vmm.process.returncode
    t.log(f"ended with {status}{'' if alive else ' by itself'}")
    check(not re.search(r"vmm: crash:|ABI( check)?:|Sanitizer|runtime error:", vmm.log_text()), "vmm is broken: see its messages")
    check(status in ENDINGS or status > 0 and status & 1, f"vmm ended with {status}, which means nothing")
    if lethal:
        return
    check(found, "the fuzzer's machine ended")
    check(before, "the fuzzer did not begin")
    check(after["fds"] <= before["fds"], f"file descriptors were left open: {before}, {after}")
    check(after["bytes"] - before["bytes"] < GROWTH_BYTES or after["sanitized"], f"vmm grew: {before}, {after}")


def second_processor():
    """Not in the testbed, whose emulated processors do not stand it for long (docs/testbed.md)."""
    return [] if "VMM_TESTBED" in os.environ else ["second"]


@scenario()
def a_fuzzer_is_outlived(t):
    """Seeds that are always the same, and one that is new each time, but for the second try of a failure."""
    outlives(t, 1, STEPS, *second_processor())
    outlives(t, 2, STEPS, "lethal")
    outlives(t, t.settings["seed"], STEPS)


@scenario(long=True)
def fuzzing_for_minutes(t):
    """Seeds for --set seconds=N (60; of a testbed's own clock, which is five times slower), or --set count=N of them; from
    --set seed=N on, each of --set steps=N.

    --set second=1, lethal=1: with a second processor, with what ends the machine. With neither, and without count, all in turn.
    """
    first = t.option("seed", t.settings["seed"])
    count, end = t.option("count", 1 << 32), time.monotonic() + t.option("seconds", 60)
    chosen = [flag for flag in ("second", "lethal") if t.option(flag, 0)]
    second = second_processor()
    turns = [chosen] if chosen or count < 1 << 32 else [[], second, second, ["lethal"]]
    done = 0
    while done < count and time.monotonic() < end:
        outlives(t, first + done, t.option("steps", STEPS_LONG), *turns[done % len(turns)])
        t.vmms.clear()  # its messages are of no interest any more
        done += 1
        print(f"{done} seeds from {first} on", flush=True)
