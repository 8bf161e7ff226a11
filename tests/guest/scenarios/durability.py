# SPDX-License-Identifier: Apache-2.0
"""What the guest was told to be on the disk is there after vmm was killed."""

import os
import re
import signal
import subprocess

from kit.config import device
from kit.test import check, scenario, wait_until
from kit.vmm import start

FSCK_REPAIRED = 1  # e2fsck's status after it replayed a journal: all is well now

# A sequence of synced records in a file, and beside it files that come and go.
WRITER = """
mkdir -p /mnt && mount -t ext4 /dev/vda /mnt
(while :; do for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=/mnt/$i bs=32k count=2; done; rm /mnt/[1-8]; done) 2>/dev/null &
set +x
sequence write /mnt/sequence
"""


def stored(vmm):
    """The last record that the guest was told to be on the disk."""
    return int((re.findall(r"^stored (\d+)\n", vmm.text(), re.M) or ["0"])[-1])


def command(t, *words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    t.log(f"$ {' '.join(words)}: {done.returncode}\n{done.stdout.decode(errors='replace')}")
    return done.returncode


def new_file_system(t):
    image = t.disk("disk.img", 48)
    check(command(t, "mke2fs", "-q", "-t", "ext4", "-F", image) == 0, "mke2fs failed")
    return image


def all_is_there(t, image, count):
    """Replays the journal, then: is the file system clean, and are the records 1 to count in the file?"""
    replay = command(t, "e2fsck", "-fp", image)
    clean = command(t, "e2fsck", "-fn", image)
    copy = t.path("sequence")
    command(t, "debugfs", "-R", f"dump /sequence {copy}", image)
    records = command(t, t.program("sequence"), "check", copy, str(count)) if os.path.exists(copy) else 1
    return replay in (0, FSCK_REPAIRED) and clean == 0 and records == 0


def run_and_kill(t, image, records, environment=None, then=None, **options):
    """Starts the writer and kills vmm after so many records; returns the last number that was stored."""
    vmm = start(t, WRITER, [device("virtio-blk", id="disk0", path=image, **options)], environment, cpus=2)
    wait_until(lambda: stored(vmm) >= records or vmm.process.poll() is not None, f"{records} records are stored")
    if then:
        then(vmm)
    vmm.signal(signal.SIGKILL)
    vmm.ends(-signal.SIGKILL)
    check(stored(vmm) >= records, "the guest did not write")
    return stored(vmm)


@scenario()
def kill_9_loses_nothing_with_io_uring(t):
    image = new_file_system(t)
    for records in (20, 40):
        count = run_and_kill(t, image, records, aio="io_uring")
        check(all_is_there(t, image, count), "a record that was stored is gone, or the file system is broken")


@scenario()
def kill_9_loses_nothing_with_workers(t):
    image = new_file_system(t)
    count = run_and_kill(t, image, 50, aio="worker")
    check(all_is_there(t, image, count), "a record that was stored is gone, or the file system is broken")


@scenario()
def a_disk_that_lies_is_found_out(t):
    """The other scenarios' check does fail when writes are confirmed and not done."""
    image = new_file_system(t)
    lose = t.path("lose")

    def lose_some(vmm):
        before = stored(vmm)
        open(lose, "w").close()
        wait_until(lambda: stored(vmm) >= before + 20 or vmm.process.poll() is not None, "20 more are stored")

    environment = {"LD_PRELOAD": t.program("faults.so"), "VMM_FAULT_LOSE": lose}
    count = run_and_kill(t, image, 20, environment, lose_some, aio="worker")
    check(not all_is_there(t, image, count), "lost writes were not noticed")
