# SPDX-License-Identifier: Apache-2.0
"""Guests of all systems that run at the same time and take commands, with every kind of disk and card.

For rows that compare input and output: a command runs in one guest while the others are idle, then in the next one, so that
what else the machine does meets all of them. They are started once for all those rows, and again where one has ended: in
the testbed the emulated processor ends some (docs/testbed.md).
"""

import contextlib
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
STARTS_MAX, TRIES_MAX = 8, 3  # of a guest in all rows, and of one step


class Listener:
    """iperf3's server on all addresses of the host. It waits for a guest that ended in the middle of a measurement."""

    def __init__(self, bench):
        self.stack = bench.stack.enter_context(contextlib.ExitStack())

    def start(self):
        self.stack.close()
        server = subprocess.Popen(["iperf3", "-s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.callback(server.wait)
        self.stack.callback(server.kill)


class Serving:
    """The guest of a system. `disks`: (place, backend) to its device; `files`: the same to the image behind it; `cards`:
    kind to the address of the other side."""

    def __init__(self, bench, system, index, listener):
        self.bench = bench
        self.listener = listener
        self.system = system
        self.images = _images(bench, system, index)
        self.taps = _make_taps(bench, index)
        self.files = {key: disk.path for key, disk in self.images.items()}
        self.disks = {}
        self.cards = {}
        self.vm = None
        self.starts = 0
        self.stack = bench.stack.enter_context(contextlib.ExitStack())

    def start(self):
        """Starts the guest; one that is there is killed."""
        self.vm = None
        self.stack.close()
        self.listener.start()
        self.starts += 1
        directory = self.stack.enter_context(self.bench.directory())
        disks = (Disk(self.bench.settings["tools"], readonly=True), *self.images.values())
        nets = [Net(kind, _mac(place), tap) for place, (kind, (tap, _)) in enumerate(self.taps.items())]
        nets.append(Net("user", _mac(len(nets))))
        guest = guests.agent(self.bench.settings, directory, memory_mib=MEMORY_MIB, disks=disks, nets=tuple(nets))
        vm = self.stack.enter_context(self.bench.running(self.system, guest, directory))
        vm.wait_for(guests.READY)
        self._find_disks(vm)
        for place, (kind, (_, address)) in enumerate(self.taps.items()):
            self._connect_card(vm, place, kind, address.rpartition(".")[0] + ".2", address)
        self._connect_card(vm, len(self.taps), "user", *self.system.user_network)
        self.vm = vm

    def _find_disks(self, vm):
        """Systems differ in the order in which the guest meets its disks."""
        sizes = dict(re.findall(r"/sys/block/(vd\w)/size:(\d+)", vm.shell("grep . /sys/block/vd*/size")))
        by_mib = {int(sectors) * 512 >> 20: f"/dev/{name}" for name, sectors in sizes.items()}
        self.disks = {key: by_mib[disk.mib] for key, disk in self.images.items()}

    def _connect_card(self, vm, place, kind, mine, other):
        name = f"eth{place}"
        if self.system.sets_mac:
            name = vm.shell(f"grep -l {_mac(place)} /sys/class/net/*/address").split("/")[4]
        vm.shell(f"ip link set {name} up; ip addr add {mine}/24 dev {name}")
        self.cards[kind] = other

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


def attempt(bench, row, serving, function, step, repetition):
    """Calls function(serving, step, repetition), with a new guest where one is needed; false if it came to no end."""
    for _ in range(TRIES_MAX):
        try:
            if serving.vm is None or not serving.vm.is_well():
                if serving.starts >= STARTS_MAX:
                    bench.note(row, f"{serving.system.name}: {step}: not measured, its guests ended before")
                    return False
                serving.start()
            function(serving, step, repetition)
            return True
        except Failure as failure:
            bench.note(row, f"{serving.system.name}: {failure}")
    return False


def all_of(bench, row):
    """The guests, which have been started."""
    if bench.serving is None:
        listener = Listener(bench)
        bench.serving = [Serving(bench, system, index, listener) for index, system in enumerate(bench.systems)]
        for serving in bench.serving:
            if not attempt(bench, row, serving, lambda *_: None, None, 0):
                serving.starts = STARTS_MAX  # it never came up
    return bench.serving


def repeats(bench):
    """More, and shorter, than of other rows: in the testbed one run and the next differ by a factor of 2 and more."""
    return 1 if bench.quick else bench.repeats * 2 + 1


def in_turn(bench, row, times, steps, function):
    """Calls function(serving, step, repetition): each step in all guests before the next one, in alternating order.

    What fails is noted and tried again; a step that fails always is not measured again in that guest.
    """
    failed = set()
    for repetition, step in itertools.product(range(times), steps):
        every = all_of(bench, row)
        for serving in every if repetition % 2 == 0 else every[::-1]:
            if (serving, step) not in failed and not attempt(bench, row, serving, function, step, repetition):
                failed.add((serving, step))
