# SPDX-License-Identifier: Apache-2.0
"""What was built with a released ABI, in today's machine: the plugins of tests/abi/old as they were shipped then, and the
conformance plugin built with the headers of then."""

import glob
import os

from kit.config import device
from kit.test import Skip, check, scenario
from kit.vmm import start


def released(t):
    """The released ABIs, with the directories of their plugins."""
    folders = sorted(glob.glob(os.path.join(t.settings["source"], "tests/abi/old/*")))
    check(folders, "there are no plugins in tests/abi/old")
    return {os.path.basename(folder): folder for folder in folders}


def conformance(t, abi, n):
    file = os.path.abspath(os.path.join(t.settings["programs"], f"../../abi/conformance-{abi}/conformance.so"))
    if not os.path.exists(file):
        raise Skip(f"no {file}: it is built with the tests")
    return [
        device("conformance", id=f"services{n}", plugin=file, path=t.disk(f"services{n}", 1), port=0x580 + 0x20 * n),
        device("conformance-virtio", id=f"queues{n}", plugin=file),
    ]


@scenario()
def plugins_of_released_abis_do_their_io(t):
    """Data is written by rings of the kernel, which the sandbox has to allow a plugin that cannot ask for them, and by a
    worker; random numbers are read; what the conformance plugins try at the start goes well."""
    devices, jobs, disks = [], [], []
    for n, (abi, folder) in enumerate(released(t).items()):
        devices += [device("virtio-rng", id=f"rng{n}", plugin=f"{folder}/virtio-rng.so"), *conformance(t, abi, n)]
        for aio in ("io_uring", "worker"):
            name = f"vd{chr(ord('a') + len(disks))}"
            path = t.disk(f"{name}.img", 8)
            devices.append(device("virtio-blk", id=name, plugin=f"{folder}/virtio-blk.so", path=path, aio=aio))
            disks.append(path)
            jobs.append(f"""
                dd if=/data of=/dev/{name} bs=64k oflag=direct conv=fsync
                dd if=/dev/{name} bs=64k count=64 iflag=direct | cmp - /data
            """)
    names = " ".join(f"virtio_rng.{n}" for n in range(len(released(t))))
    job = f"""
        dd if=/dev/urandom of=/data bs=64k count=64 && sha256sum </data
        for name in {names}; do
            echo $name >/sys/class/misc/hw_random/rng_current
            dd if=/dev/hwrng of=/random bs=4096 count=4 iflag=fullblock
            [ $(tr -d '\\0' </random | wc -c) -gt 15000 ]
        done
    """
    vmm = start(t, job + "".join(jobs), devices)
    vmm.job_passes()
    for abi in released(t):
        check(f"virtio-blk.so: built with plugin ABI {abi}" in vmm.log_text(), f"no warning about a plugin of ABI {abi}")
    for path in disks[1:]:
        with open(path, "rb") as one, open(disks[0], "rb") as other:
            check(one.read(4 << 20) == other.read(4 << 20) != bytes(4 << 20), f"{path} has not what the guest wrote")
