#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of bench/ that need no machine: statistics, what is read from traces and programs, and what is written."""

import os
import sys
import tempfile
import unittest
from xml.dom import minidom

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [BENCH, os.path.join(os.path.dirname(BENCH), "tests/guest")]
sys.dont_write_bytecode = True

import rows  # noqa: E402
from measure import guests, plot, process, reasons, results, stats, systems, targets, trace  # noqa: E402
from rows import blk, latency, net, pio, requests, serving  # noqa: E402


def sample(row, case, system, value, repetition=0):
    return dict(row=row, case=case, system=system, value=value, unit="s", repetition=repetition)


class Statistics(unittest.TestCase):
    def test_spread_is_half_the_range_as_part_of_the_median(self):
        self.assertAlmostEqual(stats.spread([9, 10, 12]), 0.15)
        self.assertEqual(stats.spread([7]), 0)
        self.assertEqual(stats.spread([0, 0]), 0)

    def test_ratio_is_of_the_same_repetition(self):
        self.assertEqual(stats.ratio({0: 1, 1: 10, 2: 3}, {0: 2, 1: 20, 2: 3}), 0.5)

    def test_ratio_without_a_pair_is_none(self):
        self.assertIsNone(stats.ratio({0: 1}, {1: 2}))
        self.assertIsNone(stats.ratio({0: 1}, {0: 0}))

    def test_percentile_is_a_value_that_was_there(self):
        self.assertEqual(stats.percentile(range(1, 101), 0.99), 99)
        self.assertEqual(stats.percentile([5], 0.5), 5)


class GuestsThatEnd(unittest.TestCase):
    """A guest that is well until a step asks for its end."""

    class Guest:
        def __init__(self):
            self.system, self.vm, self.starts = self, None, 0
            self.name = "guest"

        def start(self):
            self.vm, self.starts, self.well = self, self.starts + 1, True

        def is_well(self):
            return self.well

    class Notes(list):
        def note(self, row, text):
            self.append(f"{row}: {text}")

    def setUp(self):
        self.bench, self.guest, self.calls = self.Notes(), self.Guest(), []
        self.bench.serving = [self.guest]

    def run_steps(self, times, steps, ends):
        def function(guest, step, repetition):
            self.calls.append((step, repetition))
            if ends(step):
                guest.well = False
                raise process.Failure("ended")

        serving.in_turn(self.bench, "row", times, steps, function)

    def test_a_step_is_done_in_a_new_guest_where_one_ended(self):
        self.run_steps(1, ["a", "b"], lambda step: step == "a" and self.calls.count(("a", 0)) == 1)
        self.assertEqual(self.calls, [("a", 0), ("a", 0), ("b", 0)])
        self.assertEqual((self.guest.starts, self.bench), (2, ["row: guest: ended"]))

    def test_a_step_that_always_ends_it_is_given_up(self):
        self.run_steps(2, ["a", "b"], lambda step: step == "a")
        self.assertEqual(self.calls, [("a", 0)] * serving.TRIES_MAX + [("b", 0), ("b", 1)])

    def test_there_is_an_end_to_starts(self):
        self.run_steps(100, ["a"], lambda _: len(self.calls) % 2 == 1)
        self.assertEqual(self.guest.starts, serving.STARTS_MAX)
        self.assertEqual(len(self.calls), 2 * serving.STARTS_MAX - 1)


class Traces(unittest.TestCase):
    def test_events_have_their_thread_and_time(self):
        text = (
            "# tracer: nop\n"
            "             vmm-71      [000] .....    12.000100: sched_process_exec: filename=/vmm pid=71 old_pid=71\n"
            "       CPU 0/KVM-73      [001] d....    12.000900: kvm_entry: vcpu 0, rip 0xfff0\n"
        )
        events = trace.parse_events(text)
        self.assertEqual(events, [(12.0001, "sched_process_exec", 71), (12.0009, "kvm_entry", 73)])
        self.assertEqual(trace.seconds_of(events, "kvm_entry"), 12.0009)
        self.assertIsNone(trace.seconds_of(events, "kvm_entry", 71))

    def test_histogram(self):
        text = "# event histogram\n{ exit_reason:        123 } hitcount:         45\n\nTotals:\n    Hits: 45\n"
        self.assertEqual(trace.parse_histogram(text, "exit_reason"), {123: 45})

    def test_exit_reasons_have_names_by_processor(self):
        self.assertEqual(reasons.guest_reason(0x7B, amd=True), "port")
        self.assertEqual(reasons.guest_reason(30, amd=False), "port")
        self.assertEqual(reasons.guest_reason(0x999, amd=True), "0x999")


