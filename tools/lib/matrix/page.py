# SPDX-License-Identifier: Apache-2.0
"""The matrix as one HTML file without anything beside it: readable from a disk, on a small screen, in print, in the dark,
and without colours: each state has a sign, too."""

import html

from .cell import GREEN, GREY, RED

SIGN = {GREEN: "&#10003;", RED: "&#10007;", GREY: "&#8211;"}
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #667085; --paper: #ffffff; --line: #e3e7ee; --head: #f6f8fb;
  --green: #11643a; --green-bg: #e4f6ea; --red: #a3161c; --red-bg: #fde7e7; --grey: #667085; --grey-bg: #f0f2f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --quiet: #98a2b3; --paper: #14181f; --line: #2a313d; --head: #1b212b;
  --green: #7fdba3; --green-bg: #143524; --red: #ff9a9a; --red-bg: #471b1e; --grey: #98a2b3; --grey-bg: #222935; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .2rem; display: flex; align-items: baseline; gap: .6rem }
h2 b { display: inline-block; min-width: 1.7rem; text-align: center; border-radius: .4rem; background: var(--ink); color: var(--paper);
  font-size: .95rem; padding: .05rem .45rem; }
p { margin: .2rem 0 .9rem; max-width: 46rem } .quiet { color: var(--quiet) }
.sum { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1.4rem 0 0; padding: 0; list-style: none }
.sum li { border-radius: .6rem; padding: .5rem .95rem; } .sum strong { font-size: 1.35rem; margin-right: .35rem }
.wide { overflow-x: auto } table { border-collapse: separate; border-spacing: 0; font-size: .93rem; min-width: 26rem }
th { text-align: left; font-weight: 600; padding: .45rem .8rem; white-space: nowrap }
thead th { border-bottom: 2px solid var(--line); color: var(--quiet); font-size: .85rem }
tbody th { border-bottom: 1px solid var(--line); }
tbody tr.first th, tbody tr.first td { border-top: 1px solid var(--quiet) }
td { border-bottom: 1px solid var(--line); padding: .22rem .25rem; min-width: 7.5rem }
td a, td span { display: block; padding: .25rem .65rem; border-radius: .4rem; text-decoration: none; white-space: nowrap }
.green { background: var(--green-bg); color: var(--green) } .red { background: var(--red-bg); color: var(--red); font-weight: 600 }
.grey { background: var(--grey-bg); color: var(--grey) }
.why { border-left: 4px solid var(--red); padding: .1rem 0 .1rem 1rem; margin: 1rem 0 } .why h3 { font-size: 1rem; margin: .2rem 0 }
pre { background: var(--head); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; overflow-x: auto;
  font-size: .82rem; line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere }
ul.plain { padding-left: 1.2rem } footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; font-size: .88rem }
@media print { body { max-width: none; padding: 0 } h2, tr { break-inside: avoid; break-after: avoid } }
"""


def esc(text):
    return html.escape(str(text))


def cell_html(cell, anchors):
    sign = f'{SIGN[cell.state]} {esc(cell.word)}'
    if id(cell) in anchors:
        return f'<td><a class="{cell.state}" href="#{anchors[id(cell)]}" title="{esc(cell.why)[:600]}">{sign}</a></td>'
    return f'<td><span class="{cell.state}" title="{esc(cell.why)[:600]}">{sign}</span></td>'


def table_html(table, anchors):
    badge = f"<b>{table.letter}</b>" if table.letter else "<b>&#8721;</b>"
    lines = [f"<h2>{badge} {esc(table.title)}</h2>", f'<p class="quiet">{esc(table.about)}</p>', '<div class="wide"><table>']
    across = f" &#8595; &nbsp; {esc(table.across)} &#8594;" if table.across else ""
    columns = "".join(f'<th scope="col">{esc(column)}</th>' for column in table.columns)
    lines.append(f"<thead><tr><th>{esc(table.down)}{across}</th>{columns}</tr></thead><tbody>")
    before = None
    for row in table.rows:
        name = row.split(" ")[0] if table.is_grouped else None
        first = ' class="first"' if before and name != before else ""
        before = name
        cells = "".join(cell_html(table.at(row, column), anchors) for column in table.columns)
        lines.append(f'<tr{first}><th scope="row">{esc(row)}</th>{cells}</tr>')
    return "\n".join([*lines, "</tbody></table></div>"])


def reasons_html(tables, anchors):
    """Why cells are red and grey; cells of one table that have the same reason share it."""
    red = {}
    for table in tables:
        for (row, column), cell in table.cells.items():
            if cell.state == RED:
                red.setdefault((table.title, cell.word, cell.why), []).append((row, column, anchors[id(cell)]))
    lines = ["<h2><b>&#10007;</b> What is red, and why</h2>"] if red else []
    for (title, word, why), pairs in red.items():
        names = "".join(f'<h3 id="{anchor}">{esc(row)} &times; {esc(column)}</h3>' for row, column, anchor in pairs)
        lines.append(f'<div class="why">{names}<p class="quiet">{esc(title)}: {esc(word)}</p><pre>{esc(why)}</pre></div>')
    grey = {}
    for table in tables:
        for cell in table.cells.values():
            if cell.state == GREY:
                grey[cell.why] = grey.get(cell.why, 0) + 1
    if grey:
        lines.append("<h2><b>&#8211;</b> What is grey, and why</h2><ul class=\"plain\">")
        lines += [f"<li>{count} {'cell' if count == 1 else 'cells'}: {esc(why)}</li>" for why, count in grey.items()]
        lines.append("</ul>")
    return "\n".join(lines)


def page(tables, about, facts):
    """The whole page. about: what this tree is; facts: lines below it, of how it was made."""
    cells = [cell for table in tables for cell in table.cells.values()]
    anchors = {id(cell): f"red-{number}" for number, cell in enumerate(cells) if cell.state == RED}
    counts = {state: sum(cell.state == state for cell in cells) for state in (GREEN, RED, GREY)}
    words = {GREEN: "work", RED: "do not", GREY: "not run"}
    badges = "".join(f'<li class="{state if count else GREY}"><strong>{count}</strong>{words[state]}</li>' for state, count in counts.items())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>vmm: which versions work with which</title><style>{STYLE}</style></head><body>
<h1>Which versions work with which</h1>
<p>vmm, its plugins, the host's kernel and the guests are released each on its own. Each contract between two of them is tested
pair by pair: what is tested is the sum of the contracts, not all combinations, and of those a sample. {esc(about)}</p>
<ul class="sum">{badges}</ul>
{chr(10).join(table_html(table, anchors) for table in tables)}
{reasons_html(tables, anchors)}
<footer class="quiet">{"<br>".join(map(esc, facts))}</footer>
</body></html>
"""
