#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of tests/guest/kit that need no machine."""

import os
import sys
import unittest

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
sys.dont_write_bytecode = True

from kit import state  # noqa: E402

SYMBOLS = "ffffffffc0831000 t svm_set_cr0\t[kvm_amd]\nffffffffc0831170 t __svm_vcpu_run\t[kvm_amd]\n"


class Exits(unittest.TestCase):
    def test_address_behind_vmrun_is_the_kernels_here(self):
        self.assertTrue(state.is_entry("0xffffffffc083120c", SYMBOLS))

    def test_other_addresses_are_the_guests(self):
        for address in ("0xffffffffc083116f", "0xffffffffc0831370", "0x7c00"):
            self.assertFalse(state.is_entry(address, SYMBOLS))

    def test_kernel_that_enters_guests_otherwise_has_no_such_place(self):
        self.assertFalse(state.is_entry("0xffffffffc083120c", "ffffffffc0831170 t __vmx_vcpu_run\t[kvm_intel]\n"))


if __name__ == "__main__":
    unittest.main()
