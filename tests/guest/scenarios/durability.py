# SPDX-License-Identifier: Apache-2.0
"""What the guest was told to be on the disk is there after vmm was killed, or the guest reset, in the middle of writes."""

import random
import signal
import time

from kit.sequence import all_is_there, new_file_system, start_writer, stored, wait_for_records
from kit.test import check, scenario
from kit.vmm import start

from .disk import DISCARD, TOOLS, blk, check_is_empty, tools_disk

EXIT_RESET = 10
KILLS = 50  # with each back end
RESETS = 20
RECORDS_MAX = 40


def run_and_kill(t, image, records, environment=None, then=None, **options):
    """Starts the writer and kills vmm after so many records; returns the last number that was stored."""
    vmm = start_writer(t, image, environment, **options)
    wait_for_records(vmm, records)
    if then:
        then(vmm)
    vmm.signal(signal.SIGKILL)
    vmm.ends(-signal.SIGKILL)
    return stored(vmm)


def check_all(t, image, count, series=1):
    check(all_is_there(t, image, count, series), "a record that was stored is gone, or the file system is broken")


@scenario()
def kill_9_loses_nothing_with_io_uring(t):
    image = new_file_system(t)
    check_all(t, image, run_and_kill(t, image, 40, aio="io_uring"))


@scenario()
def kill_9_loses_nothing_with_workers(t):
    image = new_file_system(t)
    check_all(t, image, run_and_kill(t, image, 50, aio="worker"))


@scenario()
def a_disk_that_lies_is_found_out(t):
    """The other scenarios' check does fail when writes are confirmed and not done."""
    image = new_file_system(t)
    lose = t.path("lose")

    def lose_some(vmm):
        before = stored(vmm)
        open(lose, "w").close()
        wait_for_records(vmm, before + 20)

    environment = {"LD_PRELOAD": t.program("faults.so"), "VMM_FAULT_LOSE": lose}
    count = run_and_kill(t, image, 20, environment, lose_some, aio="worker")
    check(not all_is_there(t, image, count), "lost writes were not noticed")


def reset_and_check(t, image, records, series=1, **options):
    vmm = start_writer(t, image, series=series, reset_after=records, **options)
    vmm.ends(EXIT_RESET)
    check("sysrq: Resetting" in vmm.text(), "the guest did not write")
    # It came when `records` were stored, but the console may not have said so of the last ones by then.
    check_all(t, image, max(stored(vmm), records), series)


@scenario()
def v11_a_reset_in_the_middle_of_writes_loses_nothing(t):
    reset_and_check(t, new_file_system(t), 30)


LOAD = """chroot /tools fio --name=load --filename=/dev/vdb --direct=1 --ioengine=libaio --iodepth=8 --thread --eta=never \\
    --bs=4k --size=16M --verify=crc32c --verify_fatal=1 --randseed=7 --aux-path=/tmp --output-format=terse --output=/tmp/out"""
STATE = "/tools/tmp/local-load-0-verify.state"


@scenario()
def tf_a_verifying_load_goes_on_behind_a_kill(t):
    """What fio had been told to be written, which it notes, is there for the fio of the next guest."""
    write = f"""
        {TOOLS}
        set +x
        (while [ $(awk '{{ print $5 }}' /sys/block/vdb/stat) -lt 200 ]; do usleep 20000; done; touch /tools/tmp/go) &
        {LOAD} --rw=randwrite --do_verify=0 --verify_state_save=1 --rate_iops=1000 --trigger-file=/tmp/go --trigger=true
        echo "state $(base64 -w 0 {STATE}) end"
        while :; do dd if=/dev/zero of=/dev/vdb bs=64k count=64 seek=512 oflag=direct; done 2>/dev/null
    """
    read = """
        %s
        echo %s | base64 -d >%s
        %s --rw=randread --verify_state_load=1
        [ $(awk '{ print $1 }' /sys/block/vdb/stat) -ge 200 ]
    """
    disks = [tools_disk(t), blk(t, "disk", aio="worker")]
    vmm = start(t, write, disks)
    state = vmm.wait_for(r"^state (\S+) end$")[1]
    vmm.signal(signal.SIGKILL)
    vmm.ends(-signal.SIGKILL)
    start(t, read % (TOOLS, state, STATE, LOAD) + DISCARD, disks).job_passes()
    check_is_empty(t.path("disk.img"))


def many_kills(t, **options):
    """One file system through all of them; each guest begins with the journal of the one that was killed."""
    image = new_file_system(t)
    for series in range(1, KILLS + 1):
        records = random.randint(1, RECORDS_MAX)
        pause = random.random() / 10
        count = run_and_kill(t, image, records, then=lambda vmm: time.sleep(pause), series=series, **options)
        check_all(t, image, count, series)


@scenario(long=True)
def tc_fifty_kills_with_io_uring_lose_nothing(t):
    many_kills(t, aio="io_uring")


@scenario(long=True)
def tc_fifty_kills_with_workers_lose_nothing(t):
    many_kills(t, aio="worker")


@scenario(long=True)
def v11_many_resets_in_the_middle_of_writes_lose_nothing(t):
    image = new_file_system(t)
    for series in range(1, RESETS + 1):
        reset_and_check(t, image, random.randint(1, RECORDS_MAX), series, cache=random.choice(("writeback", "writethrough")))
