# SPDX-License-Identifier: Apache-2.0
"""Which cores and plugins there are: those of docs/contracts/releases, built from history, and those of a build directory."""

import dataclasses
import glob
import os
import re
import shutil
import struct
import subprocess

from .cell import HERE

NOTE_SECTION = b".note.vmm.plugin"
NOTE_NUMBERS = 16  # offset of abi_major, abi_minor, min_host_minor in the note (vmm/entry.h)
SKIPPED = 77
VERSIONS_SHOWN = 4  # the newest of each, and this tree: a page of pairs stays one that can be read


@dataclasses.dataclass
class Core:
    name: str
    vmm: str = ""
    commit: str = ""
    missing: str = ""  # why there is none
    major: int = 0
    minor: int = 0


@dataclasses.dataclass
class Plugin:
    name: str
    version: str
    file: str = ""
    missing: str = ""
    major: int = 0
    built_with: int = 0
    needs_minor: int = 0

    @property
    def label(self):
        return f"{self.name} {self.version}"


def note_of(file):
    """ABI major, minor built with and lowest minor of a core, from the file's note; reads what the loader reads."""
    with open(file, "rb") as stream:
        data = stream.read()
    start, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", data, start + i * size) for i in range(count)]
    for name, _, _, _, offset, _ in sections:
        at = sections[names][4] + name
        if data[at:data.index(b"\0", at)] == NOTE_SECTION:
            return struct.unpack_from("<III", data, offset + NOTE_NUMBERS)
    raise ValueError(f"{file} has no note of a plugin")


def abi_of(vmm):
    """The ABI that a core speaks."""
    text = subprocess.run([vmm, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    major, minor = re.search(r"^plugin ABI .* (\d+)\.(\d+)$", text, re.M).groups()
    return int(major), int(minor)


def released(source):
    """(name, version, commit) of each line of the list, in its order."""
    with open(f"{source}/docs/contracts/releases") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return [(name, version, commit) for name, version, _, commit in lines]


def build_release(source, name, version):
    """Directory with a release, or None and why not."""
    done = subprocess.run([f"{source}/tools/lib/release", name, version], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return done.stdout.strip(), ""
    if done.returncode == SKIPPED:
        return None, "its commit is not in this clone"
    raise SystemExit(f"matrix: {name} {version} cannot be built:\n{done.stderr}")


class Versions:
    def __init__(self, source, build, work):
        self.work = work
        self.made = set()  # directories of plugins
        self.cores, self.plugins = [], []
        lines = released(source)
        for name, version, commit in lines:
            newest = [v for n, v, _ in lines if n == name][-VERSIONS_SHOWN:]
            if version in newest:
                self._add(name, version, commit, *build_release(source, name, version))
        major, minor = abi_of(f"{build}/bin/vmm")
        self.here = Core(HERE, f"{build}/bin/vmm", "", "", major, minor)
        self.cores.append(self.here)
        for file in sorted(glob.glob(f"{build}/lib/vmm/plugins/*.so")):
            self.plugins.append(Plugin(os.path.basename(file)[:-3], HERE, file, "", *note_of(file)))
        self.plugins.sort(key=lambda plugin: plugin.name)  # stable: a plugin's releases stay in order

    def _add(self, name, version, commit, directory, missing):
        if name == "vmm":
            core = Core(version, f"{directory}/bin/vmm", commit, missing)
            if directory:
                core.major, core.minor = abi_of(core.vmm)
            self.cores.append(core)
        else:
            file = f"{directory}/lib/vmm/plugins/{name}.so"
            self.plugins.append(Plugin(name, version, file, missing, *(note_of(file) if directory else ())))

    def names(self):
        return sorted({plugin.name for plugin in self.plugins})

    def of(self, name, version):
        """A plugin of that version, or of the newest release before if it has none of that."""
        found = [plugin for plugin in self.plugins if plugin.name == name and not plugin.missing]
        exact = [plugin for plugin in found if plugin.version == version]
        return (exact or found or [None])[-1]

    def sets(self):
        """Names of sets of plugins: those that were released with a core, and this tree's."""
        return [core.name for core in self.cores if not core.missing]

    def directory(self, base, *instead):
        """A directory with the plugins of a set, some of them replaced by others; its path."""
        chosen = {name: self.of(name, base) for name in self.names()}
        instead = [plugin for plugin in instead if plugin is not chosen[plugin.name]]
        chosen.update({plugin.name: plugin for plugin in instead})
        label = "-".join([base, *(plugin.label for plugin in instead)]).replace(" ", "-")
        path = os.path.join(self.work, "plugins", label)
        if path in self.made:
            return path
        self.made.add(path)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        for plugin in chosen.values():
            if plugin:
                shutil.copy(plugin.file, path)
        return path


def fits(core, plugin):
    """The rule of loading: docs/abi.md."""
    return core.major == plugin.major and plugin.needs_minor <= core.minor
