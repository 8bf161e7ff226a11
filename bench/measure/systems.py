# SPDX-License-Identifier: Apache-2.0
"""The systems that are compared: each turns the same guest into a command of its own, as its users would write it."""

import dataclasses
import os
import shutil

from kit import config
from kit.config import device

QEMU = "qemu-system-x86_64"
STRANGERS_PORT = 0x580
CROWD_PAGES = 56  # each adds an ACPI table, and there is a limit to those


@dataclasses.dataclass(frozen=True)
class Disk:
    """A raw image. `backend`: how vmm reads it; the others have their fastest one. Without a path one of `mib` with nothing
    behind it."""

    path: str = ""
    mib: int = 0
    direct: bool = False
    readonly: bool = False
    backend: str = "io_uring"


@dataclasses.dataclass(frozen=True)
class Net:
    """A card. `kind`: "user", "tap" (frames go through the VMM) or "vhost"."""

    kind: str
    mac: str = "52:54:00:77:00:00"
    tap: str = ""


@dataclasses.dataclass(frozen=True)
class Guest:
    """A guest, the same under each system."""

    kernel: str
    initrd: str = ""
    cmdline: str = ""
    memory_mib: int = 256
    cpus: int = 1
    disks: tuple = ()
    nets: tuple = ()
    rng: bool = False
    debug_exit: bool = False
    crowd: int = 0  # devices that only sit there, most of them at ports, some in memory
    strangers: int = 0  # devices of vmm, each with a plugin of its own (bench/plugins)
    sandbox: bool = True  # where there is one


class System:
    """One way to run a guest."""

    name = ""
    boots_elf = True  # by PVH
    user_network = ("10.0.2.15", "10.0.2.2")  # the guest's address and the other side's
    has_empty_disks = True
    sets_mac = True  # else the guest's cards come in the order of the command line
    needs_terminal = False  # to read what is sent to the guest

    def __init__(self, settings):
        self.settings = settings

    def missing(self):
        """Why it cannot be used here; empty if it can."""
        return ""

    def command(self, guest, directory):
        raise NotImplementedError

    def directories(self):
        """Where it finds what it reads besides the programs and libraries that it maps."""
        return ()

    def version(self):
        return ()


class Vmm(System):
    """This project. The config has what the guest needs and no more, as QEMU's -nodefaults."""

    name = "vmm"

    def devices(self, guest):
        devices = [device("pci", id="pci0"), device("platform", id="platform0")]
        devices.append(device("serial", id="com1", backend="stdio"))
        if guest.disks or guest.nets or guest.rng:
            devices.append(device("virtio-pci", id="virtio0"))
        for number, disk in enumerate(guest.disks):
            kind, options = "empty-disk", {"size": f"{disk.mib}M"}
            if disk.path:
                kind = "virtio-blk"
                options = {"path": disk.path, "direct": disk.direct, "aio": disk.backend, "readonly": disk.readonly}
            devices.append(device(kind, id=f"disk{number}", iothread="io0", transport="virtio0", **options))
        for number, net in enumerate(guest.nets):
            options = {"backend": "user", "offload": True}
            if net.kind != "user":
                options = {"backend": "tap", "ifname": net.tap, "vhost": "on" if net.kind == "vhost" else "off"}
            devices.append(device("virtio-net", id=f"net{number}", transport="virtio0", mac=net.mac, **options))
        if guest.rng:
            devices.append(device("virtio-rng", id="rng0", transport="virtio0"))
        if guest.debug_exit:
            devices.append(device("debug-exit", id="exit0"))
        devices += [device(f"hello-port-{n}", port=STRANGERS_PORT + n) for n in range(1, guest.strangers + 1)]
        return [*devices, *self.crowd(guest.crowd)]

    def crowd(self, count):
        pages = min(count, CROWD_PAGES)
        ports = count - pages
        devices = [device("debug-exit", id=f"port{n}", port=0x2000 + 16 * n) for n in range(ports)]
        if pages:
            devices.append(device("virtio-mmio", id="crowd"))
        devices += [device("virtio-rng", id=f"page{n}", transport="crowd") for n in range(pages - 1)]
        return devices

    def command(self, guest, directory):
        boot = {"kernel": guest.kernel, "cmdline": guest.cmdline}
        if guest.initrd:
            boot["initrd"] = guest.initrd
        machine = {"cpus": guest.cpus, "memory": f"{guest.memory_mib}M", "sandbox": "on" if guest.sandbox else "off"}
        settings = {"machine": machine, "boot": boot}
        if guest.disks:
            settings["iothreads"] = ["io0"]
        if guest.strangers or not all(disk.path for disk in guest.disks):
            settings["plugins"] = {"search": self.directories()}
        path = os.path.join(directory, "vmm.cfg")
        with open(path, "w") as file:
            file.write(config.text({**settings, "devices": self.devices(guest)}))
        return [self.settings["vmm"], "-c", path]

    def directories(self):
        shipped = os.path.join(os.path.dirname(os.path.dirname(self.settings["vmm"])), "lib/vmm/plugins")
        return (shipped, self.settings["strangers"])

    def version(self):
        return (self.settings["vmm"], "--version")


