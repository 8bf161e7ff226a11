# SPDX-License-Identifier: Apache-2.0
"""What only a guest can tell: contracts K and G, whole sets of plugins in each core, and a sample of full combinations.
Each cell is one Linux guest that uses all devices and powers off. All cells of a host's kernel share one testbed."""

import collections
import itertools
import json
import os
import random
import subprocess
import time

from .cell import GREEN, GREY, HERE, RED, Table
from .plugins import judge_hardware, set_fits

KERNELS = ("5.10", "6.1", "6.12")
USUAL = "6.1"
MACHINE = "pc-1.0"
HARDWARE = "hardware"
SAMPLES = 3
SKIPPED, TESTBED_FAILED = 77, 125
STARTS_MAX = 3
SECONDS = 600  # that one testbed may take

Job = collections.namedtuple("Job", "cells core plugins host guest")


def kernel_table(versions):
    return Table("K", "Core and the host's KVM", f"A guest of {USUAL} with all devices, each core with its own plugins.", "core",
                 "kernel of the host", [core.name for core in versions.cores], list(KERNELS))


def guest_table(versions):
    return Table("G", "Machine and guest", f"Type {MACHINE}, as this tree's vmm makes it: kernels that boot on it, and what "
                 "they see of it, byte by byte (tests/golden), also with plugins of other releases.", "plugins", "kernel of the guest",
                 [f"{MACHINE}, plugins {name}" for name in versions.sets()], [HARDWARE, *KERNELS])


def set_table(versions):
    return Table("P", "Sets of plugins, in a guest", f"All plugins of a release in each core; host and guest {USUAL}.", "plugins",
                 "core", [f"plugins {name}" for name in versions.sets()], [core.name for core in versions.cores])


def sample_table(versions, seed):
    """Combinations that no other table has: more than one thing is not the usual one."""
    every = [(core.name, plugins, host, guest)
             for core, plugins, host, guest in itertools.product(versions.cores, versions.sets(), KERNELS, KERNELS)
             if not core.missing and set_fits(versions, core, plugins)
             and (core.name != plugins) + (host != USUAL) + (guest != USUAL) > 1]
    chosen = random.Random(seed).sample(every, min(SAMPLES, len(every)))
    rows = [f"vmm {core}, plugins {plugins}, host {host}, guest {guest}" for core, plugins, host, guest in chosen]
    about = f"A sample of {len(every)} where more than one thing is unusual; --seed {seed} takes the same again."
    table = Table("", "Full combinations", about, "combination", "", rows, ["guest"])
    return table, list(zip(rows, chosen))


def jobs_of(versions, kernel, guest, sets, sample, chosen):
    """Which guest to start for which cells; one that two tables ask for is started once."""
    cores = {core.name: core for core in versions.cores}
    wanted = collections.defaultdict(list)
    for core in versions.cores:
        for host in KERNELS:
            wanted[core.name, core.name, host, USUAL].append(kernel.at(core.name, host))
    for name in versions.sets():
        for version in KERNELS:
            cell = guest.at(f"{MACHINE}, plugins {name}", version)
            if name == HERE or version == USUAL:
                wanted[HERE, name, USUAL, version].append(cell)
            else:
                cell.judge(GREY, "by sum", "what changes is one thing at a time: see its row and its column; the sample takes more")
        for core in versions.cores:
            cell = sets.at(f"plugins {name}", core.name)
            if not core.missing and not set_fits(versions, core, name):
                cell.judge(GREY, "refused", "the rule of loading lets one of them not in: see the first table")
            else:
                wanted[core.name, name, USUAL, USUAL].append(cell)
    for row, combination in chosen:
        wanted[combination].append(sample.at(row, "guest"))
    jobs = []
    for (core, plugins, host, version), cells in wanted.items():
        if cores[core].missing:
            for cell in cells:
                cell.judge(GREY, "not there", cores[core].missing)
        else:
            jobs.append(Job(cells, cores[core], versions.directory(plugins), host, version))
    return jobs


