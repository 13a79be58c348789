"""What people read: nothing that a message holds may steer the terminal."""

from typing import Any

import pytest

from processor.cli.printing import print_fields, print_table, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ([], "-"),
        ({}, "-"),
        (True, "yes"),
        (0, "0"),
        ("Zoë", "Zoë"),
        (["a", "b"], "a, b"),
        ({"a": 1}, '{"a": 1}'),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc", "a\\nb\\tc"),
        (["\u202e"], "\\u202e"),
        ("\udcff", "\\udcff"),
    ],
)
def test_a_value_is_one_harmless_line(value: Any, text: str) -> None:
    assert shown(value) == text


def test_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    items: list[dict[str, Any]] = [{"a": "long text", "b": 1}, {"a": "x", "b": None}]
    print_table(items, [("A", lambda item: item["a"]), ("B", lambda item: item["b"])])
    assert capsys.readouterr().out == "A          B\nlong text  1\nx          -\n"


def test_an_empty_table_has_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([], [("A", lambda item: item["a"])])
    assert capsys.readouterr().out == "A\n"


def test_fields_are_aligned_and_nested_ones_indented(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"id": "x", "open": {"claims": 2}, "told": [{"a": 1, "b": "\x07"}], "error": "one\n\x1btwo"})
    assert capsys.readouterr().out.splitlines() == [
        "id     x",
        "open",
        "  claims  2",
        "told",
        "  a=1  b=\\x07",
        "error",
        "  one",
        "  \\x1btwo",
    ]
