# SPDX-License-Identifier: Apache-2.0
"""Contract P, without a guest: each plugin in each core, the others there being that core's own. What the rule of loading
lets in has to be described, and to pass a config that uses all that is shipped; the rest has to be refused, by name."""

import functools
import os
import subprocess
import tempfile

from .cell import GREEN, GREY, RED, Table
from .versions import fits

CONFIG = """machine = {{ type = "pc-1.0"; }};
boot = {{ kernel = "image"; }};
plugins = {{ search = ("{plugins}"); }};
devices = (
	{{ type = "pci"; id = "pci0"; }},
	{{ type = "platform"; id = "platform0"; }},
	{{ type = "debug-exit"; id = "exit0"; }},
	{{ type = "serial"; id = "com1"; backend = "null"; }},
	{{ type = "virtio-pci"; id = "virtio0"; }},
	{{ type = "virtio-mmio"; id = "virtio1"; }},
	{{ type = "virtio-blk"; id = "disk0"; transport = "virtio0"; path = "image"; }},
	{{ type = "virtio-net"; id = "net0"; transport = "virtio1"; backend = "user"; }},
	{{ type = "virtio-rng"; id = "rng0"; transport = "virtio0"; }}
);
"""
LINES_SHOWN = 6
HARDWARE_LINES = 16


def run(*command, directory=None):
    """Exit status, and what was printed."""
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.returncode, done.stdout


def last_lines(text):
    return "\n".join(text.strip().splitlines()[-LINES_SHOWN:])


def check(core, plugins):
    """vmm --check of a config with all devices; its status and text."""
    with tempfile.TemporaryDirectory() as directory:
        with open(f"{directory}/image", "wb") as file:
            file.truncate(1 << 20)
        with open(f"{directory}/guest.cfg", "w") as file:
            file.write(CONFIG.format(plugins=plugins))
        return run(core.vmm, "-c", "guest.cfg", "--check", directory=directory)


def judge_hardware(cell, word, status, text):
    """By what tests/golden/golden printed."""
    if status == 0:
        cell.judge(GREEN, word, "guests of pc-1.0 find the hardware that they know: processor, ACPI, memory map, ports, PCI, virtio")
        return
    lines = text.strip().splitlines()
    differs = any(line.startswith("contract G:") for line in lines)
    shown = lines if len(lines) <= HARDWARE_LINES else [*lines[:HARDWARE_LINES], f"... and {len(lines) - HARDWARE_LINES} lines more"]
    cell.judge(RED, "other hardware" if differs else "does not run", "\n".join(shown))


def refused(cell, plugin, status, text):
    reason = f"it needs a core of {plugin.major}.{plugin.needs_minor}"
    if status == 0:
        cell.judge(RED, "not refused", f"{reason}, and was taken")
    elif f"{plugin.name}.so" not in text or "ABI" not in text:
        cell.judge(RED, "bad refusal", f"{reason}; what was said names neither file nor ABI:\n{last_lines(text)}")
    else:
        cell.judge(GREEN, "refused", f"as promised: {reason}")


def loads(versions, cell, core, plugin, directory, golden):
    status, text = run(core.vmm, "--describe", f"{directory}/{plugin.name}.so", "--json")
    if status:
        cell.judge(RED, "not described", last_lines(text))
        return
    status, text = check(core, directory)
    if status:
        cell.judge(RED, "fails --check", last_lines(text))
        return
    # This tree's core has one more test: a whole machine on a KVM that is not there.
    if core is versions.here and golden:
        judge_hardware(cell, "runs", *golden(directory))
        return
    cell.judge(GREEN, "loads", "described, and passes --check with all types of devices")


def tables(versions, golden):
    table = Table("P", "Core and plugins", "Each plugin among a core's own; guests with whole sets are further down.",
                  "plugin", "core", [plugin.label for plugin in versions.plugins], [core.name for core in versions.cores],
                  is_grouped=True)
    for plugin in versions.plugins:
        for core in versions.cores:
            cell = table.at(plugin.label, core.name)
            if plugin.missing or core.missing:
                cell.judge(GREY, "not there", plugin.missing or core.missing)
                continue
            directory = versions.directory(core.name, plugin)
            if fits(core, plugin):
                loads(versions, cell, core, plugin, directory, golden)
            else:
                refused(cell, plugin, *check(core, directory))
    return [table]


def golden_check(source, build):
    """What compares the hardware of a set of plugins with what guests know; None where it was not built."""
    program = f"{build}/tests/golden/dump-guest"
    if not os.path.exists(program):
        return None
    return functools.cache(lambda directory: run(f"{source}/tests/golden/golden", "--plugins", directory, program))


def set_fits(versions, core, base):
    """Whether all plugins of a set are let in by a core."""
    return all(fits(core, versions.of(name, base)) for name in versions.names() if versions.of(name, base))