class Programs(unittest.TestCase):
    def test_batches_become_nanoseconds_for_each_access(self):
        text = "exits\r\nbatch 3e8 mul 80000000 shift 1 accesses a\nbatch 3e8 mul 80000000 shift ff accesses a\nend\n"
        self.assertEqual(pio.parse_batches(text.replace("\r", "")), [100, 25])


    def test_memory_of_a_guest_is_the_mapping_of_its_size(self):
        text = (
            "7f0000000000-7f0010000000 rw-p 00000000 00:00 0 \nSize: 262144 kB\nPss:    1000 kB\nPss_Dirty: 9 kB\n"
            "7f0020000000-7f0020400000 r--p 00000000 00:00 0  /lib/libc.so.6\nSize: 4 kB\nPss:       3 kB\n"
            "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0  [stack]\nPss:      40 kB\n"
        )
        self.assertEqual(process.parse_smaps(text, 256), (43, 1000))

    def test_fio_iperf3_and_ping(self):
        fields = ["3", "fio-3.33", "x"] + ["0"] * 60
        fields[blk.READ_IOPS], fields[blk.WRITE_IOPS] = "1500", "20"
        self.assertEqual(blk.parse_iops("note: something\n" + (";".join(fields) + "\n") * 2), [1520, 1520])
        rates = "[  5]  0.00-1.00 sec  9 MBytes  70.1 Mbits/sec  0  sender\n[  5]  0.00-1.02 sec  9 MBytes  1.25 Gbits/sec  receiver\n"
        self.assertEqual(net.parse_rate(rates), 1250)
        pings = "64 bytes from 10.0.2.2: seq=0 ttl=64 time=9.000 ms\n64 bytes from 10.0.2.2: seq=1 ttl=64 time=0.250 ms\n"
        self.assertEqual(net.parse_pings(pings), [250])
        self.assertEqual(latency.parse_p99("3;fio;95.000000%=90;99.000000%=120;99.500000%=400"), 120)

    def test_calls_and_wake_ups_of_vcpus_are_apart(self):
        counts = {
            requests.CALL: {1: 30, 2: 999},  # thread 2 has exits: a vCPU
            requests.WAKE: {1: 10, 2: 20, 3: 10},
            requests.EXIT: {2: 40},
            requests.INTERRUPT: {1: 4, 77: 1},  # whoever raises them
        }
        self.assertEqual([figure for _, figure in requests.figures(counts, 10)], [3, 2, 2, 0.5, 4])


class Commands(unittest.TestCase):
    settings = {"vmm": "/vmm", "exits": "/exits"}

    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.directory = held.name

    def test_every_system_has_all_disks_and_cards(self):
        disks = (systems.Disk("/a"), systems.Disk("/b", direct=True))
        guest = systems.Guest("/k", disks=disks, nets=(systems.Net("user"), systems.Net("vhost", tap="cable")))
        for make in systems.ALL:
            with self.subTest(make.name):
                command = make(self.settings).command(guest, self.directory)
                if make is systems.Vmm:
                    with open(command[2]) as file:
                        command = [file.read()]
                text = " ".join(command)
                for part in ("/k", "/a", "/b", "cable"):
                    self.assertIn(part, text)

    def test_a_disk_with_nothing_behind_it_has_no_file(self):
        settings = {**self.settings, "vmm": "/prefix/bin/vmm", "strangers": "/strangers"}
        guest = systems.Guest("/k", disks=(systems.Disk(mib=3),))
        command = systems.Vmm(settings).command(guest, self.directory)
        with open(command[2]) as file:
            text = file.read()
        for part in ('"empty-disk"', '"3M"', '"/strangers"'):
            self.assertIn(part, text)
        command = systems.Q35(settings).command(guest, self.directory)
        self.assertIn("if=none,id=disk0,driver=null-co,size=3145728", command)

    def test_small_kernel_gets_a_way_to_end(self):
        command = systems.Q35(self.settings).command(guests.exit_loop(self.settings, "pio"), self.directory)
        self.assertIn("isa-debug-exit,iobase=0xf4,iosize=4", command)


