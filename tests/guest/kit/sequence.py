# SPDX-License-Identifier: Apache-2.0
"""A guest that writes numbered records and says of each that it is on the disk; and whether they are on an image then."""

import contextlib
import os
import re
import subprocess

from .config import device
from .test import check, wait_until
from .vmm import start

FSCK_REPAIRED = 1  # e2fsck's status after it replayed a journal: all is well now
# What it may say of that. Anything else was broken before.
FSCK_LINES = re.compile(r"e2fsck |.*: (recovering journal$|Clearing orphaned inode |clean, |\d+/\d+ files )|$")


def writer(series, reset_after=None):
    """A job: records in a file, and beside it files that come and go; a reset in the middle of it if so asked."""
    write = f"sequence write /mnt/sequence {series}"
    if reset_after:
        reset = f'[ "$line" != "stored {reset_after}" ] || echo b >/proc/sysrq-trigger'
        write += f' | while read line; do echo "$line"; {reset}; done'
    return f"""
mkdir -p /mnt && mount -t ext4 /dev/vda /mnt
(while :; do for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=/mnt/$i bs=32k count=2; done; rm /mnt/[1-8]; done) 2>/dev/null &
set +x
{write}
"""


def start_writer(t, image, environment=None, series=1, reset_after=None, **options):
    """Starts a guest that writes to an image with a file system; options are those of the disk."""
    disk = device("virtio-blk", id="disk0", path=image, **options)
    # A program that loses writes looks for a file.
    machine = {"sandbox": "off"} if environment else {}
    # One processor: a guest with two hangs in one of some hundred boots (docs/testbed.md), and these are many.
    return start(t, writer(series, reset_after), [disk], environment, machine=machine)


def stored(vmm):
    """The last record that the guest was told to be on the disk."""
    return int((re.findall(r"^stored (\d+)\n", vmm.text(), re.M) or ["0"])[-1])


def wait_for_records(vmm, count):
    wait_until(lambda: stored(vmm) >= count or vmm.process.poll() is not None, f"{count} records are stored")
    check(stored(vmm) >= count, "the guest did not write")


def run(t, *words):
    """Returns status and output."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode(errors="replace")
    t.log(f"$ {' '.join(words)}: {done.returncode}\n{text}")
    return done.returncode, text


def command(t, *words):
    return run(t, *words)[0]


def new_file_system(t, name="disk.img", mib=48):
    image = t.disk(name, mib)
    check(command(t, "mke2fs", "-q", "-t", "ext4", "-F", image) == 0, "mke2fs failed")
    return image


def all_is_there(t, image, count, series=1):
    """Replays the journal, then: is the file system clean, and are the records 1 to count in the file?"""
    copy = f"{image}.sequence"
    with contextlib.suppress(FileNotFoundError):
        os.remove(copy)
    replay, said = run(t, "e2fsck", "-fp", image)
    sound = all(FSCK_LINES.match(line) for line in said.split("\n"))
    clean = command(t, "e2fsck", "-fn", image)
    command(t, "debugfs", "-R", f"dump /sequence {copy}", image)
    records = command(t, t.program("sequence"), "check", copy, str(series), str(count)) if os.path.exists(copy) else count
    return replay in (0, FSCK_REPAIRED) and sound and clean == 0 and records == 0
