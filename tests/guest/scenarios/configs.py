# SPDX-License-Identifier: Apache-2.0
"""The configs that a person starts from do start."""

import os
import signal
import socket

from kit.network import need_taps, serve_file
from kit.terminal import on_a_terminal
from kit.test import Failure, scenario, wait_until
from kit.vmm import Vmm

LOGIN = "root@guest:/root# "


def shipped(t, name, *settings):
    """The arguments for a start with a config of configs/."""
    arguments = ["-c", os.path.join(t.settings["source"], "configs", name)]
    for setting in settings:
        arguments += ["-s", setting]
    return arguments


def guest_here(t):
    """Settings for the parts that tools/guest makes: the configs look for them in build/guest."""
    return (
        f"boot.kernel={t.part('kernel')}",
        f"boot.initrd={t.part('initrd')}",
        f"devices.disk0.path={t.copy(t.part('disk'), 'disk.img')}",
    )


@scenario()
def linux_cfg_boots_to_a_login(t):
    """2 processors, disk, network, and a shell on the console in which commands can be typed."""
    port, digest = serve_file(t, 1)
    vmm, terminal = on_a_terminal(t, shipped(t, "linux.cfg", *guest_here(t)))
    terminal.expect("2 processor.*root file system on /dev/vda")
    terminal.expect(LOGIN)
    terminal.type("seq 100000 >/numbers; sync; wc -l </numbers\n")
    terminal.expect("^100000$")
    terminal.type(f"until ip addr | grep 'inet 10[.]'; do sleep 1; done; wget -q -O - http://10.0.2.2:{port}/file | sha256sum\n")
    terminal.expect(f"^{digest}  -$")
    terminal.type("poweroff\n")
    vmm.ends(0)


@scenario()
def minimal_cfg_boots_to_a_login(t):
    vmm = Vmm(t, shipped(t, "minimal.cfg", *guest_here(t)))
    vmm.wait_for(LOGIN)
    vmm.signal(signal.SIGTERM)
    vmm.ends(0)


@scenario()
def server_cfg_boots_to_a_login(t):
    need_taps()
    path = t.path("console-socket")
    settings = (f"devices.com1.path={path}", f"devices.data0.path={t.disk('data.img', 8)}", "machine.memory=512M")
    vmm = Vmm(t, shipped(t, "server.cfg", *guest_here(t), *settings))
    console = socket.socket(socket.AF_UNIX)
    t.stack.callback(console.close)
    wait_until(lambda: console.connect_ex(path) == 0, "the console's socket takes a connection")
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
    vmm = Vmm(t, shipped(t, "kernel-test.cfg", f"boot.kernel={t.test_kernel('multiboot.elf')}", "boot.cmdline=exit=5"))
    vmm.ends(5 << 1 | 1)