def judge_dumps(versions, table, golden):
    """What guests see of the machine that this tree's core makes, with each set of plugins."""
    for name in versions.sets():
        cell = table.at(f"{MACHINE}, plugins {name}", HARDWARE)
        if not golden:
            cell.judge(GREY, "not run", "tests/golden/dump-guest is not built")
        elif not set_fits(versions, versions.here, name):
            cell.judge(GREY, "refused", "the rule of loading lets one of them not in: see the first table")
        else:
            judge_hardware(cell, "the same", *golden(versions.directory(name)))


# --- In the testbed ---


def part(source, *words):
    done = subprocess.run([f"{source}/tools/guest", *words], stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, SKIPPED):
        raise SystemExit(f"matrix: tools/guest {' '.join(words)} failed")
    return done.stdout.strip() if done.returncode == 0 else None


def parts_of(source):
    """Paths of kernels and initrds, as tests/guest names them."""
    parts = {f"{name}-{version}": part(source, "--kernel", version, name) for version in KERNELS for name in ("kernel", "initrd")}
    parts[f"vmlinux-{USUAL}"] = part(source, "vmlinux")
    return {name: path for name, path in parts.items() if path}


def take_verdict(job, text):
    """`text`: the first line "pass SECONDS" or another verdict, then the log."""
    head, _, log = text.partition("\n")
    verdict, _, seconds = head.partition(" ")
    state = {"pass": GREEN, "skip": GREY}.get(verdict, RED)
    for cell in job.cells:
        cell.judge(state, {GREEN: "works", GREY: "not there"}.get(state, "fails"),
                   f"a guest of {job.guest} used all devices, in {seconds} s" if state == GREEN else log.strip())


def run_bed(source, out, host, jobs, settings):
    """Starts testbeds until each guest has a verdict."""
    left = {str(number): job for number, job in enumerate(jobs)}
    started = 0
    while left and started < STARTS_MAX:
        started += 1
        path = os.path.join(out, "settings.json")
        cells = [{"id": key, "vmm": job.core.vmm, "plugins": job.plugins, "guest": job.guest} for key, job in left.items()]
        with open(path, "w") as file:
            json.dump({**settings, "host": host, "cells": cells}, file, indent=1)
        command = [f"{source}/tools/testbed", "--time", str(SECONDS), *(["--kernel", host] if host != USUAL else [])]
        status = subprocess.run([*command, "--", f"{source}/tools/lib/matrix/inner", path], cwd=source, stdin=subprocess.DEVNULL,
                                env={**os.environ, "VMM_TESTBED_OUT": out}).returncode
        for key in list(left):
            verdict = os.path.join(out, key)
            if os.path.exists(verdict):
                with open(verdict) as file:
                    take_verdict(left.pop(key), file.read())
        if status != TESTBED_FAILED:
            break
    reason = "skip 0\nthe host's kernel cannot be had" if left and status == SKIPPED else f"fail 0\ntools/testbed ended with {status}"
    for job in left.values():
        take_verdict(job, reason)


def run(source, work, jobs):
    """All guests, host by host."""
    parts = parts_of(source)
    have_kvm = subprocess.call([f"{source}/tools/lib/have-kvm"]) == 0
    for host in KERNELS:
        mine = [job for job in jobs if job.host == host]
        if mine:
            print(f"==> host {host}: {len(mine)} guests", flush=True)
            begin, out = time.monotonic(), os.path.join(work, f"out-{host}")
            subprocess.run(["rm", "-rf", out], check=True)
            os.makedirs(out)
            settings = {"source": source, "parts": parts, "testbed": not have_kvm or host != USUAL, "programs": ""}
            run_bed(source, out, host, mine, settings)
            print(f"    {time.monotonic() - begin:.0f} s", flush=True)
