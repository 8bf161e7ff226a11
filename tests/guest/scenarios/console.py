# SPDX-License-Identifier: Apache-2.0
"""The console on a terminal, as a person uses it."""

import fcntl
import hashlib
import os
import pty
import re
import select
import signal
import termios
import time

from kit.test import PATIENCE, Failure, check, scenario
from kit.vmm import CMDLINE, Vmm, base_devices, configure

PROMPT = r"# (\x1b\[6n)?$"  # the shell asks where the cursor is, and goes on without an answer


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


def shell(t):
    """A guest with a shell of the initramfs on the console, and its terminal."""
    boot = {"kernel": t.part("vmlinux"), "initrd": t.part("initrd"), "cmdline": CMDLINE}
    terminal = Terminal(t)
    config = configure(t, boot, base_devices())
    vmm = Vmm(t, ["-c", config], stdio=terminal.slave, preexec_fn=terminal.take)
    terminal.expect(PROMPT)
    return vmm, terminal


@scenario()
def commands_typed_at_a_terminal(t):
    """Login, commands, Ctrl-C for the guest, Ctrl-a x; the terminal is then as it was."""
    vmm, terminal = shell(t)
    check(termios.tcgetattr(terminal.slave) != terminal.settings, "the terminal is not raw")
    terminal.type("echo $((6 * 7))-times\n")
    terminal.expect(r"^42-times$")
    terminal.expect(PROMPT)
    terminal.type("sleep 1000\n")
    terminal.expect("1000\n")
    time.sleep(1)
    terminal.type("\x03")
    terminal.expect(PROMPT)
    text = "0123456789abcdef\n" * 200  # more than the port's FIFO and the guest's buffers hold at once
    terminal.type(f"cat >/text <<E\n{text}E\nsha256sum </text\n")
    terminal.expect(f"^{hashlib.sha256(text.encode()).hexdigest()}  -$")
    terminal.type("\x01x")
    vmm.ends(0)
    check(termios.tcgetattr(terminal.slave) == terminal.settings, "the terminal is not as it was")


@scenario()
def the_terminal_is_restored_after_signals(t):
    vmm, terminal = shell(t)
    vmm.signal(signal.SIGTERM)
    vmm.ends(0)
    check(termios.tcgetattr(terminal.slave) == terminal.settings, "the terminal is not as it was")


@scenario()
def a_lost_terminal_ends_nothing_by_force(t):
    """A terminal that is closed hangs up: vmm ends in order."""
    vmm, terminal = shell(t)
    vmm.signal(signal.SIGHUP)
    vmm.ends(0)
    check(termios.tcgetattr(terminal.slave) == terminal.settings, "the terminal is not as it was")
