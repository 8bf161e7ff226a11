# SPDX-License-Identifier: Apache-2.0
"""Ways in which a machine ends or starts again: the guest's wish, signals, and what is on the disk then."""

import fcntl
import os
import signal
import struct
import time

from kit.config import device
from kit.test import HOSTS, Failure, Skip, check, scenario, wait_until
from kit.vmm import Vmm, halted, start, start_halted

EXIT_RESET = 10
EXIT_INTERNAL = 14
EXIT_SIGINT = 130
SPIN = "set +x; for i in $(seq $(nproc)); do while :; do :; done & done; echo ready; wait"
# A stop takes some hundredths of a second where nothing is emulated.
SOON = 15


@scenario(HOSTS)
def reboot_gives_its_exit_status(t):
    start(t, "reboot -f", cpus=2).ends(EXIT_RESET)


@scenario()
def reboot_by_the_keyboard_controller(t):
    Vmm(t, ["-c", halted(t, cmdline="reset")]).ends(EXIT_RESET)


@scenario()
def reboot_starts_the_machine_again(t):
    """on_reset = "restart": a second start with the same disk."""
    job = """
        count=$(tr -d '\\0' </dev/vda)
        echo "start number ${count:-1}"
        [ "$count" ] && exit 0
        echo 2 | dd of=/dev/vda bs=512 conv=sync,fsync
        reboot -f
    """
    disk = device("virtio-blk", id="disk0", path=t.disk("disk.img", 1))
    net = device("virtio-net", id="net0")
    vmm = start(t, job, [disk, net], cpus=2, machine={"on_reset": "restart"})
    vmm.job_passes()
    check(vmm.text().count("\nstart number") == 2, "the machine did not start twice")


@scenario()
def triple_fault_starts_the_machine_again(t):
    """on_reset = "restart": as a processor that shuts down is reset; and a stop is a stop all the same."""
    vmm = Vmm(t, ["-c", halted(t, cmdline="triple", machine={"on_reset": "restart"})])
    wait_until(lambda: vmm.text().count("cmdline=") >= 3, "the machine starts again and again")
    vmm.signal(signal.SIGTERM)
    # One that was just starting ends by the signal.
    check(vmm.process.wait(SOON) in (0, -signal.SIGTERM), f"vmm ended with {vmm.process.returncode}")


@scenario()
def v3_what_kvm_cannot_emulate_ends_the_machine(t):
    """Code in no memory: a status of its own, and one line that says where."""
    vmm = Vmm(t, ["-c", halted(t, cmdline="nowhere")])
    vmm.ends(EXIT_INTERNAL)
    check(vmm.log_text().count("an instruction could not be emulated") == 1, "the log does not say why, or more than once")


@scenario()
def v2_a_guest_that_powers_off_has_its_disk_flushed(t):
    disk = t.disk("disk.img", 64)
    job = "dd if=/dev/zero of=/dev/vda bs=1M count=16 oflag=direct; poweroff -f"
    start(t, job, [device("virtio-blk", id="disk0", path=disk)]).ends(0)
    check(not not_yet_on_disk(disk), "data of the guest was not flushed")


@scenario()
def sigpwr_presses_the_power_button(t):
    job = """
        mkdir -p /etc/acpi/PWRF
        printf '#!/bin/sh\\necho pressed; poweroff -f\\n' >/etc/acpi/PWRF/00000080
        chmod +x /etc/acpi/PWRF/00000080
        acpid -d -f &
        sleep 1
        echo ready
        sleep 1000
    """
    vmm = start(t, job)
    vmm.wait_for("^ready")
    vmm.signal(signal.SIGPWR)
    vmm.wait_for("^pressed")
    vmm.ends(0)


def ends_soon(vmm, number, status):
    sent = vmm.signal(number)
    vmm.ends(status, SOON)
    vmm.test.log(f"ended {time.monotonic() - sent:.2f} s after the signal")


@scenario(HOSTS)
def sigterm_while_all_vcpus_spin(t):
    vmm = start(t, SPIN, cpus=2)
    vmm.wait_for("^ready")
    ends_soon(vmm, signal.SIGTERM, 0)


@scenario()
def sigterm_while_the_guest_is_halted_for_ever(t):
    """The kernel halts with interrupts off: nothing but the signal can end this."""
    ends_soon(start_halted(t, cpus=2), signal.SIGTERM, 0)


