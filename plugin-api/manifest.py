#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The layout manifest of the plugin ABI: every struct with its size and the offset and type of each
member or slot, every constant with its value, every typedef and function, as text.

  manifest.py --check   fails if manifest.txt is not what the headers say
  manifest.py --write   writes it; lines may only be added, and only with a higher VMM_ABI_MINOR
  manifest.py --write --draft   writes it whatever changed: while the version is not released

None of them takes a change that breaks a version in released/.

What offsets and values are is asked of the C compiler (CC or cc), not worked out here."""
import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
INCLUDE = os.path.join(HERE, "include")
MANIFEST = os.path.join(HERE, "manifest.txt")
RELEASED = os.path.join(HERE, "released")
NOT_ABI = {"support.h", "plugin.h"}


def squeeze(text):
    """One way to write a declaration, however it is laid out in the header."""
    text = re.sub(r"\s*([(),])\s*", r"\1", " ".join(text.split()))
    return text.replace(",", ", ").replace("(*", " (*").replace("  ", " ").strip()


def members_of(body):
    """(name, declaration) of each member or slot of a struct's body."""
    for declaration in body.split(";"):
        declaration = " ".join(declaration.split())
        if not declaration:
            continue
        slot = re.match(r"(.*?)\(\*(\w+)\)\((.*)\)$", declaration)
        if slot:
            yield slot[2], squeeze(f"{slot[1]}(*{slot[2]})({slot[3]})")
            continue
        first, *others = declaration.split(",")
        kind = re.match(r"(.*?)(\w+(?:\[[^]]*\])*)$", first.strip())
        for name in [kind[2]] + [other.strip() for other in others]:
            yield name.split("[")[0], squeeze(kind[1] + name)


def parse(path):
    """The declarations of a header, in its order, as tuples."""
    text = open(path, encoding="utf-8").read()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("\\\n", " ")
    found = []
    for m in re.finditer(r"^#define[ \t]+(VMM_\w+)[ \t]+(\S.*?)[ \t]*$", text, re.M):
        found.append((m.start(), "define", m[1]))
    for m in re.finditer(r"(?:typedef )?struct (vmm_\w+) \{\n(.*?)\n\}[ \w]*;", text, re.S):
        found.append((m.start(), "struct", m[1], list(members_of(m[2]))))
    for m in re.finditer(r"^typedef ([^{};]+);", text, re.M):
        found.append((m.start(), "typedef", squeeze(m[1])))
    for m in re.finditer(r"^VMM_EXPORT ([^{};]+);", text, re.M):
        found.append((m.start(), "function", squeeze(m[1])))
    return [item[1:] for item in sorted(found)]


def skipped(name):
    """Constants that are not part of the contract: guards, helpers of the compiler."""
    return name.endswith("_H") or name in {"VMM_EXPORT", "VMM_STATIC_ASSERT", "VMM_NOTE_LIBC"}


def ask_compiler(headers):
    """Sizes, offsets and values: a program prints them."""
    lines = ["#include <stdio.h>"] + [f"#include <vmm/{name}>" for name, _ in headers]
    lines += [
        "#define SHOW(x) _Generic((x), char *: show_text, const char *: show_text, \\",
        "default: show_number)(#x, (x))",
        "static void show_text(const char *n, const char *t) { printf(\"%s \\\"%s\\\"\\n\", n, t); }",
        "static void show_number(const char *n, long long v) { printf(\"%s %lld\\n\", n, v); }",
        "int main(void) {",
    ]
    for _, items in headers:
        for item in items:
            if item[0] == "define" and not skipped(item[1]):
                lines.append(f"printf(\"= \"); SHOW({item[1]});")
            elif item[0] == "struct":
                lines.append(f"printf(\"S {item[1]} %zu\\n\", sizeof(struct {item[1]}));")
                lines += [f"printf(\"O {item[1]}.{name} %zu\\n\", offsetof(struct {item[1]}, {name}));"
                          for name, _ in item[2]]
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "show.c")
        program = os.path.join(directory, "show")
        with open(source, "w", encoding="utf-8") as out:
            out.write("\n".join(lines))
        if subprocess.run(os.environ.get("CC", "cc").split() +
                          ["-std=c11", "-w", "-I", INCLUDE, source, "-o", program], check=False).returncode:
            sys.exit("The headers do not compile by themselves. If a VMM_ASSERT_ failed, something moved: " + MOVED)
        output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    facts = {}
    for line in output.splitlines():
        kind, name, value = line.split(" ", 2)
        facts[kind + name] = value
    return facts


