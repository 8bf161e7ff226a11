# SPDX-License-Identifier: Apache-2.0
"""What a row is given where it runs: the systems, how often, and where its figures go."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

from . import systems
from .process import READ_BYTES, Failure, Running


class Bench:
    def __init__(self, settings, out):
        self.settings = settings
        self.quick = settings["quick"]
        self.repeats = settings["repeats"]
        self.out = out
        self.stack = contextlib.ExitStack()
        every = [make(settings) for make in systems.ALL]
        self.systems = [s for s in every if not s.missing() and s.name in settings["systems"]]
        self.vmm = self.systems[0]
        self.warm = set()  # names of systems whose files are in memory
        self.kept = set()  # paths of such files
        self.serving = None  # of rows.serving

    def say(self, text):
        print(text, flush=True)

    def _write(self, sample):
        self.out.write(json.dumps(sample) + "\n")
        self.out.flush()

    def record(self, row, case, system, value, unit, repetition=0):
        """Keeps one figure, and shows it. `case`: the line of the table, empty for a row with one line."""
        name = getattr(system, "name", system)
        sample = dict(row=row, case=case, system=name, value=value, unit=unit, repetition=repetition)
        self._write(sample)
        self.say(f"  {row:8} {case or '-':34} {name:13} {value:12.4g} {unit}")

    def note(self, row, text):
        """Something to know about a row: why a figure is not there."""
        self._write(dict(row=row, note=text))
        self.say(f"  {row:8} {text}")

    def finished(self, row):
        """All that there is to be measured of a row has been."""
        self._write(dict(row=row, finished=True))

    @contextlib.contextmanager
    def directory(self):
        """A directory for one run, in memory: a disk that is waited for is time."""
        path = tempfile.mkdtemp(dir="/dev/shm")
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def running(self, system, guest, directory, environment=None):
        """The guest under the system, until the end of the block."""
        with Running(system.command(guest, directory), directory, environment, system.needs_terminal) as vm:
            yield vm

    def measure(self, row, function, repeats=None):
        """Calls function(system, repetition) in alternating order. A system that fails is left out from then on."""
        failed = set()
        for repetition in range(repeats or self.repeats):
            order = self.systems if repetition % 2 == 0 else self.systems[::-1]
            for system in order:
                if system in failed:
                    continue
                try:
                    function(system, repetition)
                except Failure as failure:
                    failed.add(system)
                    self.note(row, f"{system.name}: {failure}")

    def keep(self, files, directories=()):
        """Has files in memory, whole, and directories with all that is in them.

        In the testbed every file is another machine's, and opening one takes a millisecond: so it gets copies of its own.
        """
        for path in set(files) - self.kept:
            self.kept.add(path)
            with open(path, "rb") as file:
                while file.read(READ_BYTES):
                    pass
            if self.settings["testbed"]:
                now = os.stat(path)
                os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns))  # a change makes the overlay copy it
        for path in set(directories) - self.kept:
            self.kept.add(path)
            if self.settings["testbed"]:
                copy = self.stack.enter_context(self.directory())
                shutil.copytree(path, copy, symlinks=True, dirs_exist_ok=True)
                subprocess.run(["mount", "--bind", copy, path], check=True)
                self.stack.callback(subprocess.run, ["umount", "-l", path], check=True)

    def file(self, name, mib, directory=None):
        """A file of that size that is written, not sparse; gone at the end."""
        path = os.path.join(directory or self.settings["scratch"], name)
        block = os.urandom(1 << 20)
        with open(path, "wb") as file:
            for _ in range(mib):
                file.write(block)
            os.fsync(file.fileno())
        self.stack.callback(os.unlink, path)
        return path
