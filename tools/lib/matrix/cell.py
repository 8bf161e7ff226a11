# SPDX-License-Identifier: Apache-2.0
"""A cell of the matrix: one pair, whether it works, and why not; and tables of cells."""

import dataclasses

GREEN, RED, GREY = "green", "red", "grey"
HERE = "this tree"


@dataclasses.dataclass
class Cell:
    """state None: not judged yet. `word` is what a table has room for, `why` all there is to say."""

    state: str | None = None
    word: str = ""
    why: str = ""

    def judge(self, state, word, why=""):
        self.state, self.word, self.why = state, word, why


@dataclasses.dataclass
class Table:
    """One contract: what is above its columns, the names of both, and a cell for each pair."""

    letter: str
    title: str
    about: str
    down: str
    across: str
    rows: list
    columns: list
    is_grouped: bool = False  # rows that begin with the same word belong together
    cells: dict = dataclasses.field(default_factory=dict)

    def at(self, row, column):
        """The cell of a pair, which is made when it is asked for first."""
        return self.cells.setdefault((row, column), Cell())

    def close(self, why):
        """What nobody has judged was not run."""
        for row in self.rows:
            for column in self.columns:
                cell = self.at(row, column)
                if cell.state is None:
                    cell.judge(GREY, "not run", why)

    def count(self, state):
        return sum(cell.state == state for cell in self.cells.values())
