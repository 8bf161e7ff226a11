# SPDX-License-Identifier: Apache-2.0
"""Adds a job to an initramfs: the kernel unpacks one archive (newc cpio) after the other."""

# What every job starts with. -x: the log shows what the guest did last.
PRELUDE = """#!/bin/sh
exec 2>&1
set -ex
"""


def _entry(name, mode, data):
    name = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name
    head += b"\0" * (-len(head) % 4)
    return head + data + b"\0" * (-len(data) % 4)


def with_script(base, script, destination):
    """Writes the initramfs `base` with /job, an executable text, to `destination`."""
    with open(base, "rb") as file:
        archive = file.read()
    archive += b"\0" * (-len(archive) % 512)
    archive += _entry("job", 0o100755, script.encode()) + _entry("TRAILER!!!", 0, b"")
    with open(destination, "wb") as file:
        file.write(archive)
    return destination


def with_job(base, job, destination):
    """The same with a job: shell commands, shown as they run, the first failure being the end."""
    return with_script(base, PRELUDE + job, destination)
