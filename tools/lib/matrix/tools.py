# SPDX-License-Identifier: Apache-2.0
"""Contract T: what people and programs made for a released core, with this tree's: configs, options, JSON."""

import json
import os
import re
import subprocess
import tempfile

from .cell import GREEN, GREY, HERE, RED, Table
from .plugins import last_lines, run

GROUPS = ("machine", "boot", "plugins", "log", "device")
CONFIGS, OPTIONS, DEFAULTS, JSON = "configs", "command line", "options and defaults", "JSON"


def ask(vmm, *arguments):
    """An answer in JSON. Warnings, as that the ABI is a draft, are not of interest."""
    done = subprocess.run([vmm, *arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"matrix: {vmm} {' '.join(arguments)} --json: {last_lines(done.stderr)}")
    return json.loads(done.stdout)


def lost(old, new, place=""):
    """Members that are not there any more, or of another kind, as lines; of lists the first items are compared."""
    if isinstance(old, dict) and isinstance(new, dict):
        gone = [f"{place}.{key} is gone" for key in old if key not in new]
        return gone + [line for key in old if key in new for line in lost(old[key], new[key], f"{place}.{key}")]
    if isinstance(old, list) and isinstance(new, list):
        return lost(old[0], new[0], f"{place}[]") if old and new else []
    return [] if old is None or new is None or type(old) is type(new) else [f"{place} was {type(old).__name__}"]


def worse(old, new, owner):
    """What a config could say of these options and now cannot, or what would mean something else."""
    found = {option["name"]: option for option in new}
    for option in old:
        name, now = f'{owner}.{option["name"]}', found.get(option["name"])
        if now is None:
            yield f"{name} is gone"
            continue
        if (option["type"], option["default"]) != (now["type"], now["default"]):
            yield f'{name}: {now["type"]}, default {now["default"]}; was {option["type"]}, default {option["default"]}'
        if set(option.get("values", ())) - set(now.get("values", ())):
            yield f'{name}: {", ".join(set(option["values"]) - set(now["values"]))} is gone'
        if "min" in option and (now.get("min", option["min"]) > option["min"] or now.get("max", option["max"]) < option["max"]):
            yield f"{name}: the range is narrower"
        if now["required"] and not option["required"]:
            yield f"{name} is required now"
        yield from worse(option.get("members") or (), now.get("members") or (), name)
    yield from (f'{owner}.{option["name"]} is new and required' for option in new
                if option["required"] and option["type"] != "ref" and option["name"] not in {o["name"] for o in old})


def judge(cell, wrong, bad_word, word, why):
    """Red if there is a line in `wrong`."""
    if wrong:
        cell.judge(RED, bad_word, "\n".join(wrong))
    else:
        cell.judge(GREEN, word, why)


class Release:
    """A released core with its own plugins and sources, beside this tree's."""

    def __init__(self, versions, source, core):
        self.core, self.here, self.source = core, versions.here, source
        self.plugins = {name: versions.directory(name) for name in (core.name, HERE)}

    def accepts(self, core, config):
        name = core.name if core is not self.here else HERE
        return run(core.vmm, "-c", config, "-s", f"plugins.search=({json.dumps(self.plugins[name])})", "--check")

    def configs(self, cell):
        """What the old core takes of its configs and of those of its tests, with its plugins, the new one has to take."""
        with tempfile.TemporaryDirectory() as directory:
            archive = subprocess.run(["git", "-C", self.source, "archive", self.core.commit, "configs", "tests/config/pass"],
                                     stdout=subprocess.PIPE, check=True).stdout
            subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
            files = [os.path.join(place, name) for place, _, names in os.walk(directory) for name in names if name.endswith(".cfg")]
            good = [file for file in sorted(files) if self.accepts(self.core, file)[0] == 0]
            for file in good:
                status, text = self.accepts(self.here, file)
                if status:
                    cell.judge(RED, "refused", f"{os.path.relpath(file, directory)}:\n{last_lines(text)}")
                    return
        if not good:
            cell.judge(RED, "none", "the released core itself took none of its configs")
            return
        cell.judge(GREEN, "all taken", f"{len(good)} configs that vmm {self.core.name} takes with its own plugins")

    def command_line(self, cell):
        words = [set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", run(core.vmm, "--help")[1])) for core in (self.core, self.here)]
        gone = sorted(words[0] - words[1])
        judge(cell, gone, "gone", "all there", f"{len(words[0])} options of --help")

    def descriptions(self, core):
        """{what: its description} of all groups and types."""
        name = core.name if core is not self.here else HERE
        found = {group: ask(core.vmm, "--describe", group)["options"] for group in GROUPS}
        for file in sorted(os.listdir(self.plugins[name])):
            for kind in ask(core.vmm, "--describe", os.path.join(self.plugins[name], file))["types"]:
                found[kind["type"]] = kind["options"]
        return found

    def options(self, cell):
        old, new = self.descriptions(self.core), self.descriptions(self.here)
        lines = [f"{owner} is gone" for owner in old if owner not in new]
        lines += [line for owner in old if owner in new for line in worse(old[owner], new[owner], owner)]
        count = sum(map(len, old.values()))
        judge(cell, lines, "changed", "all mean the same", f"{count} options of {len(old)} groups and types")

    def json(self, cell):
        plugin = os.path.join(self.plugins[self.core.name], "serial.so")
        questions = [("--abi-info",), ("--describe", "machine"), ("--describe", plugin)]
        lines = []
        for question in questions:
            old, new = (ask(core.vmm, *question) for core in (self.core, self.here))
            lines += [f"{question[0]}: {line}" for line in lost(old, new)]
        judge(cell, lines, "changed", "all there", f"members of {len(questions)} answers")


def tables(versions, source):
    releases = [core for core in versions.cores if core is not versions.here]
    table = Table("T", "Configs, command line and tools", "What was made for a released vmm, with this tree's vmm and plugins.",
                  "made for", "what", [f"vmm {core.name}" for core in releases], [CONFIGS, OPTIONS, DEFAULTS, JSON])
    for core in releases:
        row = f"vmm {core.name}"
        if core.missing:
            for column in table.columns:
                table.at(row, column).judge(GREY, "not there", core.missing)
            continue
        release = Release(versions, source, core)
        for column, judge_column in ((CONFIGS, release.configs), (OPTIONS, release.command_line),
                              (DEFAULTS, release.options), (JSON, release.json)):
            judge_column(table.at(row, column))
    return [table]
