# SPDX-License-Identifier: Apache-2.0
"""blk: fio in the guest on raw images, in memory and on a disk; vmm with each of its two ways to read files. And fio on
those images without a guest."""

import itertools
import subprocess

from measure import guests

from . import serving

NAME, BED = "blk", "smp"
JOBS = (
    ("randread", "4k", 1),
    ("randread", "4k", 32),
    ("randwrite", "4k", 1),
    ("randwrite", "4k", 32),
    ("read", "128k", 8),
    ("write", "128k", 8),
)
QUICK_JOBS = (("randread", "4k", 1), ("randwrite", "4k", 32))
PLACES, QUICK_PLACES = ("tmpfs", "disk"), ("tmpfs",)
BACKENDS = ("io_uring", "worker")
SECONDS = 1
# A disk of the guest's own kernel that ends each request at once: what is left is the guest.
NULL, NULL_DEVICE = "null_blk in the guest", "/dev/nullb0"
NULL_LOAD = "for m in configfs null_blk; do insmod /root/modules/$m.ko 2>/dev/null; done; [ -b /dev/nullb0 ]"
HOST = "host"  # a system that is none: fio there
READ_IOPS, WRITE_IOPS = 7, 48  # fields of fio's terse output, version 3


def fio(jobs, device, seconds, latencies=False):
    """A command of the guest for jobs that follow each other: fio's start takes seconds in the testbed."""
    words = [",".join(map(str, job)) for job in jobs]
    return " ".join(["fio_jobs", f"--gtod_reduce={int(not latencies)}", device, str(seconds), *words])


def fio_on_host(jobs, path, seconds, direct):
    """The command for the same jobs on the image itself."""
    command = ["fio", "--gtod_reduce=1", f"--filename={path}", f"--direct={int(direct)}", f"--runtime={seconds}"]
    command += guests.FIO.split()
    for kind, block, depth in jobs:
        command += ["--name=x", "--stonewall", f"--rw={kind}", f"--bs={block}", f"--iodepth={depth}"]
    return command


def parse_iops(text):
    """Requests in a second of each job from fio's terse output: reads and writes together."""
    lines = [line.split(";") for line in text.splitlines() if line.startswith("3;fio")]
    return [float(fields[READ_IOPS]) + float(fields[WRITE_IOPS]) for fields in lines]


def run(bench):
    jobs, places = (QUICK_JOBS, QUICK_PLACES) if bench.quick else (JOBS, (*PLACES, serving.EMPTY, NULL))

    def bound(guest, place, device, repetition):
        for (kind, block, depth), iops in zip(jobs, parse_iops(guest.vm.shell(fio(jobs, device, SECONDS)))):
            bench.record(NAME, f"{place}: {kind} {block} depth {depth}", guest.system, iops, "IOPS", repetition)

    def compare(system, place, backends, every, repetition):
        for ((kind, block, depth), iops), ours in itertools.product(zip(jobs, every), backends):
            bench.record(NAME, f"{place}, {ours}: {kind} {block} depth {depth}", system, iops, "IOPS", repetition)

    def without_guest(path, place, repetition):
        command = fio_on_host(jobs, path, SECONDS, direct=place == "disk")
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        compare(HOST, place, BACKENDS, parse_iops(done.stdout), repetition)

    def once(guest, place, repetition):
        if place == NULL:
            guest.vm.shell(NULL_LOAD)
            return bound(guest, place, NULL_DEVICE, repetition)
        if place == serving.EMPTY:
            if guest.system.has_empty_disks:
                bound(guest, place, guest.disks[place, ""], repetition)
            return
        for backend in (each for where, each in guest.disks if where == place):
            every = parse_iops(guest.vm.shell(fio(jobs, guest.disks[place, backend], SECONDS)))
            # The others have one way, which is compared with both of ours.
            compare(guest.system, place, (backend,) if guest.system is bench.vmm else BACKENDS, every, repetition)
        if guest.system is bench.vmm and not bench.quick:
            without_guest(guest.files[place, BACKENDS[0]], place, repetition)

    serving.in_turn(bench, NAME, serving.repeats(bench), places, once)
