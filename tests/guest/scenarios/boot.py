# SPDX-License-Identifier: Apache-2.0
"""Kernels start, see the machine that the config asks for, and power it off."""

import subprocess

from kit.config import device
from kit.test import HOSTS, PATIENCE, check, scenario
from kit.vmm import Vmm, base_devices, configure, start

EXIT_TRIPLE_FAULT = 12


@scenario(HOSTS)
def one_vcpu_and_256_MiB(t):
    job = """
        [ $(nproc) = 1 ]
        mib=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
        [ $mib -gt 192 ] && [ $mib -le 256 ]
    """
    start(t, job, image="kernel", cpus=1, memory="256M").job_passes()


@scenario()
def two_vcpus_and_5_GiB(t):
    """Pages above 4 GiB keep what the processor and a disk put there."""
    job = """
        mib=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
        [ $mib -gt 4600 ] && [ $mib -le 5120 ]
        pages 64 /dev/vda
    """
    disk = device("virtio-blk", id="disk0", path=t.disk("disk.img", 64))
    start(t, job, [disk], cpus=2, memory="5G").job_passes()


def all_devices_work(t, kernel, **more):
    """A guest of this kernel has processors, a disk, a network card and random numbers."""
    job = """
        uname -r
        [ $(nproc) = 2 ]; taskset 1 true; taskset 2 true
        echo something | dd of=/dev/vda bs=512 count=1 conv=fsync,sync
        ip link show eth0
        dd if=/dev/hwrng of=/random bs=16 count=1 && [ -s /random ]
    """
    devices = [
        device("virtio-blk", id="disk0", path=t.disk("disk.img", 8)),
        device("virtio-net", id="net0", backend="user"),
        device("virtio-rng", id="rng0"),
    ]
    vmm = start(t, job, devices, kernel=kernel, cpus=2, **more)
    vmm.wait_for(rf"^{kernel.replace('.', '[.]')}[.-]")
    vmm.job_passes()
    with open(t.path("disk.img"), "rb") as disk:
        check(disk.read(10) == b"something\n", "what the guest wrote is not in the image")


@scenario()
def guest_kernel_5_10(t):
    all_devices_work(t, "5.10", image="kernel")


@scenario()
def guest_kernel_6_1(t):
    all_devices_work(t, "6.1", image="kernel")


@scenario()
def guest_kernel_6_12(t):
    all_devices_work(t, "6.12", image="kernel")


@scenario()
def vmlinux_by_pvh(t):
    all_devices_work(t, "6.1")


@scenario()
def virtio_over_mmio(t):
    all_devices_work(t, "6.1", transport="virtio-mmio")


def small_kernel(t, file, cmdline, status, **boot):
    devices = [*base_devices(), device("debug-exit")]
    config = configure(t, {"kernel": t.test_kernel(file), "cmdline": cmdline, **boot}, devices)
    vmm = Vmm(t, ["-c", config])
    vmm.ends(status)
    return vmm.text()


@scenario(HOSTS)
def unit_tests_that_need_kvm(t):
    """As ctest has them too, skipped there where the machine has no /dev/kvm."""
    for name in ("test-kvm-guest", "test-kvm-guest-irq", "test-kvm-guest-smp"):
        done = subprocess.run([t.unit_test("kvm", name)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
        t.log(done.stdout.decode(errors="replace"))
        check(done.returncode == 0, f"{name} ended with {done.returncode}")


@scenario(HOSTS)
def multiboot_kernel_ends_vmm_with_a_status(t):
    module = t.path("module")
    with open(module, "wb") as file:
        file.write(b"x" * 5000)
    modules = [{"path": module, "cmdline": "a module"}]
    text = small_kernel(t, "multiboot.elf", "exit=21", 21 << 1 | 1, modules=modules)
    for line in ("state good", 'module cmdline="a module" bytes=1388', 'cmdline="exit=21"'):
        check(line in text, f"the kernel did not print {line!r}")


@scenario()
def flat_multiboot_kernel(t):
    check("state good" in small_kernel(t, "multiboot-flat.bin", "exit=0", 1), "the processor's state is wrong")


@scenario()
def small_pvh_kernel(t):
    text = small_kernel(t, "pvh.elf", "exit=3", 7)
    check("rsdp good" in text and "state good" in text, "the kernel was given something wrong")


@scenario()
def random_numbers_from_virtio_rng(t):
    job = """
        grep -q virtio /sys/class/misc/hw_random/rng_current
        dd if=/dev/hwrng of=/random bs=4096 count=16 iflag=fullblock
        [ $(wc -c </random) = 65536 ]
        [ $(gzip -c /random | wc -c) -gt 65000 ]
    """
    start(t, job, [device("virtio-rng", id="rng0")]).job_passes()


@scenario()
def triple_fault(t):
    small_kernel(t, "multiboot.elf", "triple", EXIT_TRIPLE_FAULT)
    check("triple fault" in t.vmms[0].log_text().lower(), "no message about the triple fault")