class Qemu(System):
    """Debian's QEMU without devices that nobody asked for; disks with a thread of their own and io_uring."""

    machine = suffix = ""

    def missing(self):
        return "" if shutil.which(QEMU) else f"no {QEMU}"

    def command(self, guest, directory):
        command = [QEMU, "-machine", self.machine, "-enable-kvm", "-cpu", "host", "-m", str(guest.memory_mib)]
        command += ["-smp", str(guest.cpus), "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"]
        command += ["-kernel", guest.kernel, "-append", guest.cmdline]
        if guest.initrd:
            command += ["-initrd", guest.initrd]
        if guest.disks:
            command += ["-object", "iothread,id=io0"]
        for number, disk in enumerate(guest.disks):
            drive = f"driver=null-co,size={disk.mib << 20}"
            if disk.path:
                drive = f"format=raw,file={disk.path},aio=io_uring,cache={'none' if disk.direct else 'writeback'}"
                drive += ",readonly=on,file.locking=off" if disk.readonly else ""  # others read it, too
            command += ["-drive", f"if=none,id=disk{number},{drive}"]
            command += ["-device", f"virtio-blk-{self.suffix},drive=disk{number},iothread=io0"]
        for number, net in enumerate(guest.nets):
            backend = "user"
            if net.kind != "user":
                vhost = "on" if net.kind == "vhost" else "off"
                backend = f"tap,ifname={net.tap},script=no,downscript=no,vhost={vhost}"
            command += ["-netdev", f"{backend},id=net{number}"]
            command += ["-device", f"virtio-net-{self.suffix},netdev=net{number},mac={net.mac}{self.no_rom}"]
        if guest.rng:
            command += ["-device", f"virtio-rng-{self.suffix}"]
        if guest.debug_exit:
            command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        return command

    def directories(self):
        return ("/usr/share/qemu", "/usr/share/seabios")

    def version(self):
        return (QEMU, "--version")


class Q35(Qemu):
    name, machine, suffix = "qemu-q35", "q35", "pci"
    no_rom = ",romfile="  # a network boot ROM is not used, and not even installed


class Microvm(Qemu):
    name, machine, suffix, no_rom = "qemu-microvm", "microvm", "device", ""


class Lkvm(System):
    """kvmtool, where somebody has built it."""

    name = "lkvm"
    boots_elf = False
    has_empty_disks = False
    user_network = ("192.168.33.15", "192.168.33.1")
    sets_mac = False  # its user-mode network knows one address only
    needs_terminal = True

    def missing(self):
        return "" if shutil.which("lkvm") else "no lkvm on the PATH"

    def command(self, guest, directory):
        command = ["lkvm", "run", "--name", f"bench-{os.path.basename(directory)}", "--console", "serial"]
        command += ["-k", guest.kernel, "-m", f"{guest.memory_mib}M", "-c", str(guest.cpus), "-p", guest.cmdline]
        if guest.initrd:
            command += ["-i", guest.initrd]
        for disk in guest.disks:
            command += ["-d", disk.path + (",direct" if disk.direct else "") + (",ro" if disk.readonly else "")]
        for net in guest.nets:
            tap = f"mode=tap,tapif={net.tap},script=none,vhost={int(net.kind == 'vhost')}"
            command += ["-n", "mode=user" if net.kind == "user" else tap]
        if not guest.nets:
            command += ["-n", "mode=none"]
        return [*command, *(["--rng"] if guest.rng else [])]

    def version(self):
        return ("lkvm", "version")


ALL = (Vmm, Q35, Microvm, Lkvm)
