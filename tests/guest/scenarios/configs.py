# SPDX-License-Identifier: Apache-2.0
"""The configs that a person starts from do start."""

import os
import signal
import socket

from kit.network import need_taps, serve_file
from kit.test import Failure, scenario, wait_until
from kit.vmm import Vmm

LOGIN = "root@guest:/root# "


def shipped(t, name, *settings):
    path = os.path.join(t.settings["source"], "configs", name)
    arguments = ["-c", path]
    for setting in settings:
        arguments += ["-s", setting]
    return Vmm(t, arguments)


def guest_here(t):
    """Settings for the parts that tools/guest makes: the configs look for them in build/guest."""
    return (
        f"boot.kernel={t.part('kernel')}",
        f"boot.initrd={t.part('initrd')}",
        f"devices.disk0.path={t.copy(t.part('disk'), 'disk.img')}",
    )


@scenario()
def linux_cfg_boots_to_a_login(t):
    """2 processors, disk, network, a shell on the console; then the guest's self-check from the same config."""
    port, digest = serve_file(t, 1)
    check = f"selfcheck check.cpus=2 check.memory=512 check.url=http://10.0.2.2:{port}/file check.sum={digest}"
    vmm = shipped(t, "linux.cfg", *guest_here(t))
    vmm.wait_for("2 processor.*root file system on /dev/vda")
    vmm.wait_for(LOGIN)
    vmm.kill()
    vmm = shipped(t, "linux.cfg", *guest_here(t), f"boot.cmdline=console=ttyS0 quiet {check}")
    vmm.wait_for("^selfcheck: passed")
    vmm.ends(0)


@scenario()
def minimal_cfg_boots_to_a_login(t):
    vmm = shipped(t, "minimal.cfg", *guest_here(t))
    vmm.wait_for(LOGIN)
    vmm.signal(signal.SIGTERM)
    vmm.ends(0)


@scenario()
def server_cfg_boots_to_a_login(t):
    need_taps()
    path = t.path("console-socket")
    settings = (f"devices.com1.path={path}", f"devices.data0.path={t.disk('data.img', 8)}", "machine.memory=512M")
    vmm = shipped(t, "server.cfg", *guest_here(t), *settings)
    console = socket.socket(socket.AF_UNIX)
    t.stack.callback(console.close)
    wait_until(lambda: os.path.exists(path), "the console's socket is there")
    console.connect(path)
    console.settimeout(1)
    seen = b""

    def login():
        nonlocal seen
        try:
            seen += console.recv(65536)
        except TimeoutError:
            console.sendall(b"\n")
        if vmm.process.poll() is not None:
            raise Failure(f"vmm ended with {vmm.process.returncode}")
        return LOGIN.encode() in seen

    wait_until(login, "a shell's prompt is on the console")
    vmm.signal(signal.SIGTERM)
    vmm.ends(0)


@scenario()
def kernel_test_cfg_gives_the_kernel_s_status(t):
    vmm = shipped(t, "kernel-test.cfg", f"boot.kernel={t.test_kernel('multiboot.elf')}", "boot.cmdline=exit=5")
    vmm.ends(5 << 1 | 1)
