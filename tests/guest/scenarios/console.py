# SPDX-License-Identifier: Apache-2.0
"""The console on a terminal, as a person uses it."""

import hashlib
import signal
import termios
import time

from kit.terminal import on_a_terminal
from kit.test import check, scenario
from kit.vmm import CMDLINE, base_devices, configure, halted

PROMPT = r"# (\x1b\[6n)?$"  # the shell asks where the cursor is, and goes on without an answer


def shell(t):
    """A guest with a shell of the initramfs on the console, and its terminal."""
    boot = {"kernel": t.part("vmlinux"), "initrd": t.part("initrd"), "cmdline": CMDLINE}
    vmm, terminal = on_a_terminal(t, ["-c", configure(t, boot, base_devices())])
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


def terminal_is_restored_after(t, number):
    vmm, terminal = on_a_terminal(t, ["-c", halted(t)])
    terminal.expect("^cmdline=")
    check(termios.tcgetattr(terminal.slave) != terminal.settings, "the terminal is not raw")
    vmm.signal(number)
    vmm.ends(0)
    check(termios.tcgetattr(terminal.slave) == terminal.settings, "the terminal is not as it was")


@scenario()
def the_terminal_is_restored_after_signals(t):
    terminal_is_restored_after(t, signal.SIGTERM)


@scenario()
def a_lost_terminal_ends_nothing_by_force(t):
    """A terminal that is closed hangs up: vmm ends in order."""
    terminal_is_restored_after(t, signal.SIGHUP)
