# SPDX-License-Identifier: Apache-2.0
"""The parts of tools/matrix: what there is (versions), the cells of each contract, and how they are shown."""
