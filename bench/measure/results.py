# SPDX-License-Identifier: Apache-2.0
"""From samples to lines of the table, as data, as Markdown and as text."""

from . import stats, targets

OURS = "vmm"


def summarize(samples, order):
    """Lines of the table from the samples: one for each row and case, in the order of `order` (rows) and of coming."""
    lines = {}
    for s in samples:
        if "value" not in s:
            continue
        line = lines.setdefault((s["row"], s["case"]), {"unit": s["unit"], "systems": {}})
        line["systems"].setdefault(s["system"], {}).setdefault(s["repetition"], s["value"])
    table = []
    for (row, case), line in sorted(lines.items(), key=lambda item: order.index(item[0][0])):
        table.append({"row": row, "case": case, "unit": line["unit"], "systems": _systems(line["systems"])})
        table[-1]["targets"] = _judged(row, case, table[-1]["systems"])
    return table


def _systems(values):
    """Median, spread, and ratio of ours to it, of each system."""
    ours = values.get(OURS, {})
    result = {}
    for name, by_repetition in values.items():
        figures = list(by_repetition.values())
        result[name] = {"median": stats.median(figures), "spread": stats.spread(figures), "values": figures}
        if name != OURS:
            result[name]["ratio"] = stats.ratio(ours, by_repetition)
    return result


def _judged(row, case, systems):
    """The targets of a line; `reached` is None where there is nothing to compare."""
    judged = []
    for target in targets.of(row, case):
        if target.of and target.of not in systems:
            continue
        value = None
        if OURS in systems:
            value = systems[target.of].get("ratio") if target.of else systems[OURS]["median"]
        reached = None if value is None else target.reached(value)
        judged.append({"text": target.text(), "of": target.of, "reached": reached})
    return judged


def number(value):
    """Three digits that count, without an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1}f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _figure(figure):
    """With its spread, if it was measured more than once."""
    spread = f" ±{100 * figure['spread']:.1f}%" if len(figure["values"]) > 1 else ""
    return number(figure["median"]) + spread


def _cells(line, peers):
    """The cells of a line: name, unit, ours, then figure and ratio of each peer, and the verdict."""
    cells = [line["row"], line["case"], line["unit"]]
    for name in (OURS, *peers):
        figure = line["systems"].get(name)
        cells.append(_figure(figure) if figure else "")
        if name != OURS:
            ratio = figure and figure.get("ratio")
            cells.append("" if ratio is None or not figure else number(ratio))
    verdicts = []
    for target in line["targets"]:
        word = {True: "reached", False: "NOT reached", None: "not known"}[target["reached"]]
        verdicts.append(f"{target['text']}: {word}")
    return [*cells, "; ".join(verdicts)]


def _head(peers):
    head = ["row", "case", "unit", OURS]
    for peer in peers:
        head += [peer, f"/{peer.removeprefix('qemu-')}"]
    return [*head, "must reach"]


def peers_of(table):
    names = []
    for line in table:
        names += [n for n in line["systems"] if n != OURS and n not in names]
    return names


def markdown(table, notes, about):
    peers = peers_of(table)
    lines = [f"# {about['title']}", ""]
    lines += [f"- {key}: {value}" for key, value in about["facts"].items()]
    lines += ["", "| " + " | ".join(_head(peers)) + " |"]
    lines.append("|" + "|".join(["---"] * 3 + ["---:"] * (1 + 2 * len(peers)) + ["---"]) + "|")
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(line, peers)) + " |" for line in table]
    if notes:
        lines += ["", "## Notes", ""]
        for note in notes:
            first, *rest = f"{note['row']}: {note['note']}".strip().splitlines()
            lines += [f"- {first}", *(f"      {line}" for line in rest)]
    lines += ["", "A figure is the median, ± half of its range. A ratio is ours to theirs, the median of the ratios of"]
    lines += ["runs side by side. What is measured, and how: `bench/README.md`."]
    return "\n".join(lines) + "\n"


def text(table):
    """The same for a terminal: columns as wide as they have to be."""
    peers = peers_of(table)
    rows = [_head(peers), *(_cells(line, peers) for line in table)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    left = (0, 1, 2, len(widths) - 1)
    out = []
    for row in rows:
        cells = [c.ljust(w) if n in left else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths))]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out) + "\n"
