# SPDX-License-Identifier: Apache-2.0
"""Guests of all systems that run at the same time and take commands, with every kind of disk and card.

For rows that compare input and output: a command runs in one guest while the others are idle, then in the next one, so that
what else the machine does meets all of them. They are started once for all those rows.
"""

import itertools
import re
import subprocess

from measure import guests
from measure.process import Failure
from measure.systems import Disk, Net

MEMORY_MIB = 512
IMAGE_MIB, QUICK_IMAGE_MIB = 64, 16
TAPS = ("vhost", "tap")
EMPTY = "nothing behind the disk"


class Serving:
    """One running guest. `disks`: (place, backend) to its device; `files`: the same to the image behind it; `cards`: kind
    to the address of the other side."""

    def __init__(self, system, vm):
        self.system = system
        self.vm = vm
        self.disks = {}
        self.files = {}
        self.cards = {}

    def tool(self, command):
        """Runs a program of the disk with the tools."""
        return self.vm.shell(f"chroot /root {command}")


def _images(bench, system, index):
    """{(place, backend): Disk}: each disk has a size of its own, by which the guest knows it."""
    images = {}
    backends = ("io_uring", "worker") if system is bench.vmm else ("io_uring",)
    places = {"tmpfs": "/dev/shm", "disk": bench.settings["scratch"]}
    for place, directory in places.items():
        for backend in backends:
            mib = (QUICK_IMAGE_MIB if bench.quick else IMAGE_MIB) + len(images)
            path = bench.file(f"image{index}-{len(images)}", mib, directory)
            images[place, backend] = Disk(path, mib, direct=place == "disk", backend=backend)
    if system.has_empty_disks:
        images[EMPTY, ""] = Disk(mib=IMAGE_MIB + len(images))
    return images


def _make_taps(bench, index):
    """Taps with an address, before the VMM is there: {kind: (tap, the host's address)}."""
    taps = {}
    for place, kind in enumerate(TAPS):
        name, address = f"bench{index}{place}", f"10.77.{10 * index + place}.1"
        words = [("tuntap", "add", "dev", name, "mode", "tap"), ("addr", "add", f"{address}/24", "dev", name)]
        for each in (*words, ("link", "set", name, "up")):
            subprocess.run(["ip", *each], check=True)
        bench.stack.callback(subprocess.run, ["ip", "link", "del", name], stderr=subprocess.DEVNULL)
        taps[kind] = (name, address)
    return taps


def _mac(place):
    return f"52:54:00:77:00:{place:02x}"


def _find_disks(serving, images):
    """Systems differ in the order in which the guest meets its disks."""
    sizes = dict(re.findall(r"/sys/block/(vd\w)/size:(\d+)", serving.vm.shell("grep . /sys/block/vd*/size")))
    by_mib = {int(sectors) * 512 >> 20: f"/dev/{name}" for name, sectors in sizes.items()}
    for key, disk in images.items():
        serving.disks[key] = by_mib[disk.mib]
        serving.files[key] = disk.path


def _connect_card(serving, place, kind, mine, other):
    name = f"eth{place}"
    if serving.system.sets_mac:
        name = serving.vm.shell(f"grep -l {_mac(place)} /sys/class/net/*/address").split("/")[4]
    serving.vm.shell(f"ip link set {name} up; ip addr add {mine}/24 dev {name}")
    serving.cards[kind] = other


def _start(bench, system, index):
    directory = bench.stack.enter_context(bench.directory())
    images, taps = _images(bench, system, index), _make_taps(bench, index)
    disks = (Disk(bench.settings["tools"], readonly=True), *images.values())
    nets = [Net(kind, _mac(place), tap) for place, (kind, (tap, _)) in enumerate(taps.items())]
    nets.append(Net("user", _mac(len(nets))))
    guest = guests.agent(bench.settings, directory, memory_mib=MEMORY_MIB, disks=disks, nets=tuple(nets))
    serving = Serving(system, bench.stack.enter_context(bench.running(system, guest, directory)))
    serving.vm.wait_for(guests.READY)
    _find_disks(serving, images)
    for place, (kind, (_, address)) in enumerate(taps.items()):
        _connect_card(serving, place, kind, address.rpartition(".")[0] + ".2", address)
    _connect_card(serving, len(taps), "user", *system.user_network)
    return serving


def all_of(bench, row):
    """The guests, started if they are not there yet; and iperf3's server on all addresses."""
    if bench.serving is None:
        bench.serving = []
        server = subprocess.Popen(["iperf3", "-s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bench.stack.callback(server.wait)
        bench.stack.callback(server.kill)
        for index, system in enumerate(bench.systems):
            try:
                bench.serving.append(_start(bench, system, index))
            except Failure as failure:
                bench.note(row, f"{system.name}: {failure}")
    return bench.serving


def repeats(bench):
    """More, and shorter, than of other rows: in the testbed one run and the next differ by a factor of 2 and more."""
    return 1 if bench.quick else bench.repeats * 2 + 1


def in_turn(bench, row, times, steps, function):
    """Calls function(serving, step, repetition): each step in all guests before the next one, in alternating order.

    What fails is noted, and is not measured again.
    """
    failed = set()
    for repetition, step in itertools.product(range(times), steps):
        every = all_of(bench, row)
        for serving in every if repetition % 2 == 0 else every[::-1]:
            if serving in failed:
                continue
            try:
                function(serving, step, repetition)
            except Failure as failure:
                failed.add(serving)
                bench.note(row, f"{serving.system.name}: {failure}")
