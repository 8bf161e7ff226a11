# SPDX-License-Identifier: Apache-2.0
"""What measurements are written with: the systems that are compared, their processes, tracing, statistics, tables."""
