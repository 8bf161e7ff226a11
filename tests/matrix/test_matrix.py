#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of tools/matrix that need no vmm: how cells are judged, which pairs are tried, what the page shows."""

import os
import struct
import sys
import tempfile
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tools/lib"))
sys.dont_write_bytecode = True

from matrix import machines, page, plugins, text, tools, versions  # noqa: E402
from matrix.cell import GREEN, GREY, HERE, RED, Cell, Table  # noqa: E402


def elf(section, note):
    """As little of an ELF file as note_of() reads: a note and the names of sections."""
    names = b"\0" + section + b"\0"
    body = note + names
    sections = struct.pack("<IIQQQQ", 1, 7, 0, 0, 64, len(note)) + b"\0" * 24
    sections += struct.pack("<IIQQQQ", 0, 3, 0, 0, 64 + len(note), len(names)) + b"\0" * 24
    header = bytearray(64)
    struct.pack_into("<Q", header, 0x28, 64 + len(body))
    struct.pack_into("<HHH", header, 0x3A, 64, 2, 1)
    return bytes(header) + body + sections


def option(name, **more):
    return {"name": name, "type": "uint", "default": "1", "required": False, "min": 0, "max": 9, **more}


class Cast:
    """Versions without files: an old and a new core, one plugin of each."""

    def __init__(self, needs_minor):
        self.old, self.here = versions.Core("0.1.0", "old", "", "", 0, 1), versions.Core(HERE, "new", "", "", 0, 2)
        self.cores = [self.old, self.here]
        self.plugins = {"0.1.0": versions.Plugin("x", "0.1.0", "", "", 0, 1, 0),
                        HERE: versions.Plugin("x", HERE, "", "", 0, 2, needs_minor)}

    def sets(self):
        return ["0.1.0", HERE]

    def names(self):
        return ["x"]

    def of(self, name, base):
        return self.plugins[base]

    def directory(self, base):
        return base


class Rules(unittest.TestCase):
    def test_note_is_read_from_the_file(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(elf(versions.NOTE_SECTION, b"\0" * 16 + struct.pack("<III", 3, 5, 4)))
            file.flush()
            self.assertEqual(versions.note_of(file.name), (3, 5, 4))

    def test_file_without_a_note_is_an_error(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(elf(b".note.other", b"\0" * 28))
            file.flush()
            self.assertRaises(ValueError, versions.note_of, file.name)

    def test_older_core_takes_what_its_minor_is_enough_for(self):
        self.assertFalse(versions.fits(Cast(2).old, Cast(2).plugins[HERE]))
        self.assertTrue(versions.fits(Cast(1).old, Cast(1).plugins[HERE]))
        self.assertFalse(versions.fits(versions.Core("1", major=1, minor=9), Cast(0).plugins[HERE]))

    def refusal(self, status, said):
        cell = Cell()
        plugins.refused(cell, Cast(2).plugins[HERE], status, said)
        return cell.state, cell.word

    def test_refusal_has_to_name_file_and_abi(self):
        self.assertEqual(self.refusal(4, "x.so: needs plugin ABI 0.2"), (GREEN, "refused"))
        self.assertEqual(self.refusal(4, "Segmentation fault"), (RED, "bad refusal"))
        self.assertEqual(self.refusal(0, ""), (RED, "not refused"))


class Compatible(unittest.TestCase):
    def test_members_may_come_but_not_go(self):
        self.assertEqual(tools.lost({"a": 1}, {"a": 2, "b": 3}), [])
        self.assertEqual(tools.lost({"a": {"b": 1}}, {"a": {}}), [".a.b is gone"])
        self.assertEqual(tools.lost([{"a": 1}], [{"a": "1"}]), ["[].a was int"])

    def worse(self, old, new):
        return list(tools.worse(old, new, "t"))

    def test_option_that_means_something_else_is_found(self):
        self.assertEqual(self.worse([option("o")], [option("o"), option("p")]), [])
        self.assertEqual(self.worse([option("o")], []), ["t.o is gone"])
        self.assertEqual(self.worse([option("o")], [option("o", default="2")]), ["t.o: uint, default 2; was uint, default 1"])
        self.assertEqual(self.worse([option("o")], [option("o", max=8)]), ["t.o: the range is narrower"])
        self.assertEqual(self.worse([option("o")], [option("o", required=True)]), ["t.o is required now"])
        self.assertEqual(self.worse([], [option("o", required=True)]), ["t.o is new and required"])
        self.assertEqual(self.worse([option("o", values=["a", "b"])], [option("o", values=["b"])]), ["t.o: a is gone"])


class Guests(unittest.TestCase):
    def jobs(self, cast, seed=1):
        kernel, guest, sets = machines.kernel_table(cast), machines.guest_table(cast), machines.set_table(cast)
        sample, chosen = machines.sample_table(cast, seed)
        return machines.jobs_of(cast, kernel, guest, sets, sample, chosen), (kernel, guest, sets, sample)

    def test_each_guest_is_started_once(self):
        jobs, _ = self.jobs(Cast(1))
        keys = [(job.core.name, job.plugins, job.host, job.guest) for job in jobs]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertLess(len(keys), len(Cast(1).cores) * 2 * len(machines.KERNELS) ** 2)

    def test_set_that_is_refused_is_not_started(self):
        jobs, (_, _, sets, _) = self.jobs(Cast(2))
        self.assertEqual(sets.at(f"plugins {HERE}", "0.1.0").state, GREY)
        self.assertNotIn(("0.1.0", HERE), {(job.core.name, job.plugins) for job in jobs})

    def test_sample_is_the_same_for_the_same_seed(self):
        rows = [machines.sample_table(Cast(1), seed)[0].rows for seed in (7, 7, 8)]
        self.assertEqual(rows[0], rows[1])
        self.assertNotEqual(rows[0], rows[2])
        self.assertEqual(len(rows[0]), machines.SAMPLES)

    def test_verdict_is_that_of_all_cells_of_a_guest(self):
        job = machines.Job([Cell(), Cell()], Cast(1).here, "", "6.1", "6.1")
        machines.take_verdict(job, "fail 3.0\nno disk\n")
        self.assertEqual([(cell.state, cell.why) for cell in job.cells], [(RED, "no disk")] * 2)
        machines.take_verdict(job, "pass 3.0\n")
        self.assertEqual({cell.state for cell in job.cells}, {GREEN})


class Page(unittest.TestCase):
    def setUp(self):
        self.table = Table("P", "<pairs>", "", "row", "column", ["a", "b"], ["c"])
        self.table.at("a", "c").judge(RED, "fails", "because of <that>")
        self.table.close("nobody asked")

    def test_red_has_its_reason_and_grey_too(self):
        shown = page.page([self.table], "", ["made today"])
        self.assertIn("because of &lt;that&gt;</pre>", shown)
        self.assertIn("1 cell: nobody asked", shown)
        self.assertIn("&lt;pairs&gt;", shown)
        self.assertNotIn("<that>", shown)
        self.assertNotIn("<script", shown)

    def test_a_link_leads_to_each_reason(self):
        shown = page.page([self.table], "", [])
        self.assertIn('href="#red-0"', shown)
        self.assertIn('id="red-0"', shown)

    def test_text_has_a_sign_for_each_state(self):
        self.assertRegex(text.table_text(self.table), r"a +! fails\n +b +- not run")


if __name__ == "__main__":
    unittest.main()
