# SPDX-License-Identifier: Apache-2.0
"""Debian packages in a root where nothing else is: each plugin is upgraded by itself, and a vendor's comes beside them."""

import glob
import os
import re
import shutil
import subprocess

from kit.config import device
from kit.test import Skip, check, scenario
from kit.vmm import Vmm, start


class Root:
    """The clean root; what tests/packages/make has made lies outside of it."""

    def __init__(self, t):
        self.t, self.made, self.path = t, t.part("packages"), t.path("root")
        os.mkdir(self.path)
        subprocess.run(["tar", "-C", self.path, "-xf", f"{self.made}/root.tar"], check=True)
        for place in ("/dev", "/proc", "/sys", t.dir, t.settings["source"], os.path.expanduser("~")):
            inside = self.path + place
            os.makedirs(inside, exist_ok=True)
            subprocess.run(["mount", "-n", "--bind", place, inside], check=True)
            t.stack.callback(subprocess.run, ["umount", "-n", "-l", inside], check=True)
        program = t.path("vmm-in-root")
        with open(program, "w") as file:
            file.write(f'#!/bin/sh\nexec chroot {self.path} /usr/bin/vmm "$@"\n')
        os.chmod(program, 0o755)
        t.settings = {**t.settings, "vmm": program}

    def install(self, *patterns):
        """True if dpkg installs these packages."""
        files = [file for pattern in patterns for file in glob.glob(f"{self.made}/{pattern}.deb")]
        check(len(files) >= len(patterns), f"no package {patterns}")
        command = ["dpkg", f"--root={self.path}", "--force-script-chrootless", "-i", *files]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.t.log(f"$ {' '.join(command)}\n{done.stdout}")
        return done.returncode == 0

    def remove(self, name):
        command = ["dpkg", f"--root={self.path}", "--force-script-chrootless", "-r", name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def versions(self):
        """{file: version} of the plugins that vmm finds there."""
        command = [self.t.settings["vmm"], "--list-plugins"]
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        return dict(re.findall(r"^(\S+\.so) +(\S+)", text, re.M))


def boots(t, *devices):
    start(t, "true", devices).job_passes()


@scenario()
def packages_of_plugins_are_changed_one_by_one(t):
    if not t.settings["testbed"]:
        raise Skip("root's own mounts are changed")
    root = Root(t)
    check(root.install("cpack/*"), "the packages of vmm are not installed")
    first = root.versions()
    check(len(first) == 7, f"plugins: {first}")
    boots(t)
    check(root.install("vendor/vmm-plugin-serial_*"), "the serial port of another release is not installed")
    upgraded = root.versions()
    check(upgraded == {**first, "serial.so": "0.99.0"} != first, f"after the upgrade: {upgraded}")
    boots(t)
    check(root.install("cpack/vmm-plugin-serial_*"), "the serial port of before is not installed")
    check(root.versions() == first, "not as before")
    check(not root.install("vendor/vmm-plugin-hello-port_0.2*"), "a plugin for a newer ABI is installed")
    root.remove("vmm-plugin-hello-port")
    check(root.install("vendor/vmm-plugin-hello-port_0.1*"), "the vendor's plugin is not installed")
    check(root.versions() == {**first, "hello-port.so": "0.1.0"}, "not the plugins of both")
    boots(t, device("hello-port", id="hello0"))
    guide(t, root)


def guide(t, root):
    """The device that docs/writing-a-plugin.md makes step by step, and what the page says that its guest prints."""
    copy = t.path("guide")
    shutil.copytree(f"{root.made}/guide", copy, ignore=shutil.ignore_patterns("CMakeFiles"))
    shutil.copy(f"{copy}/build/blinker.so", f"{root.path}/usr/lib/vmm/plugins")
    vmm = Vmm(t, ["-c", f"{copy}/guest.cfg"])
    vmm.ends(0)
    check(re.search("^on of$", vmm.text(), re.M), "the guest has not read what the device says")
    check("guest: /bin/read-port ended with 0" in vmm.text(), "the guest's program failed")
