# SPDX-License-Identifier: Apache-2.0
"""The kernel's tracing, in an instance of our own: events with their times, and histograms."""

import os
import re
import select
import time

TRACING = "/sys/kernel/tracing"
INSTANCE = f"{TRACING}/instances/vmm-bench"
EVENT = re.compile(r"-(\d+)\s+\[\d+\]\s+\S+\s+([\d.]+): (\w+):")
READ_BYTES = 32768


def put(path, text):
    """Never truncates: that would remove the triggers that there are."""
    fd = os.open(os.path.join(INSTANCE, path), os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def parse_events(text):
    """(seconds, name, thread) of each line of a trace."""
    found = (EVENT.search(line) for line in text.splitlines())
    return [(float(m[2]), m[3], int(m[1])) for m in found if m]


def seconds_of(events, name, thread=None):
    """When the first event with that name came; None if it did not."""
    return next((at for at, what, tid in events if what == name and thread in (None, tid)), None)


def parse_histogram(text, key):
    """{value: count} of a hist trigger with one key."""
    pattern = rf"\{{ {key}: +(\w+) \}} hitcount: +(\d+)"
    return {int(value, 0): int(count) for value, count in re.findall(pattern, text)}


class Trace:
    """Open while it is used; the instance is removed at the end. Sees this process and what it starts, or everybody."""

    def __init__(self, everybody=False):
        self.everybody = everybody

    def __enter__(self):
        os.makedirs(INSTANCE, exist_ok=True)
        put("trace_clock", "mono")
        if not self.everybody:
            put("options/event-fork", "1")
            put("set_event_pid", str(os.getpid()))
        open(f"{INSTANCE}/trace", "w").close()  # empties it
        return self

    def __exit__(self, *_):
        put("tracing_on", "0")
        put("events/enable", "0")
        os.rmdir(INSTANCE)

    def enable(self, *events):
        for event in events:
            put(f"events/{event}/enable", "1")
        put("tracing_on", "1")

    def histogram(self, event, key):
        """Counts an event by the values of a field from now on."""
        put(f"events/{event}/trigger", f"hist:keys={key}")

    def pause(self, event, key):
        put(f"events/{event}/trigger", f"hist:keys={key}:pause")

    def read_histogram(self, event, key):
        """What was counted; the trigger is removed."""
        with open(f"{INSTANCE}/events/{event}/hist") as file:
            counts = parse_histogram(file.read(), key)
        put(f"events/{event}/trigger", f"!hist:keys={key}")
        return counts

    def events(self):
        with open(f"{INSTANCE}/trace") as file:
            return parse_events(file.read())

    def wait_for(self, name, seconds):
        """Reads events until there is one with that name; returns all that were read. They are consumed."""
        events, text, end = [], "", time.monotonic() + seconds
        with open(f"{INSTANCE}/trace_pipe", "rb", buffering=0) as pipe:
            while time.monotonic() < end:
                if select.select([pipe], [], [], 1)[0]:
                    text += os.read(pipe.fileno(), READ_BYTES).decode(errors="replace")
                    whole, _, text = text.rpartition("\n")
                    events += parse_events(whole)
                if any(event[1] == name for event in events):
                    break
        return events