def generate():
    names = sorted(name for name in os.listdir(os.path.join(INCLUDE, "vmm"))
                   if name.endswith(".h") and name not in NOT_ABI)
    headers = [(name, parse(os.path.join(INCLUDE, "vmm", name))) for name in names]
    facts = ask_compiler(headers)
    lines = [f"abi {facts['=VMM_ABI_MAJOR']}.{facts['=VMM_ABI_MINOR']}"]
    for name, items in headers:
        lines += ["", f"header vmm/{name}"]
        for item in items:
            if item[0] == "struct":
                lines.append(f"struct {item[1]} {facts['S' + item[1]]}")
                lines += [f"struct {item[1]} @{facts['O' + item[1] + '.' + member]} {declaration}"
                          for member, declaration in item[2]]
            elif item[0] != "define":
                lines.append(f"{item[0]} {item[1]}")
            elif not skipped(item[1]) and not item[1].startswith("VMM_ABI_M"):
                lines.append(f"define {item[1]} {facts['=' + item[1]]}")
    return lines


MOVED = """rule "append only" (docs/contracts/plugin.md): what a
plugin was built with keeps its place. Put new slots and members at the end, or make a new revision of the interface."""
SAME_VERSION = """rule "growth is a minor version" (docs/contracts/plugin.md):
raise VMM_ABI_MINOR in types.h, then run plugin-api/manifest.py --write."""


def is_fixed(line):
    """Lines that may never change: all but sizes, which grow, and the version."""
    return bool(line) and not re.match(r"abi |struct \w+ \d+$|define VMM_NOTE_DESC_BYTES ", line)


def refusal(old, new):
    """Why the change from old to new is not a minor release, or None."""
    known = set(new)
    gone = [line for line in old if is_fixed(line) and line not in known]
    if gone:
        return "these lines changed or went:\n  " + "\n  ".join(gone) + "\n" + MOVED
    if old and old != new and old[0] == new[0]:
        return f"the ABI grows, but its version is still {old[0].removeprefix('abi ')}: {SAME_VERSION}"
    return None


def read(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def breaks_a_release(new):
    """Why a plugin that was built with a released version might not work any more, or None."""
    for name in sorted(os.listdir(RELEASED)):
        reason = refusal(read(os.path.join(RELEASED, name, "manifest.txt")), new)
        if reason:
            return f"ABI {name} is released, and since then {reason}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true")
    action.add_argument("--write", action="store_true")
    parser.add_argument("--draft", action="store_true")
    arguments = parser.parse_args()

    new = generate()
    old = read(MANIFEST)
    broken = breaks_a_release(new)
    if arguments.check:
        if old == new and not broken:
            return 0
        sys.stdout.write("\n".join(difflib.unified_diff(old, new, "manifest.txt", "the headers",
                                                        lineterm="", n=0)) + "\n")
        if old != new:
            print("The headers and plugin-api/manifest.txt differ.")
        print(broken or refusal(old, new) or "It is a minor release: take it with plugin-api/manifest.py --write")
        return 1
    reason = broken or (None if arguments.draft else refusal(old, new))
    if reason:
        print(reason)
        return 1
    with open(MANIFEST, "w", encoding="utf-8") as out:
        out.write("\n".join(new) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