class Tables(unittest.TestCase):
    samples = [
        sample("boot", "", "vmm", 1.0, 0),
        sample("boot", "", "qemu-q35", 4.0, 0),
        sample("boot", "", "vmm", 1.2, 1),
        sample("boot", "", "qemu-q35", 4.0, 1),
        sample("boot", "", "lkvm", 1.2, 1),
        {"row": "boot", "note": "first | line\nsecond"},
    ]

    def setUp(self):
        self.table = results.summarize(self.samples, ["boot"])
        self.markdown = results.markdown(self.table, self.samples[-1:], {"title": "T", "facts": {"a": "b"}})

    def test_line_has_median_and_ratio(self):
        self.assertEqual(len(self.table), 1)
        figures = self.table[0]["systems"]
        self.assertAlmostEqual(figures["vmm"]["median"], 1.1)
        self.assertAlmostEqual(figures["qemu-q35"]["ratio"], 0.275)
        self.assertAlmostEqual(figures["lkvm"]["ratio"], 1.0)

    def test_targets_are_judged_and_missing_peers_are_not(self):
        judged = {t["of"]: t["reached"] for t in self.table[0]["targets"]}
        self.assertEqual(judged, {"qemu-q35": True, "lkvm": False})

    def test_rows_keep_their_order(self):
        samples = [sample("start", "", "vmm", 1), sample("boot", "", "vmm", 1)]
        self.assertEqual([line["row"] for line in results.summarize(samples, ["boot", "start"])], ["boot", "start"])

    def test_markdown_has_one_cell_for_each_column(self):
        lines = [line for line in self.markdown.splitlines() if line.startswith("|")]
        self.assertEqual(len({line.count("|") - line.count("\\|") for line in lines}), 1)
        self.assertIn("NOT reached", self.markdown)
        self.assertIn("      second", self.markdown)

    def test_text_says_the_same(self):
        self.assertIn("<= 0.5 of qemu-q35: reached", results.text(self.table))

    def test_spread_is_shown_of_what_was_measured_more_than_once(self):
        line = next(line for line in self.markdown.splitlines() if line.startswith("| boot"))
        self.assertIn("| 1.10 ±9.1% |", line)
        self.assertIn("| 1.20 |", line)

    def test_line_without_our_figure_is_shown_and_not_judged(self):
        table = results.summarize([sample("boot", "", "qemu-q35", 4.0)], ["boot"])
        self.assertIsNone(table[0]["targets"][0]["reached"])
        self.assertIn("not known", results.text(table))

    def test_plot_is_xml_with_a_bar_for_each_figure(self):
        document = minidom.parseString(plot.svg(self.table, "a < b"))
        bars = [r for r in document.getElementsByTagName("rect") if r.getAttribute("height") == str(plot.BAR - 1)]
        self.assertEqual(len(bars), 3)

    def test_bars_stay_on_the_axis(self):
        self.assertEqual(plot.place(0), 0)
        self.assertEqual(plot.place(1e9), plot.place(100))

    def test_every_target_is_of_a_row(self):
        self.assertLessEqual({t.row for t in targets.ALL}, {row.NAME for row in rows.ALL})


class Numbers(unittest.TestCase):
    def test_three_digits_that_count(self):
        cases = ((0, "0"), (12345.6, "12346"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012"))
        for value, text in cases:
            self.assertEqual(results.number(value), text)


if __name__ == "__main__":
    unittest.main()
