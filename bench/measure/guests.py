# SPDX-License-Identifier: Apache-2.0
"""The guests that are measured: Debian's cloud kernel with one of two programs, and the small kernel of bench/guest."""

import os

from kit import initrd

from .systems import Guest

CMDLINE = "console=ttyS0 quiet panic=-1"
NO_SELF_TESTS = "cryptomgr.notests"  # nearly half of a boot where the processor is emulated, under any VMM
FIRST_LINE = "bench: init"
READY = r"^bench: ready$"
SMALL_MIB = 64

# The kernel's first program itself, so that nothing comes before its first line.
INIT = f"#!/bin/busybox sh\necho {FIRST_LINE}\nexec /bin/busybox sleep 100000\n"

# Of all runs of fio, in a guest and on the host.
FIO = "--ioengine=libaio --thread --time_based --norandommap --output-format=terse --terse-version=3"

# Runs the commands that come on the console. No prompt, no echo: each character costs exits.
AGENT = """#!/bin/sh
exec </dev/console >/dev/console 2>&1
stty -echo
mkdir -p /root
for disk in /dev/vd?; do
	mount -t ext4 -o ro "$disk" /root 2>/dev/null && break
done
if [ -x /root/usr/bin/fio ]; then
	mount --bind /dev /root/dev; mount --bind /proc /root/proc; mount -t tmpfs tmpfs /root/tmp
fi
# LATENCIES DEVICE SECONDS KIND,BLOCK,DEPTH...: one run of fio for jobs that follow each other. Here, because kvmtool's
# console loses parts of long commands.
fio_jobs() {
	options="$1 --filename=$2 --direct=1 --runtime=$3 FIO"
	shift 3
	for job in "$@"; do
		kind=${job%%,*} depth=${job##*,} block=${job#*,}
		options="$options --name=x --stonewall --rw=$kind --bs=${block%,*} --iodepth=$depth"
	done
	chroot /root /usr/bin/fio $options 2>/dev/null
}
echo 'bench: ready'
while read -r line; do
	(eval "$line")
	echo "bench: done $?"
done
""".replace("FIO", FIO)


def first_line(settings, directory, options="", **more):
    """A guest that prints FIRST_LINE as soon as its kernel, with these options, has come to its first program."""
    archive = initrd.with_script(settings["initrd"], INIT, os.path.join(directory, "initrd"))
    return Guest(settings["kernel"], archive, f"{CMDLINE} rdinit=/job {options}".strip(), **more)


def agent(settings, directory, **more):
    """A guest that loads its drivers and takes commands; a disk with programs is mounted at /root."""
    archive = initrd.with_script(settings["initrd"], AGENT, os.path.join(directory, "initrd"))
    return Guest(settings["kernel"], archive, f"{CMDLINE} {NO_SELF_TESTS} run=/job", **more)


def exit_loop(settings, what, **more):
    """The small kernel: `what` is "pio" or "mmio", which it times, or "wait", when it only says that it is there."""
    return Guest(settings["exits"], "", what, memory_mib=SMALL_MIB, debug_exit=True, **more)
