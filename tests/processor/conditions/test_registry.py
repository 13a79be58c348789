"""The table of conditions: each code once, and the documentation has the same table."""

from pathlib import Path

from processor.conditions.registry import DEFINITIONS

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def test_every_code_stands_once_with_a_title_and_advice() -> None:
    codes = [definition.code for definition in DEFINITIONS]
    assert len(set(codes)) == len(codes)
    assert all(definition.title and definition.advice for definition in DEFINITIONS)


def test_the_documentation_has_the_same_table() -> None:
    """Advice stood in the code and in the documentation, and the two drifted apart."""
    rows = [
        f"| `{definition.code}` | {definition.severity.value} | {definition.title} | {definition.advice} |"
        for definition in DEFINITIONS
    ]
    text = OPERATIONS.read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| `") and line.count(" | ") == 3]
    assert [
        line for line in table if line.split("`")[1] in {definition.code for definition in DEFINITIONS}
    ] == rows
