# SPDX-License-Identifier: Apache-2.0
"""memory: what a VMM takes besides its guest's RAM, after the guest has used its disk and its card, and is idle."""

import time

from measure import guests
from measure.systems import Disk, Net

NAME, BED = "memory", "smp"
DISK_MIB, SETTLE_SECONDS = 16, 2
USE = (
    "dd if=/dev/zero of=/dev/vda bs=1M count=8 conv=fsync 2>/dev/null",
    "dd if=/dev/vda of=/dev/null bs=1M iflag=direct 2>/dev/null",
    "ip link set eth0 up; ip addr add {address}/24 dev eth0",
)


def run(bench):
    disk = bench.file("memory.img", DISK_MIB)

    def once(system, repetition):
        with bench.directory() as directory:
            guest = guests.agent(bench.settings, directory, disks=(Disk(disk),), nets=(Net("user"),))
            with bench.running(system, guest, directory) as vm:
                vm.wait_for(guests.READY)
                for command in USE:
                    vm.shell(command.format(address=system.user_network[0]))
                time.sleep(SETTLE_SECONDS)
                own, ram = vm.pss_kib(guest.memory_mib)
            bench.record(NAME, "besides the guest's RAM", system, own / 1024, "MiB", repetition)
            bench.record(NAME, "the guest's RAM that is there", system, ram / 1024, "MiB", repetition)

    bench.measure(NAME, once)
