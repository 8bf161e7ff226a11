# SPDX-License-Identifier: Apache-2.0
"""virtio-blk under a real driver: data comes back as it went, whatever the options."""

import glob
import os
import re

from kit.config import device
from kit.test import HOSTS, Failure, check, scenario
from kit.vmm import Vmm, halted, start, start_halted

EXIT_DEVICE = 6
# Programs of the host, from a disk: in an initramfs their many libraries would take memory and time.
TOOLS = """
mkdir -p /tools && mount -t ext4 -o ro /dev/vda /tools
mount --bind /dev /tools/dev && mount --bind /proc /tools/proc && mount -t tmpfs tmpfs /tools/tmp
"""


def tools_disk(t):
    return device("virtio-blk", id="tools", path=t.part("tools"), readonly=True)


def blk(t, name, mib=64, **options):
    return device("virtio-blk", id=name, path=t.disk(f"{name}.img", mib), **options)


# Gives all space of /dev/vdb back; it reads as zeroes then.
DISCARD = """
chroot /tools blkdiscard /dev/vdb
dd if=/dev/vdb bs=1M iflag=direct | tr -d '\\0' | wc -c >/left
[ $(cat /left) = 0 ]
"""


def check_is_empty(path):
    used = os.stat(path).st_blocks * 512
    check(used < 1 << 20, f"after a discard of everything the image still takes {used} bytes")


@scenario()
def fio_verify_with_io_uring(t):
    """Random writes of several sizes, verified, then trims that give the space back and read as zeroes."""
    job = f"""
        {TOOLS}
        chroot /tools fio --name=verify --filename=/dev/vdb --direct=1 --ioengine=libaio --iodepth=16 --thread \\
            --rw=randwrite --bsrange=512-64k --bs_unaligned=0 --blockalign=512 --size=24M --verify=crc32c \\
            --verify_fatal=1 --verify_state_save=0 --output-format=terse --output=/tmp/out
    """
    start(t, job + DISCARD, [tools_disk(t), blk(t, "disk", aio="io_uring")], cpus=2).job_passes()
    check_is_empty(t.path("disk.img"))


@scenario()
def fio_verify_on_an_image_in_memory(t):
    """Two vCPUs at once: what each of them serves itself, and what that leaves to the loop, as it is too large or it is busy."""
    job = f"""
        {TOOLS}
        for depth in 1 16; do
            chroot /tools fio --name=verify --filename=/dev/vdb --direct=1 --ioengine=libaio --iodepth=$depth --thread \\
                --numjobs=2 --offset_increment=32M --rw=randrw --bsrange=512-128k --bs_unaligned=0 --blockalign=512 \\
                --size=8M --verify=crc32c --verify_fatal=1 --verify_state_save=0 --output-format=terse --output=/tmp/out
        done
    """
    path = t.disk_in_memory("disk.img", 64)
    disk = device("virtio-blk", id="disk", path=path, queues=2, iothread="io1")
    start(t, job + DISCARD, [tools_disk(t), disk], cpus=2, iothreads=["io1"]).job_passes()
    check_is_empty(path)


def sleeps_of(vmm, thread):
    """How often a thread of vmm has gone to sleep."""
    for task in glob.glob(f"/proc/{vmm.process.pid}/task/*"):
        with open(f"{task}/comm") as name, open(f"{task}/status") as status:
            if name.read().strip() == thread:
                return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read(), re.MULTILINE)[1])
    raise Failure(f"no thread {thread}")


@scenario()
def small_requests_of_an_image_in_memory_wake_no_thread(t):
    """Whoever waits for each read has it done on its vCPU; but for a try now and then the disk's thread sleeps on."""
    job = """
        set +x
        echo before; sleep 1
        dd if=/dev/vda of=/dev/null bs=4k count=1000 iflag=direct
        echo after; sleep 1
    """
    disk = device("virtio-blk", id="disk", path=t.disk_in_memory("disk.img", 8), iothread="io1")
    vmm = start(t, job, [disk], iothreads=["io1"])
    vmm.wait_for("^before$")
    before = sleeps_of(vmm, "io1")
    vmm.wait_for("^after$")
    sleeps = sleeps_of(vmm, "io1") - before
    check(sleeps < 300, f"the disk's thread has slept {sleeps} times in 1000 reads")
    vmm.job_passes()


