# SPDX-License-Identifier: Apache-2.0
"""What the guest was told to be on the disk is there after the machine below vmm lost its power, at any moment: with
the page cache that vmm writes to, the disk forgets what was not flushed. A cut is not made but worked out, from what the disk
was told before that moment: so one run of a guest is good for many cuts."""

import concurrent.futures
import contextlib
import os
import random
import signal
import subprocess
import threading
import time

from kit import power
from kit.sequence import all_is_there, command, new_file_system, start_writer, stored
from kit.test import PATIENCE, Failure, Skip, check, scenario

LOOK_SECONDS = 0.02
CUTS_LONG = 40
RECORDS_LONG = 300
OUTER_MIB = 96
NO_SYNC = {"VMM_FAULT_SYNC": "1"}


class Written:
    """What a guest wrote to a disk; `moments` has [(place in the disk's log, records that were acknowledged before)]."""

    def __init__(self, disk, moments, is_file):
        self.first, self.log = disk.first, disk.log[:]
        self.moments, self.is_file = moments, is_file

    def acknowledged(self, place):
        return max((count for at, count in self.moments if at <= place), default=0)


def watch(vmm, disk, records):
    """Looks at the console, then at the log: so each record that was seen was acknowledged before that place of the log."""
    moments, end = [(len(disk.log), 0)], time.monotonic() + PATIENCE
    while moments[-1][1] < records:
        count = stored(vmm)
        if count > moments[-1][1]:
            moments.append((len(disk.log), count))
            end = time.monotonic() + PATIENCE
        check(vmm.process.poll() is None, "vmm ended")
        check(time.monotonic() < end, f"not within {PATIENCE} s: a record behind {count} of {records} is stored")
        time.sleep(LOOK_SECONDS)
    return moments


@contextlib.contextmanager
def image_in_a_file(t, device):
    """An image in a file system on the device. Mounted without a note of it, which would be a file in /run."""
    folder = t.path("mounted")
    os.mkdir(folder)
    check(command(t, "mke2fs", "-q", "-t", "ext4", "-F", device) == 0, "mke2fs failed")
    check(command(t, "mount", "-n", device, folder) == 0, "mount failed")
    try:
        image = new_file_system(t, "mounted/disk.img")
        os.sync()
        yield image
    finally:
        command(t, "umount", "-n", folder)


def write(t, records, is_file=False, faults=None, **options):
    """Has a guest write so many records; to the device, or to a file on it."""
    subprocess.run(["modprobe", "nbd"], check=False)
    environment = {"LD_PRELOAD": t.program("faults.so"), **faults} if faults else None
    if is_file:
        content = bytes(OUTER_MIB << 20)
    else:
        with open(new_file_system(t), "rb") as file:
            content = file.read()
    disk = power.Disk(content)
    with disk.attached() as device:
        if not device:
            raise Skip("no network block device here, which takes root and the kernel's module nbd")
        with image_in_a_file(t, device) if is_file else contextlib.nullcontext(device) as image:
            vmm = start_writer(t, image, environment, **options)
            written = Written(disk, watch(vmm, disk, records), is_file)
            vmm.signal(signal.SIGKILL)
            vmm.ends(-signal.SIGKILL)
    return written


def survives(t, written, content, count, name):
    """Is all that was acknowledged in this content of the disk?"""
    image = power.write_sparse(content, t.path(f"{name}.img"))
    try:
        if written.is_file:
            command(t, "e2fsck", "-fp", image)
            inner = t.path(f"{name}.inner.img")
            command(t, "debugfs", "-R", f"dump /disk.img {inner}", image)
            os.replace(inner, image)
        return all_is_there(t, image, count)
    except FileNotFoundError:
        return False
    finally:
        os.remove(image)


def losses(t, written, cuts, syncs=0):
    """Of so many cuts and so many moments right behind a flush: those that lost something, as text."""
    first, last = written.moments[0][0], len(written.log)
    places = [(random.randint(first, last), random.randrange(1 << 32)) for _ in range(cuts - 1)] + [(last, 0)]
    flushes = [place + 1 for place in range(first, last) if written.log[place] is None]
    places += [(place, None) for place in random.sample(flushes, min(syncs, len(flushes)))]
    states, lock, lost = power.States(written.first, written.log), threading.Lock(), []
    todo = iter(sorted(places, key=lambda place: place[0]))

    def work(number):
        while True:
            with lock:
                place, seed = next(todo, (None, None))
                if place is None:
                    return
                content = states.in_order(place) if seed is None else states.after_cut(place, seed)
            count = written.acknowledged(place)
            if not survives(t, written, content, count, f"cut-{number}"):
                lost.append(f"{count} records, place {place} of {last}, seed {seed}")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(work, number) for number in range(os.cpu_count())]:
            done.result()
    return lost


def check_cuts(t, written, cuts, syncs):
    lost = losses(t, written, cuts, syncs)
    if lost:
        raise Failure(f"a power cut lost what was acknowledged, or broke the file system: {'; '.join(lost)}")


@scenario()
def td_te_a_power_cut_loses_nothing(t):
    check_cuts(t, write(t, 30), cuts=3, syncs=3)


@scenario()
def td_a_vmm_that_does_not_sync_is_found_out(t):
    """The other scenarios' check does fail when flushes are confirmed and not done."""
    check(losses(t, write(t, 20, faults=NO_SYNC, aio="worker"), cuts=2), "lost writes were not noticed")


@scenario(long=True)
def td_te_many_power_cuts_lose_nothing_with_io_uring(t):
    check_cuts(t, write(t, RECORDS_LONG, is_file=True, aio="io_uring"), CUTS_LONG, CUTS_LONG)


@scenario(long=True)
def td_te_many_power_cuts_lose_nothing_with_workers(t):
    check_cuts(t, write(t, RECORDS_LONG, is_file=True, aio="worker"), CUTS_LONG, CUTS_LONG)


@scenario(long=True)
def td_te_many_power_cuts_lose_nothing_with_direct_io(t):
    check_cuts(t, write(t, RECORDS_LONG, direct=True), CUTS_LONG, CUTS_LONG)


@scenario(long=True)
def td_te_many_power_cuts_lose_nothing_in_writethrough_mode(t):
    check_cuts(t, write(t, RECORDS_LONG, cache="writethrough"), CUTS_LONG, CUTS_LONG)


@scenario(long=True)
def td_an_unsafe_disk_is_found_out(t):
    check(losses(t, write(t, RECORDS_LONG, cache="unsafe"), CUTS_LONG // 4), "lost writes were not noticed")
