# SPDX-License-Identifier: Apache-2.0
"""Tables as text, for a terminal, with what is red explained below."""

from .cell import GREY, RED

MARK = {"green": "+", "red": "!", "grey": "-"}


def table_text(table):
    rows = [[table.down, *table.columns]]
    for row in table.rows:
        cells = [table.at(row, column) for column in table.columns]
        rows.append([row, *(f"{MARK[cell.state]} {cell.word}" for cell in cells)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([": ".join(filter(None, (table.letter, table.title))), *(f"  {line}" for line in lines)])


def reasons(tables, state):
    return [f"{table.letter}: {row}, {column}: {cell.word}: {cell.why}"
            for table in tables for (row, column), cell in table.cells.items() if cell.state == state]


def show(tables):
    for table in tables:
        print(table_text(table), end="\n\n")
    grey = {}
    for table in tables:
        for cell in table.cells.values():
            if cell.state == GREY:
                grey[cell.why] = grey.get(cell.why, 0) + 1
    for why, count in grey.items():
        print(f"- {count} cells: {why}")
    for reason in reasons(tables, RED):
        print(f"! {reason}")
