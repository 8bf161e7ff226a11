# SPDX-License-Identifier: Apache-2.0
"""Runs a command in a terminal of its own, for tests: types when it shows a text, and looks at the terminal after."""
import fcntl
import os
import select
import struct
import termios
import time


def run(argv, steps, seconds=120):
    """Runs argv in a new terminal; steps are (text to wait for, bytes to type). Returns output, status, sameness."""
    outer, inner = os.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    before = termios.tcgetattr(inner)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(inner, fd)
        os.execvp(argv[0], argv)
    output, seen, status, end = b"", 0, None, time.time() + seconds
    while status is None and time.time() < end:
        if select.select([outer], [], [], 0.1)[0]:
            output += os.read(outer, 65536)
        while steps and steps[0][0] in output[seen:]:
            seen = output.index(steps[0][0], seen) + len(steps[0][0])
            time.sleep(0.5)
            os.write(outer, steps.pop(0)[1])
        done, raw = os.waitpid(pid, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(raw)
    if status is None:
        os.kill(pid, 15)
        os.waitpid(pid, 0)
    while select.select([outer], [], [], 0.2)[0]:
        output += os.read(outer, 65536)
    same = termios.tcgetattr(inner) == before
    os.close(outer)
    os.close(inner)
    return output, status, same