@scenario()
def fio_verify_on_an_iothread_with_queues_and_direct(t):
    job = f"""
        {TOOLS}
        [ $(ls /sys/block/vdb/mq | wc -l) = 2 ]
        chroot /tools fio --name=verify --filename=/dev/vdb --direct=1 --ioengine=libaio --iodepth=16 --thread \\
            --numjobs=2 --offset_increment=32M --rw=randrw --bs=4k --size=8M --verify=crc32c --verify_fatal=1 \\
            --verify_state_save=0 --output-format=terse --output=/tmp/out
        ip addr add 10.0.2.15/24 dev eth0
        ip link set eth0 up
        ping -c 3 10.0.2.2
    """
    disk = blk(t, "disk", queues=2, direct=True, iothread="io1")
    net = device("virtio-net", id="net0", iothread="io2")
    start(t, job, [tools_disk(t), disk, net], cpus=2, iothreads=["io1", "io2"]).job_passes()


@scenario()
def two_disks_and_two_cards(t):
    job = """
        [ $(blockdev --getsize64 /dev/vda) = $((8 << 20)) ]
        [ $(blockdev --getsize64 /dev/vdb) = $((16 << 20)) ]
        [ $(cat /sys/block/vda/serial) = first ] && [ $(cat /sys/block/vdb/serial) = second ]
        echo one | dd of=/dev/vda conv=fsync
        echo two | dd of=/dev/vdb conv=fsync
        [ $(cat /sys/class/net/eth0/address) = 52:54:00:00:00:01 ]
        [ $(cat /sys/class/net/eth1/address) = 52:54:00:00:00:02 ]
        for n in 0 1; do
            ip addr add 10.0.$n.15/24 dev eth$n
            ip link set eth$n up
            ping -c 2 10.0.$n.2
        done
    """
    devices = [
        blk(t, "first", 8),
        blk(t, "second", 16),
        device("virtio-net", id="net0", mac="52:54:00:00:00:01", network="10.0.0.0/24"),
        device("virtio-net", id="net1", mac="52:54:00:00:00:02", network="10.0.1.0/24"),
    ]
    start(t, job, devices, cpus=2).job_passes()
    for name, text in (("first", b"one\n"), ("second", b"two\n")):
        with open(t.path(f"{name}.img"), "rb") as image:
            check(image.read(4) == text, f"{name}.img does not start with {text!r}")


@scenario()
def readonly_disk_is_not_written(t):
    job = """
        [ $(cat /sys/block/vda/ro) = 1 ]
        ! dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct
        blockdev --setrw /dev/vda || true
        ! dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct
        [ $(dd if=/dev/vda bs=4 count=1) = data ]
    """
    disk = blk(t, "disk", 1, readonly=True)
    with open(disk["path"], "r+b") as image:
        image.write(b"data")
    os.chmod(disk["path"], 0o400)
    start(t, job, [disk]).job_passes()


@scenario()
def cache_modes_tell_the_guest_what_to_flush(t):
    job = """
        [ "$(cat /sys/block/vda/queue/write_cache)" = "write back" ]
        [ "$(cat /sys/block/vdb/queue/write_cache)" = "write through" ]
        [ "$(cat /sys/block/vdc/queue/write_cache)" = "write through" ]
        for d in vda vdb vdc; do
            mke2fs -F /dev/$d
            mount -t ext4 /dev/$d /mnt || { mkdir -p /mnt; mount -t ext4 /dev/$d /mnt; }
            dd if=/dev/urandom of=/mnt/file bs=64k count=16 conv=fsync
            umount /mnt
        done
        echo "write through" >/sys/block/vda/cache_type
        [ "$(cat /sys/block/vda/queue/write_cache)" = "write through" ]
        dd if=/dev/zero of=/dev/vda bs=64k count=4 conv=fsync
    """
    disks = [blk(t, mode, 16, cache=mode) for mode in ("writeback", "writethrough", "unsafe")]
    vmm = start(t, job, disks)
    vmm.job_passes()
    check("unsafe" in vmm.log_text(), "no warning about cache = unsafe")


@scenario(HOSTS)
def file_on_a_disk_survives_a_new_start(t):
    """Written, synced, powered off; the next machine reads it."""
    disk = blk(t, "disk", 32)
    write = """
        mke2fs -F /dev/vda
        mkdir -p /mnt && mount -t ext4 /dev/vda /mnt
        seq 100000 >/mnt/numbers && sync && umount /mnt
    """
    read = """
        mkdir -p /mnt && mount -t ext4 -o ro /dev/vda /mnt
        seq 100000 | cmp - /mnt/numbers
    """
    start(t, write, [disk]).job_passes()
    start(t, read, [disk]).job_passes()


@scenario()
def an_image_in_use_is_refused(t):
    disk = blk(t, "disk", 8)
    start_halted(t, [disk])
    second = Vmm(t, ["-c", halted(t, [disk])])
    second.ends(EXIT_DEVICE)
    check("disk.img" in second.log_text(), "the error does not name the image")
