# SPDX-License-Identifier: Apache-2.0
"""blk: fio in the guest on raw images, in memory and on a disk; vmm with each of its two ways to read files."""

import itertools

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
SECONDS, QUICK_SECONDS = 3, 1
READ_IOPS, WRITE_IOPS = 7, 48  # fields of fio's terse output, version 3


def fio(job, device, seconds, more="--gtod_reduce=1"):
    kind, block, depth = job
    return (
        f"/usr/bin/fio --name=x --filename={device} --direct=1 --ioengine=libaio --thread --rw={kind} --bs={block}"
        f" --iodepth={depth} --time_based --runtime={seconds} --norandommap --output-format=terse"
        f" --terse-version=3 {more} 2>/dev/null"
    )


def parse_iops(text):
    """Requests in a second from fio's terse output: reads and writes together."""
    line = next(line for line in text.splitlines() if line.startswith("3;fio"))
    fields = line.split(";")
    return float(fields[READ_IOPS]) + float(fields[WRITE_IOPS])


def run(bench):
    jobs, places, seconds = (QUICK_JOBS, QUICK_PLACES, QUICK_SECONDS) if bench.quick else (JOBS, PLACES, SECONDS)

    def once(guest, step, repetition):
        place, job = step
        for backend in (each for where, each in guest.disks if where == place):
            iops = parse_iops(guest.tool(fio(job, guest.disks[place, backend], seconds)))
            # The others have one way, which is compared with both of ours.
            for ours in (backend,) if guest.system is bench.vmm else BACKENDS:
                case = f"{place}, {ours}: {job[0]} {job[1]} depth {job[2]}"
                bench.record(NAME, case, guest.system, iops, "IOPS", repetition)

    serving.in_turn(bench, NAME, bench.repeats, list(itertools.product(places, jobs)), once)
