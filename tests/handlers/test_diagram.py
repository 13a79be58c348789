"""The page about the state machine is drawn from the table."""

from pathlib import Path

import pytest

from handlers import diagram
from handlers.fold import TABLE, Column, Link

PAGE = Path(__file__).parents[2] / "docs" / "state-machine.md"


def test_the_page_is_what_the_table_draws() -> None:
    assert PAGE.read_text(encoding="utf-8") == diagram.document(), "run `make docs`"


def test_every_cell_of_the_table_is_on_the_page() -> None:
    rows = [line for line in diagram.table() if line.startswith("| **")]
    assert len(rows) == len(Link)
    for link, row in zip(TABLE, rows, strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
        assert cells == [TABLE[link][column].value for column in Column]


def test_a_missing_cell_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    poorer = {link: {c: s for c, s in cells.items() if c is not Column.READ} for link, cells in TABLE.items()}
    monkeypatch.setattr(diagram, "TABLE", poorer)
    with pytest.raises(KeyError):
        list(diagram.table())
