# SPDX-License-Identifier: Apache-2.0
"""A VMM that runs: its guest's console through pipes, when a line came, and its memory."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time
import tty

from kit import state

PATIENCE_SECONDS = 120
READ_BYTES = 1 << 16
# kvmtool's serial port drops what comes faster than the guest reads it.
TYPED_BYTES, TYPING_SECONDS = 16, 0.05


class Failure(Exception):
    """A measurement did not come to an end."""


def parse_smaps(text, ram_mib):
    """Proportional set size in KiB of all mappings but the guest's RAM, and of that: it is as large as that."""
    own, ram, is_ram = 0, 0, False
    for line in text.splitlines():
        if head := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            is_ram = int(head[2], 16) - int(head[1], 16) >= ram_mib << 20
        elif line.startswith("Pss:"):
            own += 0 if is_ram else int(line.split()[1])
            ram += int(line.split()[1]) if is_ram else 0
    return own, ram


class Running:
    """Started at once, in a directory of its own for what it writes."""

    def __init__(self, command, directory, environment=None, terminal=False):
        self.command = command
        self.log = os.path.join(directory, "messages")
        self.text = b""
        self.failed = False
        self.typed_bytes = TYPED_BYTES if terminal else READ_BYTES
        if terminal:
            self.source, its_stdout = pty.openpty()
            self.sink, its_stdin = os.dup(self.source), os.dup(its_stdout)
            tty.setraw(its_stdout)
        else:
            (self.source, its_stdout), (its_stdin, self.sink) = os.pipe(), os.pipe()
        environment = {**os.environ, **(environment or {})}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=its_stdin, stdout=its_stdout, stderr=log, cwd=directory, env=environment
            )
        os.close(its_stdin)
        os.close(its_stdout)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.source)
        os.close(self.sink)

    def is_well(self):
        """It runs, and nothing that was asked of it has failed."""
        return self.process.poll() is None and not self.failed

    def fail(self, what):
        self.failed = True
        with open(self.log, "rb") as log:
            messages = log.read()[-2000:].decode(errors="replace")
        console = self.text[-2000:].decode(errors="replace")
        raise Failure(f"{what}\n{' '.join(self.command)}\nits messages:\n{messages}\nthe guest's console:\n{console}")

    def read_some(self, end, what):
        """Adds what the guest prints next to `text`; returns the time at which it came, in ns of CLOCK_MONOTONIC."""
        if not select.select([self.source], [], [], max(0, end - time.monotonic()))[0]:
            doing = state.describe(self.pid)
            self.fail(f"not within {PATIENCE_SECONDS} s: {what}\nwhat it does:\n{doing}")
        data = b""
        with contextlib.suppress(OSError):  # a terminal that nobody holds any more
            data = os.read(self.source, READ_BYTES)
        now = time.monotonic_ns()
        if not data:
            self.fail(f"ended with {self.process.wait()} before {what}")
        self.text += data.replace(b"\r", b"")
        return now

    def wait_for(self, pattern):
        """Waits until the guest has printed a line; returns the match and when it came. Text up to it is forgotten."""
        end = time.monotonic() + PATIENCE_SECONDS
        now = time.monotonic_ns()
        while not (match := re.search(pattern.encode(), self.text, re.MULTILINE)):
            now = self.read_some(end, f"the guest printed {pattern!r}")
        self.text = self.text[match.end() :]
        return match, now

    def rest(self):
        """What the guest prints until the process ends by itself."""
        end = time.monotonic() + PATIENCE_SECONDS
        with contextlib.suppress(Failure):
            while True:
                self.read_some(end, "its end")
        if self.process.poll() is None:
            self.fail("did not end")
        return self.text.decode(errors="replace")

    def shell(self, command):
        """Has a guest with `guests.agent` run a command; returns what it prints."""
        if self.process.poll() is not None:
            self.fail(f"ended with {self.process.returncode} before {command!r}")
        for part in re.findall(rb"(?s).{1,%d}" % self.typed_bytes, command.encode() + b"\n"):
            try:
                os.write(self.sink, part)
            except BrokenPipeError:
                self.fail(f"ended before {command!r}")
            time.sleep(TYPING_SECONDS if self.typed_bytes < READ_BYTES else 0)
        match, _ = self.wait_for(r"^((?:.*\n)*?)bench: done (\d+)$")
        if match[2] != b"0":
            self.text = match[1] + self.text
            self.fail(f"{command!r} failed in the guest")
        return match[1].decode(errors="replace")

    def mapped_files(self):
        """The programs and libraries of the process."""
        with open(f"/proc/{self.pid}/maps") as file:
            return set(filter(os.path.isfile, re.findall(r" (/\S+)$", file.read(), re.M)))

    def pss_kib(self, ram_mib):
        with open(f"/proc/{self.pid}/smaps") as file:
            return parse_smaps(file.read(), ram_mib)
