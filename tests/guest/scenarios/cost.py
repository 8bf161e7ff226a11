# SPDX-License-Identifier: Apache-2.0
"""What vmm costs beyond the guest: processor time when it is idle, memory."""

import os
import re
import time

from kit.config import device
from kit.test import check, scenario
from kit.vmm import start

IDLE_SECONDS = 6
# The guest's own timers wake it a few times in a second. A thread that spins takes 6 s and a poll each ms over 0.6 s,
# also where the processor is emulated.
IDLE_BUDGET_SECONDS = 0.3
MEMORY_BUDGET_KIB = 8 * 1024


def devices(t):
    return [
        device("virtio-blk", id="disk0", path=t.disk("disk.img", 8)),
        device("virtio-net", id="net0", backend="user"),
        device("virtio-rng", id="rng0"),
    ]


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@scenario()
def an_idle_guest_costs_no_processor_time(t):
    """With a disk, a card and a console, all used before."""
    job = """
        dd if=/dev/zero of=/dev/vda bs=64k count=16 conv=fsync
        ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ping -c 1 10.0.2.2
        echo ready; sleep 1000
    """
    vmm = start(t, job, devices(t))
    vmm.wait_for("^ready")
    time.sleep(3)  # the network says that it is there
    before = processor_seconds(vmm.pid)
    time.sleep(IDLE_SECONDS)
    used = processor_seconds(vmm.pid) - before
    t.log(f"{used:.2f} s of processor time in {IDLE_SECONDS} s")
    check(used <= IDLE_BUDGET_SECONDS, f"an idle guest took {used:.2f} s of {IDLE_SECONDS} s")


def own_pss_kib(pid, ram_bytes):
    """Proportional set size of all mappings but the guest's RAM, which is the one of that size."""
    total, ram, ram_mappings = 0, False, 0
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            if mapping := re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line):
                ram = int(mapping[2], 16) - int(mapping[1], 16) == ram_bytes
                ram_mappings += ram
            elif re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                ram = False
            elif line.startswith("Pss:") and not ram:
                total += int(line.split()[1])
    check(ram_mappings == 1, f"{ram_mappings} mappings have the size of the guest's RAM")
    return total


@scenario()
def vmm_takes_at_most_8_MiB_besides_the_guest(t):
    """1 vCPU, 256 MiB, a disk, a card; after they were used."""
    job = """
        dd if=/dev/zero of=/dev/vda bs=1M count=8 conv=fsync
        dd if=/dev/vda of=/dev/null bs=1M iflag=direct
        ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ping -c 3 10.0.2.2
        echo ready; sleep 1000
    """
    vmm = start(t, job, devices(t), cpus=1, memory="256M")
    vmm.wait_for("^ready")
    used = own_pss_kib(vmm.pid, 256 << 20)
    t.log(f"{used} KiB of its own")
    check(used <= MEMORY_BUDGET_KIB, f"vmm takes {used} KiB besides the guest's RAM")
