# SPDX-License-Identifier: Apache-2.0
"""What the guest tests are written with; none of it knows a particular test."""
