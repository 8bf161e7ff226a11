# SPDX-License-Identifier: Apache-2.0
"""The example plugins in a machine, driven by a guest: what sdk-examples has built from an installed vmm."""

import os
import re
import socket

from kit.config import device
from kit.test import Skip, check, scenario, wait_until
from kit.vmm import start

BLOCK = 4096


def plugins(t, *names):
    """The setting with the directories of these examples before that of vmm's own plugins."""
    built = [os.path.join(t.settings["examples"], name) for name in names]
    for path in built:
        if not os.path.exists(os.path.join(path, os.path.basename(path) + ".so")):
            raise Skip(f"no {path}/*.so: ctest -R sdk-examples makes it")
    return {"search": [*built, os.path.join(os.path.dirname(t.settings["vmm"]), "../lib/vmm/plugins")]}


def talk(t, path, vmm):
    """Is the guest's partner at the other end of its console: answers its question."""
    client = socket.socket(socket.AF_UNIX)
    t.stack.callback(client.close)
    wait_until(lambda: client.connect_ex(path) == 0, "the console's socket takes a connection")
    client.settimeout(120)
    vmm.wait_for("^the console is set up$")
    client.sendall(b"four\n")
    seen = b""
    while not seen.endswith(b"\n"):
        data = client.recv(100)
        check(data, "the console's socket was closed")
        seen += data
    return seen.decode().strip()


def programs_disk(t, *names):
    """The path of a disk with these programs of the examples one behind the other, and the commands that unpack it."""
    path, commands, blocks = t.path("programs.img"), [], 0
    with open(path, "wb") as disk:
        for name in names:
            with open(os.path.join(t.settings["examples"], name), "rb") as file:
                data = file.read()
            count = (len(data) + BLOCK - 1) // BLOCK
            disk.write(data.ljust(count * BLOCK, b"\0"))
            base = os.path.basename(name)
            commands.append(f"dd if=/dev/vda of=/{base} bs={BLOCK} skip={blocks} count={count} && chmod +x /{base}")
            blocks += count
    return path, "\n".join(commands)


@scenario()
def example_plugins_work_for_a_linux_guest(t):
    """A port, a PCI device driven from user space, a console with Linux's own driver, and a disk behind a filter, which the
    programs that use the port and the PCI device are read from."""
    setting = plugins(t, "hello-port", "edu", "virtio-console", "block-filter")
    disk, unpack = programs_disk(t, "hello-port/read-port", "edu/edu-sysfs-test")
    socket_path = t.path("console-socket")
    job = f"""
        exec 3<>/dev/hvc0
        stty raw -echo <&3
        echo "the console is set up"
        read -r word <&3
        echo "you said $word" >&3
        {unpack}
        /read-port
        /edu-sysfs-test
    """
    devices = [
        device("hello-port", id="hello0"),
        device("edu", id="edu0"),
        device("virtio-console", id="console0", transport="virtio0", socket=socket_path),
        device("block-filter", id="slow0", transport="virtio0", delay="1ms"),
        device("virtio-blk", id="disk0", transport="slow0", path=disk, readonly=True),
    ]
    vmm = start(t, job, devices, plugins=setting)
    check(talk(t, socket_path, vmm) == "you said four", "the guest answers on its console")
    vmm.job_passes()
    check(re.search("^hello$", vmm.text(), re.M), "the port says hello")
    check("edu: ok" in vmm.text(), "the driver in user space is content")
    check(re.search(r"slow0: [1-9]\d* reads, 0 writes", vmm.log_text()), "the filter has counted reads")
