# SPDX-License-Identifier: Apache-2.0
"""A vmm process under test, and the usual way to start one: a Linux guest that runs a job and powers off."""

import os
import re
import signal
import subprocess
import time

from . import config, initrd, state
from .config import device
from .test import PATIENCE, Failure, check, wait_until

LOG_CHARACTERS = 20000  # of each console in a report
CMDLINE = "console=ttyS0 quiet panic=-1 cryptomgr.notests"  # nearly half of a boot here are self-tests of ciphers
STATUS_SIGKILL = -signal.SIGKILL


class Vmm:
    """Started at once. The serial port on stdout and vmm's own messages on stderr go to files."""

    def __init__(self, test, arguments, environment=None, stdio=None, **popen):
        self.test = test
        self.number = len(test.vmms)
        self.console = test.path(f"console-{self.number}")
        self.log = test.path(f"log-{self.number}")
        self.command = [test.settings["vmm"], *arguments]
        environment = {**os.environ, "VMM_ABI_CHECK": "1", "TMPDIR": test.cwd, **(environment or {})}
        streams = {"stdin": stdio, "stdout": stdio}
        if stdio is None:
            streams = {"stdin": subprocess.DEVNULL, "stdout": open(self.console, "wb")}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=test.cwd, env=environment, stderr=log, **streams, **popen
            )
        if stdio is None:
            streams["stdout"].close()
        self.pid = self.process.pid
        self.left = ""
        test.vmms.append(self)
        test.stack.push(self._end)

    def text(self):
        """What the guest printed so far."""
        if not os.path.exists(self.console):
            return ""
        with open(self.console, "rb") as file:
            return file.read().decode(errors="replace").replace("\r", "")

    def log_text(self):
        with open(self.log, "rb") as file:
            return file.read().decode(errors="replace")

    def report(self):
        ended = self.process.returncode
        return (
            f"--- {' '.join(self.command)}: exit status {ended}\n{self.left}"
            f"--- its messages:\n{self.log_text()[-LOG_CHARACTERS:]}"
            f"--- the guest's console:\n{self.text()[-LOG_CHARACTERS:]}"
        )

    def wait_for(self, pattern, timeout=PATIENCE):
        """Waits until the guest has printed what the regular expression says; returns the match."""

        def found():
            ended = self.process.poll() is not None
            match = re.search(pattern, self.text(), re.MULTILINE)
            if not match and ended:
                raise Failure(f"vmm ended with {self.process.returncode} before the guest printed {pattern!r}")
            return match

        return wait_until(found, f"the guest prints {pattern!r}", timeout)

    def signal(self, number):
        self.process.send_signal(number)
        return time.monotonic()

    def ends(self, status, timeout=PATIENCE):
        """Waits for its end and checks the exit status."""
        try:
            ended = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"vmm did not end within {timeout} s") from None
        check(ended == status, f"vmm ended with {ended}, expected {status}")

    def job_passes(self):
        """Waits for the end of a guest whose job has to succeed."""
        self.wait_for(r"^guest: /job ended with \d+$")
        self.ends(0)
        check(re.search(r"^guest: /job ended with 0$", self.text(), re.M), "the guest's job failed")

    def _end(self, failure, *_):
        if failure and self.process.poll() is None:
            self.left = f"--- what it did when it was ended:\n{state.describe(self.pid)}"
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def base_devices(transport="virtio-pci", console="stdio"):
    """What a machine has before its disks and cards."""
    devices = [device("platform", id="platform0"), device("serial", id="com1", backend=console)]
    if transport == "virtio-pci":
        devices.insert(0, device("pci", id="pci0"))
    return [*devices, device(transport, id="virtio0")]


def configure(test, boot, devices, cpus=1, memory="256M", machine=None, name="guest.cfg", **more):
    """Writes a config file; returns its path."""
    settings = {"machine": {"cpus": cpus, "memory": memory, **(machine or {})}, "boot": boot, **more}
    path = test.path(name)
    with open(path, "w") as file:
        file.write(config.text({**settings, "devices": devices}))
    return path


def halted(test, devices=(), cmdline="halt", **more):
    """A config for a machine with these devices whose small kernel starts at once and then halts for ever."""
    boot = {"kernel": test.test_kernel("multiboot.elf"), "cmdline": cmdline}
    return configure(test, boot, [*base_devices(), *devices], **more)


def start_halted(test, devices=(), **more):
    """Starts such a machine and waits until it runs."""
    vmm = Vmm(test, ["-c", halted(test, devices, **more)])
    vmm.wait_for("^cmdline=")
    return vmm


def linux(test, job, devices=(), kernel="6.1", image="vmlinux", parts="initrd", cmdline="", transport="virtio-pci", **more):
    """A config for a guest with these devices besides the usual ones that runs the shell commands `job`.

    image: "kernel" is the bzImage, which takes seconds to unpack itself where the processor is emulated.
    parts: the initramfs that the job is added to.
    """
    base = test.part(parts, kernel)
    boot = {
        "kernel": test.part(image, kernel),
        "initrd": initrd.with_job(base, job, test.path("initrd")),
        "cmdline": f"{CMDLINE} run=/job {cmdline}".strip(),
    }
    return configure(test, boot, [*base_devices(transport), *devices], **more)


def start(test, job, devices=(), environment=None, **more):
    """Starts such a guest."""
    return Vmm(test, ["-c", linux(test, job, devices, **more)], environment)
