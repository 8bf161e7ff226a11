# SPDX-License-Identifier: Apache-2.0
"""A terminal with vmm on it, for typing to a guest as a person does."""

import fcntl
import os
import pty
import re
import select
import termios
import time

from .test import PATIENCE, Failure
from .vmm import Vmm


class Terminal:
    """A pseudo terminal with vmm on the other side."""

    def __init__(self, test):
        self.master, self.slave = pty.openpty()
        test.stack.callback(os.close, self.master)
        test.stack.callback(os.close, self.slave)
        self.settings = termios.tcgetattr(self.slave)
        self.all = ""
        self.seen = 0
        test.stack.callback(lambda: test.log(f"--- the terminal:\n{self.all}"))

    def take(self):
        """In the new process: makes this its terminal."""
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, timeout=PATIENCE):
        """Waits for output after what the last expect() found."""
        end = time.monotonic() + timeout
        while True:
            match = re.compile(pattern, re.M).search(self.all, self.seen)
            if match:
                self.seen = match.end()
                return match
            left = end - time.monotonic()
            if left < 0:
                raise Failure(f"not on the terminal within {timeout} s: {pattern!r}")
            if select.select([self.master], [], [], left)[0]:
                self.all += os.read(self.master, 65536).decode(errors="replace").replace("\r", "")


def on_a_terminal(test, arguments):
    """Starts vmm with a terminal of its own; returns both."""
    terminal = Terminal(test)
    return Vmm(test, arguments, stdio=terminal.slave, preexec_fn=terminal.take), terminal
