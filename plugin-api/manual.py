#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The reference part of vmm-plugin(3), made from the headers and their comments, so that it cannot say something else.

  manual.py TEMPLATE PAGE   writes PAGE: TEMPLATE with the reference for its line "@REFERENCE@"
  manual.py --check         names functions whose comments do not say on which thread they may be called"""
import os
import re
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
INCLUDE = os.path.join(HERE, "include", "vmm")
# As one reads them first.
ORDER = ("entry device option types memory io irq loop log stream file acpi machine pci virtio support").split()
CONTEXT = re.compile(r"\[(config|loop|vcpu|any)\]|worker thread")
COMMENT = r"/\*.*?\*/"
TOP = re.compile(
    rf"(?P<comment>{COMMENT})"
    r"|^#define[ \t]+(?P<define>VMM_\w+)(?P<macro>\([^)]*\))?[ \t]+(?P<value>(?:/(?!\*)|[^\n/\\]|\\\n)*)"
    r"|^(?:typedef )?struct (?P<struct>vmm_\w+) \{\n(?P<body>.*?)\n\}[ \w]*;"
    r"|^typedef (?P<typedef>[^{};]+);"
    r"|^(?:VMM_EXPORT )?(?P<function>(?:int32_t|void) vmm_[^{};]+);",
    re.M | re.S,
)
MEMBER = re.compile(rf"(?P<comment>{COMMENT})|(?P<declaration>[^;/]+);", re.S)
INTERNAL = re.compile(r"_H$|^VMM_(EXPORT|PRINTF|STATIC_ASSERT|ASSERT_\w+|NOTE_\w+)$")


def plain(comment):
    """The text of a comment, paragraphs apart by an empty line."""
    lines = [re.sub(r"^\s*\*? ?", "", line) for line in re.sub(r"^/\*+|\*+/$", "", comment).split("\n")]
    return "\n".join(line.rstrip() for line in lines).strip()


def with_comments(text, pattern):
    """(match, text of its comments): those before it without a line between, and what follows on its line."""
    found, pending, end = [], None, 0
    for match in pattern.finditer(text):
        between = text[end : match.start()]
        if match["comment"]:
            if found and pending is None and "\n" not in between + text[end - 1 : end]:
                found[-1][1] = f"{found[-1][1]} {plain(match['comment'])}".strip()
            else:
                pending = plain(match["comment"])
        else:
            found.append([match, pending or ""])
            pending = None
        end = match.end()
    return found


def marked(line):
    """A line of text; names of functions in it are marked as such."""
    while match := re.search(r"(?P<before>.*?)(?P<open>\(?)\b(?P<name>\w+)\(\)(?P<close>[).,:;]*) ?", line):
        if match["before"].strip():
            yield match["before"].strip()
        yield " ".join([".Fn" if not match["open"] else ".Po Fn", match["name"], *match["close"]])
        line = line[match.end() :]
    if line:
        yield "\\&" + line if line[0] in ".'" else line


def prose(text):
    """Text as mdoc: a line for each sentence, none too long, nothing in it that is a request."""
    out = []
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
        if re.search(r"\n\s{2,}\S", "\n" + paragraph):  # laid out by hand
            out += [".Bd -literal", *(line.replace("\\", "\\e").expandtabs() for line in paragraph.split("\n")), ".Ed"]
            continue
        if number:
            out.append(".Pp")
        words = " ".join(paragraph.split()).replace("\\", "\\e")
        for sentence in re.split(r"(?<=[A-Za-z0-9)\]][.]) ", words):
            for line in textwrap.wrap(sentence, 76, break_long_words=False, break_on_hyphens=False):
                out += marked(line)
    return out


def function(declaration):
    """(name, [arguments]) of a slot or a function, or None."""
    match = re.match(r".*?(?:\(\*(\w+)\)|\b(vmm_\w+)) ?\((.*?)\)(?: VMM_PRINTF.*)?$", " ".join(declaration.split()))
    return match and (match[1] or match[2], [word.strip() for word in match[3].split(",")])


def called(declaration):
    name, arguments = function(declaration)
    return f".It Fn {name} " + " ".join(f'"{word}"' for word in arguments)


def members(body):
    for match, comment in with_comments(body, MEMBER):
        declaration = " ".join(match["declaration"].split())
        if "(*" in declaration:
            yield called(declaration), comment, True
        else:
            yield f'.It Va "{declaration}"', comment, False


def item(match, comment):
    """The lines of one thing in a header."""
    if match["define"]:
        value = " ".join(match["value"].replace("\\\n", " ").split())
        shown = f"{match['define']}{match['macro'] or ''}"
        yield f'.It Dv "{shown}"' + (f" = {value}" if re.fullmatch(r'\(?-?[\w"./]+\)?', value) else "")
        yield from prose(comment)
    elif match["struct"]:
        yield f'.It Vt "struct {match["struct"]}"'
        yield from prose(comment)
        yield ".Bl -tag -width Ds"
        for head, text, _ in members(match["body"]):
            yield head
            yield from prose(text)
        yield ".El"
    elif match["typedef"]:
        slot = function(match["typedef"])
        yield called(match["typedef"]) if slot else f'.It Vt "{" ".join(match["typedef"].split())}"'
        yield from prose(comment)
    else:
        yield called(match["function"])
        yield from prose(comment)


def headers():
    for name in ORDER:
        with open(os.path.join(INCLUDE, name + ".h"), encoding="utf-8") as file:
            text = file.read()
        licence, about, rest = re.match(rf"({COMMENT})\s*({COMMENT})(.*)", text, re.S).groups()
        found = [
            (match, comment)
            for match, comment in with_comments(rest, TOP)
            if not (match["define"] and INTERNAL.search(match["define"]))
            and not re.match(r"struct \w+ \w+$", match["typedef"] or "")
        ]
        yield name, plain(about), found


def reference():
    lines = []
    for name, about, found in headers():
        lines += [f".Ss vmm/{name}.h", *prose(about), ".Bl -tag -width Ds"]
        for match, comment in found:
            lines += item(match, comment)
        lines.append(".El")
    return [line for line in lines if line]


def check():
    """Functions without a context, as text."""
    missing = []
    for name, about, found in headers():
        for match, comment in found:
            if match["function"] and not CONTEXT.search(comment):
                missing.append(f"{name}.h: {function(match['function'])[0]}")
            if match["struct"]:
                missing += [
                    f"{name}.h: {head.split()[2]} of struct {match['struct']}"
                    for head, text, is_slot in members(match["body"])
                    if is_slot and not CONTEXT.search(text + comment)
                ]
    return missing


def main():
    if sys.argv[1:] == ["--check"]:
        missing = check()
        for text in missing:
            print(f"{text}: its comment does not say on which thread it may be called")
        return 1 if missing else 0
    template, page = sys.argv[1:]
    with open(template, encoding="utf-8") as file:
        text = file.read()
    with open(page, "w", encoding="utf-8") as file:
        file.write(text.replace("@REFERENCE@", "\n".join(reference())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
