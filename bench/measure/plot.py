# SPDX-License-Identifier: Apache-2.0
"""The table as a picture: for each line a group of bars, as long as the figure is to that of this project. SVG."""

import math
from xml.sax.saxutils import escape

from .results import OURS, number, peers_of

WIDTH, LABEL, BAR, GAP, TOP = 900, 330, 9, 8, 64
COLOURS = {OURS: "#1b6ca8", "qemu-q35": "#d98324", "qemu-microvm": "#e8b66b", "lkvm": "#7a7a7a", "host": "#b8b8b8"}
DECADES = 4  # the axis is logarithmic: from 1/100 to 100


def place(ratio):
    """Pixels from the axis' left end for a ratio; what is beyond the ends is at them."""
    decades = math.log10(ratio) if ratio > 0 else -DECADES / 2
    part = (decades + DECADES / 2) / DECADES
    return (WIDTH - LABEL - 90) * min(1.0, max(0.0, part))


def _grid(height):
    for power in range(-DECADES // 2, DECADES // 2 + 1):
        x = LABEL + place(10.0**power)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 8}" stroke="#ccc"/>'
        yield f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{10.0**power:g}</text>'


def _group(line, names, y):
    ours = line["systems"][OURS]["median"]
    title = f"{line['row']}: {line['case']}" if line["case"] else line["row"]
    yield f'<text x="{LABEL - 8}" y="{y + BAR}" text-anchor="end">{escape(title)} ({escape(line["unit"])})</text>'
    for name in names:
        figure = line["systems"].get(name)
        if not figure:
            continue
        origin, end = LABEL + place(1), LABEL + place(figure["median"] / ours if ours else 1)
        x, width = min(origin, end), max(2.0, abs(end - origin))
        yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR - 1}" fill="{COLOURS.get(name, "#999")}"/>'
        yield f'<text x="{x + width + 4:.1f}" y="{y + BAR - 1}">{number(figure["median"])}</text>'
        y += BAR


def svg(table, title):
    names = [OURS, *peers_of(table)]
    shown = [line for line in table if OURS in line["systems"] and len(line["systems"]) > 1]
    height = TOP + sum(GAP + BAR * len(line["systems"]) for line in shown) + 16
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"',
        ' font-family="sans-serif" font-size="9">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="18" font-size="14">{escape(title)}</text>',
        f'<text x="8" y="{TOP - 12}">figure relative to {OURS}\'s, logarithmic</text>',
    ]
    for n, name in enumerate(names):
        out.append(f'<rect x="{LABEL + 120 * n}" y="26" width="10" height="10" fill="{COLOURS.get(name, "#999")}"/>')
        out.append(f'<text x="{LABEL + 14 + 120 * n}" y="35">{escape(name)}</text>')
    out += _grid(height)
    y = TOP
    for line in shown:
        out += _group(line, names, y)
        y += GAP + BAR * len(line["systems"])
    return "\n".join([*out, "</svg>"]) + "\n"
