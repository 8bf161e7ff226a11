# SPDX-License-Identifier: Apache-2.0
"""Scenarios: how one is declared, what it is given, and how it is judged. Starting vmm is vmm.py's."""

import contextlib
import os
import re
import shutil
import time
import traceback

HOSTS = ("5.10", "6.1", "6.12")
USUAL_HOST = "6.1"
# Nothing takes that long where the processor is real; emulated on a busy machine some things nearly do.
PATIENCE = 120

scenarios = []


class Failure(Exception):
    """The program under test did something wrong."""


class Skip(Exception):
    """This machine lacks what the scenario needs."""


def scenario(hosts=(USUAL_HOST,), long=False):
    """Declares a function a scenario under these kernels; its name, with hyphens, says the behaviour. A long one takes
    minutes, and is run by tools/check --full only."""

    def declare(function):
        function.name = function.__name__.replace("_", "-")
        function.hosts = hosts
        function.long = long
        scenarios.append(function)
        return function

    return declare


def names(host, long=False):
    return [s.name for s in scenarios if host in s.hosts and s.long == long]


def check(truth, text):
    if not truth:
        raise Failure(text)


def wait_until(condition, text, timeout=PATIENCE):
    """Returns what condition() returns once that is true."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {timeout} s: {text}")
        time.sleep(0.05)


class Test:
    """What a scenario is given: directories of its own, the parts of a guest, a log, and an end for everything."""

    def __init__(self, name, settings, directory):
        self.name = name
        self.settings = settings
        self.host = settings["host"]
        self.dir = directory
        self.cwd = os.path.join(directory, "cwd")  # where vmm runs; stays empty
        self.lines = []
        self.vmms = []
        self.stack = contextlib.ExitStack()

    def log(self, text):
        self.lines.append(text)

    def path(self, name):
        return os.path.join(self.dir, name)

    def program(self, name):
        """A program of tests/guest/programs."""
        return os.path.join(self.settings["programs"], name)

    def test_kernel(self, name):
        """A small kernel of tests/guest/multiboot."""
        return os.path.join(self.settings["programs"], "../multiboot", name)

    def fuzz_kernel(self):
        """The kernel of tests/guest/fuzz."""
        return os.path.join(self.settings["programs"], "../fuzz/fuzz.elf")

    def unit_test(self, folder, name):
        """A program of tests/unit/FOLDER."""
        return os.path.join(self.settings["programs"], "../../unit", folder, name)

    def part(self, name, kernel=USUAL_HOST):
        """A part of a guest: "kernel", "vmlinux", "initrd", "tools", "disk"."""
        key = f"{name}-{kernel}"
        if key not in self.settings["parts"]:
            raise Skip(f"no {name} of {kernel} here")
        return self.settings["parts"][key]

    def option(self, name, default):
        """What `run --set NAME=VALUE` said, of the default's type."""
        return type(default)(self.settings.get("options", {}).get(name, default))

    def disk(self, name, mib):
        """The path of an empty disk."""
        path = self.path(name)
        with open(path, "wb") as file:
            file.truncate(mib << 20)
        return path

    def disk_in_memory(self, name, mib):
        """The same on a tmpfs, until the end of the test."""
        path = f"/dev/shm/{self.name}-{name}"
        with open(path, "wb") as file:
            file.truncate(mib << 20)
        self.stack.callback(os.unlink, path)
        return path

    def copy(self, source, name):
        """The path of a copy that a guest may write to."""
        path = self.path(name)
        shutil.copyfile(source, path)
        return path


def _surroundings(test):
    """Where a vmm could leave something. Not /tmp, where all the machine's programs do: TMPDIR is test.cwd."""
    places = [test.cwd, "/dev/shm", "/run", "/sys/class/net"]
    return {os.path.join(p, name) for p in places if os.path.isdir(p) for name in os.listdir(p)}


def _judge(test, function):
    before = _surroundings(test)
    with test.stack:
        function(test)
    for vmm in test.vmms:
        check(not re.search("ABI( check)?:", vmm.log_text()), "a plugin or the core broke the ABI: see the log")
    left = _surroundings(test) - before
    if test.settings["testbed"]:  # elsewhere others make files too
        check(not left, f"left behind: {', '.join(sorted(left))}")


def run(function, settings, directory):
    """Runs a scenario in a directory of its own; returns verdict ("pass", "fail", "skip"), seconds, and log."""
    test = Test(function.name, settings, directory)
    os.makedirs(test.cwd)
    start = time.monotonic()
    verdict = "pass"
    try:
        _judge(test, function)
    except Skip as skip:
        verdict = "skip"
        test.log(f"skipped: {skip}")
    except Failure as failure:
        verdict = "fail"
        test.log(f"FAILED: {failure}")
        test.log(traceback.format_exc(limit=-3))
    except Exception:  # a mistake of the scenario is a failure like others
        verdict = "fail"
        test.log("FAILED: " + traceback.format_exc())
    seconds = time.monotonic() - start
    for vmm in test.vmms:
        test.log(vmm.report())
    shutil.rmtree(directory, ignore_errors=True)
    return verdict, seconds, "\n".join(test.lines)
