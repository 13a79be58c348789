"""The page about the state machine is drawn from the table."""

import itertools
import re
from collections.abc import Sequence
from datetime import timedelta
from math import hypot
from pathlib import Path
from xml.etree import ElementTree

import pytest

from handlers import diagram
from handlers.connection import Connection
from handlers.fold import TABLE, Column, Link
from handlers.machine import advance
from handlers.state import State
from tests.handlers.support.codat_history import BASE, INITIAL_READS, all_histories
from tests.handlers.support.codat_messages import CONNECTION_ID, current_message
from tests.handlers.support.deliveries import ARRIVAL, NOBODY_TO_ASK, Deliveries

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


READY_AGAIN = [
    (State.PENDING, State.AUTHORIZED),
    (State.AUTHORIZED, State.READY),
    (State.READY, State.DEAUTHORIZED),
    (State.DEAUTHORIZED, State.AUTHORIZED),
    (State.AUTHORIZED, State.READY),
]


def parsed(state: State, changes: list[tuple[State, State]]) -> ElementTree.Element:
    """The picture, which is well-formed."""
    return ElementTree.fromstring(diagram.states_svg(state, changes))  # noqa: S314 - our own text


def test_the_picture_lights_the_state_and_numbers_its_changes() -> None:
    image = parsed(State.READY, READY_AGAIN)
    states = {group.findtext("text"): group.get("class", "").split()[1:] for group in image.iter("g")}
    assert list(states) == [state.value for state in State]
    assert [name for name, kinds in states.items() if "now" in kinds] == ["ready"]
    assert sorted(name for name, kinds in states.items() if "passed" in kinds if name) == [
        "authorized",
        "deauthorized",
        "pending",
    ]
    assert [text.text for text in image.findall("text")] == ["1", "2, 5", "3", "4"]
    kinds = [path.get("class") for path in image.findall("path")]
    assert kinds == ["usual"] * len(set(diagram.USUAL) - set(READY_AGAIN)) + ["taken"] * 4
    heads = {f"url(#{head.get('id')})": head.get("class") for head in image.findall("marker")}
    assert [heads[path.get("marker-end", "")] for path in image.findall("path")] == kinds
    assert {kind for names in states.values() for kind in names} == {"now", "passed"}
    assert not any(element.tail for element in image.iter())
    changes = [(State.PENDING, State.AUTHORIZED), (State.AUTHORIZED, State.READY)]
    assert parsed(State.READY, changes).findtext("title") == (
        "The state is ready. Its changes: pending to authorized; authorized to ready."
    )
    assert parsed(State.PENDING, []).findtext("title") == "The state is pending."


def test_every_pair_of_states_can_be_drawn() -> None:
    for change in itertools.permutations(State, 2):
        image = parsed(change[1], [change])
        numbers = re.findall(r"-?\d+", image.findall("path[@class='taken']")[0].get("d", ""))
        assert all(-60 <= int(number) <= 980 for number in numbers), change


def beside(box: tuple[float, ...], point: Sequence[float]) -> float:
    """How far ``point`` is from ``box``, given as left, top, width and height."""
    left, top, width, height = box
    return hypot(
        max(left - point[0], point[0] - left - width, 0), max(top - point[1], point[1] - top - height, 0)
    )


def test_arrows_go_from_box_to_box_and_each_name_is_in_the_middle_of_its_own() -> None:
    for change in itertools.permutations(State, 2):
        image, boxes = parsed(change[1], [change]), {}
        for group in image.iter("g"):
            box = tuple(float(group[0].get(name, "")) for name in ("x", "y", "width", "height"))
            x, y = (float(group[1].get(name, "")) for name in ("x", "y"))
            assert (x, y) == (box[0] + box[2] / 2, box[1] + box[3] / 2 + 5)
            boxes[group[1].text] = box
        curve = image.findall("path[@class='taken']")[0].get("d", "")
        numbers = [float(number) for number in re.findall(r"-?\d+", curve)]
        assert len(numbers) == 6
        for point, state in ((numbers[:2], change[0]), (numbers[4:], change[1])):
            assert 2 <= beside(boxes[state.value], point) <= 5, change


def test_the_image_has_no_style_of_its_own() -> None:
    """The policy of the pages allows none."""
    assert "style" not in diagram.states_svg(State.READY, READY_AGAIN)


def test_every_usual_change_happens() -> None:
    """Short histories, in order, take each arrow that is drawn always, but those to and from syncing."""
    taken = set()
    for history in itertools.chain.from_iterable(all_histories(length) for length in range(1, 5)):
        connection = Connection(id=CONNECTION_ID)
        changes = Deliveries([timedelta(days=1)] * 5, BASE).changes(history, INITIAL_READS)
        for place, change in enumerate(changes):
            message = current_message(change, f"event-{place}", ARRIVAL)
            transition = advance(connection, message, NOBODY_TO_ASK)
            connection = transition.connection
            taken.add((transition.before.state, transition.after.state))
    assert {item for item in diagram.USUAL if State.SYNCING not in item} <= taken