@scenario()
def sigint(t):
    ends_soon(start_halted(t), signal.SIGINT, EXIT_SIGINT)


def not_yet_on_disk(path):
    """True if the host has data of the file in memory that has no place on the disk yet."""
    fs_ioc_fiemap, extents, delayed = 0xC020660B, 64, 0x4
    answer = bytearray(struct.pack("=QQLLLL", 0, 2**63 - 1, 0, 0, extents, 0) + bytes(56 * extents))
    with open(path, "rb") as file:
        try:
            fcntl.ioctl(file, fs_ioc_fiemap, answer)
        except OSError:
            raise Skip(f"the file system of {path} does not tell where data is") from None
    count = struct.unpack_from("=L", answer, 20)[0]
    flags = [struct.unpack_from("=L", answer, 32 + 56 * i + 40)[0] for i in range(count)]
    return any(f & delayed for f in flags)


@scenario()
def sigterm_flushes_the_disk(t):
    """What the guest wrote and did not flush is on the host's disk when vmm has ended."""
    disk = t.disk("disk.img", 64)
    job = "dd if=/dev/zero of=/dev/vda bs=1M count=16 oflag=direct; echo ready; sleep 1000"
    vmm = start(t, job, [device("virtio-blk", id="disk0", path=disk)])
    vmm.wait_for("^ready")
    check(not_yet_on_disk(disk), "the host flushed the data by itself: this shows nothing")
    ends_soon(vmm, signal.SIGTERM, 0)
    check(not not_yet_on_disk(disk), "data of the guest was not flushed")


@scenario()
def a_second_signal_ends_at_once(t):
    """Also while a disk does not finish its flush."""
    hang = t.path("hang")
    disk = device("virtio-blk", id="disk0", path=t.disk("disk.img", 8), aio="worker")
    # The program that makes the disk hang looks for a file.
    machine = {"sandbox": "off"}
    job = "dd if=/dev/zero of=/dev/vda bs=4k count=16 oflag=direct; echo ready; sleep 1000"
    faults = {"LD_PRELOAD": t.program("faults.so"), "VMM_FAULT_HANG": hang}
    vmm = start(t, job, [disk], environment=faults, machine=machine)
    vmm.wait_for("^ready")
    open(hang, "w").close()
    vmm.signal(signal.SIGTERM)
    time.sleep(3)
    check(vmm.process.poll() is None, "vmm did not wait for the flush")
    ends_soon(vmm, signal.SIGTERM, -signal.SIGTERM)


@scenario()
def a_crash_is_reported_and_ends_by_its_signal(t):
    vmm = start_halted(t)
    ends_soon(vmm, signal.SIGSEGV, -signal.SIGSEGV)
    text = vmm.log_text()
    check("vmm: crash: SIGSEGV (fatal signal 11), sent by process " in text, "there is no report of the crash")
    check("\n  thread: vmm\n" in text, "the report does not name the thread")


@scenario()
def sigterm_while_it_starts(t):
    """A signal at any time before the guest runs ends vmm in order or by the signal, and soon."""
    config = halted(t)
    for delay in (0.0, 0.02, 0.1, 0.3):
        vmm = Vmm(t, ["-c", config])
        time.sleep(delay)
        vmm.signal(signal.SIGTERM)
        try:
            status = vmm.process.wait(SOON)
        except Exception:
            raise Failure(f"vmm did not end after SIGTERM {delay} s after its start") from None
        check(status in (0, -signal.SIGTERM), f"vmm ended with {status} by SIGTERM {delay} s after its start")


@scenario()
def nothing_of_vmm_is_left_after_kill_9(t):
    """A killed vmm blocks neither its disk nor its tap for the next start."""
    disk = device("virtio-blk", id="disk0", path=t.disk("disk.img", 8))
    net = device("virtio-net", id="net0", hostfwd=[{"host_port": 23456, "guest_port": 80}])
    first = start_halted(t, [disk, net])
    first.signal(signal.SIGKILL)
    wait_until(lambda: first.process.poll() is not None, "vmm is gone")
    check(not os.path.exists(f"/proc/{first.pid}"), "the process is still there")
    Vmm(t, ["-c", halted(t, [disk, net, device("debug-exit")], cmdline="exit=3")]).ends(7)
