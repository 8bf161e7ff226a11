# SPDX-License-Identifier: Apache-2.0
"""Starts that have to fail: with what status, with what text."""

import os
import re
import shutil

from kit.config import device
from kit.test import Skip, check, scenario
from kit.vmm import Vmm, base_devices, configure

EXIT_HOST, EXIT_DEVICE, EXIT_KERNEL = 4, 6, 8
NOBODY = 65534
KVM_CAP_IRQFD = "32"


def config(t, *devices, **boot):
    return configure(t, {"kernel": t.test_kernel("multiboot.elf"), **boot}, [*base_devices(), *devices])


def refused(vmm, status, *texts):
    vmm.ends(status)
    for text in texts:
        check(text in vmm.log_text(), f"the error does not contain {text!r}")


@scenario()
def no_permission_for_dev_kvm(t):
    if os.geteuid() != 0 or not t.settings["testbed"]:
        raise Skip("only root can take away a permission")
    mode = os.stat("/dev/kvm").st_mode
    t.stack.callback(os.chmod, "/dev/kvm", mode)
    os.chmod("/dev/kvm", 0o600)
    for path in (t.dir, t.cwd):
        os.chmod(path, 0o755)
    vmm = Vmm(t, ["-c", config(t)], user=NOBODY, group=NOBODY, extra_groups=[])
    refused(vmm, EXIT_HOST, "/dev/kvm", "Permission denied")


@scenario()
def a_kvm_without_a_capability(t):
    vmm = Vmm(t, ["-c", config(t)], {"LD_PRELOAD": t.program("faults.so"), "VMM_FAULT_CAP": KVM_CAP_IRQFD})
    refused(vmm, EXIT_HOST, "KVM_CAP_IRQFD", "interrupts from eventfds")


@scenario()
def a_plugin_that_is_not_there(t):
    """The error names the config's line that asks for its device."""
    plugins = t.path("plugins")
    installed = os.path.join(os.path.dirname(t.settings["vmm"]), "../lib/vmm/plugins")
    shutil.copytree(installed, plugins)
    os.remove(os.path.join(plugins, "virtio-blk.so"))
    path = configure(
        t,
        {"kernel": t.test_kernel("multiboot.elf")},
        [*base_devices(), device("virtio-blk", id="disk0", path=t.disk("disk.img", 1))],
        plugins={"search": [plugins]},
    )
    with open(path) as file:
        line = next(n for n, text in enumerate(file, 1) if "virtio-blk" in text)
    refused(Vmm(t, ["-c", path]), EXIT_DEVICE, f"{path}:{line}:", "virtio-blk")


@scenario()
def a_plugin_that_fails_in_create(t):
    """The error names line, device and type; those that were made before are taken down."""
    bad = os.path.join(os.path.dirname(t.settings["vmm"]), "../tests/config/plugins/create-fails.so")
    path = config(t, device("create-fails", id="bad0", plugin=os.path.normpath(bad)))
    with open(path) as file:
        line = next(n for n, text in enumerate(file, 1) if "bad0" in text)
    refused(Vmm(t, ["-c", path]), EXIT_DEVICE, f'{path}:{line}: device "bad0" (create-fails):')


@scenario()
def h24_devices_are_destroyed_in_reverse_order(t):
    """Those that were created before one that fails, wherever that is, and no others."""
    fixtures = os.path.normpath(os.path.join(os.path.dirname(t.settings["vmm"]), "../tests/config/plugins"))
    good = [device("test-bus", id=name, plugin=f"{fixtures}/test.so") for name in ("one", "two", "three")]
    for before in (0, 1, 3):
        bad = device("create-fails", id="bad0", plugin=f"{fixtures}/create-fails.so")
        vmm = Vmm(t, ["-c", config(t, *good[:before], bad, *good[before:])])
        vmm.ends(EXIT_DEVICE)
        names = ["one", "two", "three"][:before]
        said = re.findall(r"^(one|two|three) was (created|destroyed)$", vmm.log_text(), re.M)
        check(said == [(n, "created") for n in names] + [(n, "destroyed") for n in reversed(names)], f"what happened: {said}")


@scenario()
def a_disk_that_is_not_there(t):
    missing = t.path("missing.img")
    refused(Vmm(t, ["-c", config(t, device("virtio-blk", id="disk0", path=missing))]), EXIT_DEVICE, missing, "disk0")


@scenario()
def a_kernel_that_is_none(t):
    text = t.path("text")
    with open(text, "w") as file:
        file.write("not a kernel\n" * 100)
    path = config(t, kernel=text)
    with open(path) as file:
        line = next(n for n, words in enumerate(file, 1) if text in words)
    refused(Vmm(t, ["-c", path]), EXIT_KERNEL, f'{path}:{line}: kernel "{text}":')


@scenario()
def an_initrd_that_does_not_fit(t):
    """Found before the guest runs."""
    boot = {"kernel": t.part("kernel"), "initrd": t.disk("big", 300)}
    path = configure(t, boot, base_devices(), memory="256M")
    refused(Vmm(t, ["-c", path]), EXIT_KERNEL, "big")
