# SPDX-License-Identifier: Apache-2.0
"""Medians, spreads and ratios."""

import statistics


def median(values):
    return statistics.median(values)


def spread(values):
    """Half of the distance between the least and the greatest, as a part of the median; 0 for one value."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / 2 / abs(middle) if middle else 0.0


def ratio(ours, theirs):
    """Median of the ratios of what was measured side by side: {repetition: value} of each. None without such a pair."""
    pairs = [ours[n] / theirs[n] for n in ours if theirs.get(n)]
    return statistics.median(pairs) if pairs else None


def percentile(values, part):
    """The least value that `part` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-part * len(ordered) // 1) - 1))]
