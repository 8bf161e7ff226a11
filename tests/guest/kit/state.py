# SPDX-License-Identifier: Apache-2.0
"""What a vmm that did not do what was expected of it is doing: read from outside, so that it works whatever hangs."""

import collections
import contextlib
import os
import re
import subprocess
import time

TRACING = "/sys/kernel/tracing"
INSTANCE = f"{TRACING}/instances/vmm-tests"  # leaves others' tracing alone
TRACED_SECONDS = 1
ENTRY, ENTRY_BYTES = re.compile(r"^([0-9a-f]+) \w __svm_vcpu_run\s", re.M), 0x200
EXIT = re.compile(r"^\s*(\S+)-\d+\s.*kvm_exit:.* reason (\S+) rip (0x[0-9a-f]+)")


def _read(path):
    """The first lines of a file, in one."""
    try:
        with open(path, errors="replace") as file:
            return " < ".join(line.strip() for line in file.read(2000).strip().split("\n")[:6])
    except OSError as error:
        return error.strerror


def threads(pid):
    """Of each thread its state and where it is in the kernel."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        at = f"/proc/{pid}/task/{thread}"
        state = _read(f"{at}/stat").rpartition(")")[2].split()[:1]
        stack = _read(f"{at}/stack").replace("[<0>] ", "") or "in the guest or in user space"
        yield f"{_read(f'{at}/comm')} {thread} {' '.join(state)}: {stack}"


def eventfds(pid):
    """Doorbells, interrupts, wake-ups: what was signalled and not read."""
    counts = {}
    for fd in sorted(os.listdir(f"/proc/{pid}/fdinfo"), key=int):
        if count := re.search(r"eventfd-count:\s*(\w+)", _read(f"/proc/{pid}/fdinfo/{fd}")):
            counts[fd] = int(count[1], 16)
    waiting = ", ".join(f"fd {fd}: {count}" for fd, count in counts.items() if count)
    yield f"{len(counts)} eventfds, signalled and not read: {waiting or 'none'}"


@contextlib.contextmanager
def _traced(pid):
    """A trace of the exits of a process from here on."""
    if not os.path.exists(f"{TRACING}/events"):
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACING], check=True, capture_output=True)
    os.mkdir(INSTANCE)
    try:
        for name, value in (("set_event_pid", "\n".join(os.listdir(f"/proc/{pid}/task"))), ("events/kvm/kvm_exit/enable", "1")):
            with open(f"{INSTANCE}/{name}", "w") as file:
                file.write(value)
        yield f"{INSTANCE}/trace"
    finally:
        os.rmdir(INSTANCE)


def is_entry(address, symbols):
    """Whether it is where a kernel with these symbols (/proc/kallsyms) enters guests: no guest is there by itself, but the
    testbed's emulated processors put some there (docs/testbed.md)."""
    found = ENTRY.search(symbols)
    return bool(found) and 0 <= int(address, 16) - int(found[1], 16) < ENTRY_BYTES


def exits(pid):
    """Why each vCPU left the guest within a second, and where it was most of the time."""
    reasons, places = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    with _traced(pid) as trace:
        time.sleep(TRACED_SECONDS)
        with open(trace, errors="replace") as file:
            for found in filter(None, map(EXIT.match, file)):
                reasons[found[1]][found[2]] += 1
                places[found[1]][found[3]] += 1
    yield f"exits in {TRACED_SECONDS} s:{'' if reasons else ' none'}"
    for name, counter in reasons.items():
        why = ", ".join(f"{reason} {count}" for reason, count in counter.most_common(5))
        where = ", ".join(f"{rip} {count}" for rip, count in places[name].most_common(5))
        yield f"  {name}: {why}; at {where}"
        with open("/proc/kallsyms") as symbols:
            if is_entry(places[name].most_common(1)[0][0], symbols.read()):
                yield "  where the kernel here enters guests: its processor is at fault, not vmm (docs/testbed.md)"


def describe(pid):
    """All of that, of the process and of those that it started."""
    lines = []
    for part in (threads, eventfds, exits):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            lines.extend(part(pid))
    children = _read(f"/proc/{pid}/task/{pid}/children").split()
    return "".join(f"{line}\n" for line in lines) + "".join(describe(child) for child in children if child.isdigit())
