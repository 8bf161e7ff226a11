# SPDX-License-Identifier: Apache-2.0
"""What a running vmm has left of its privileges, seen from outside."""

import os
import signal

from kit.config import device
from kit.test import HOSTS, check, scenario
from kit.vmm import start_halted

SECCOMP_FILTER = "2"


def status(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def check_threads(vmm):
    for thread in os.listdir(f"/proc/{vmm.pid}/task"):
        facts = status(vmm.pid, thread)
        if facts["Name"].startswith(("iou-", "vhost-", "kvm-")):
            continue
        for key in ("CapEff", "CapPrm", "CapInh", "CapBnd"):
            check(int(facts[key], 16) == 0, f"thread {facts['Name']} has {key} {facts[key]}")
        check(facts["NoNewPrivs"] == "1", f"thread {facts['Name']} may get new privileges")
        check(facts["Seccomp"] == SECCOMP_FILTER, f"thread {facts['Name']} has no system call filter")


@scenario(HOSTS)
def a_running_vmm_has_no_privileges(t):
    disk = device("virtio-blk", id="disk0", path=t.disk("disk.img", 8))
    vmm = start_halted(t, [disk], iothreads=["io0"])
    check_threads(vmm)
    check(os.listdir(f"/proc/{vmm.pid}/root/") == [], "vmm sees files")
    net = os.readlink(f"/proc/{vmm.pid}/ns/net")
    check(net != os.readlink("/proc/self/ns/net"), "vmm has the network of the host")
    vmm.signal(signal.SIGTERM)
    vmm.ends(0)


@scenario()
def a_strict_sandbox_with_another_user(t):
    vmm = start_halted(t, [device("virtio-net", id="net0")], machine={"sandbox": "strict", "user": "nobody"})
    check_threads(vmm)
    check(status(vmm.pid, vmm.pid)["Uid"].split()[1] != "0", "vmm is still root")
    check(os.listdir(f"/proc/{vmm.pid}/root/etc") in ([], ["resolv.conf"]), "vmm sees files of /etc")
    vmm.signal(signal.SIGTERM)
    vmm.ends(0)
