"""The table of mutants fits the source: ``make mutants`` itself takes minutes."""

import ast

import pytest

from tests.mutants import __main__ as runner
from tests.mutants.table import MUTANTS, Mutant
from tests.support.house import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_can_be_made_and_has_a_check(mutant: Mutant) -> None:
    changed = runner.mutated(mutant, (ROOT / mutant.path).read_text(encoding="utf-8"))
    if mutant.path.endswith(".py"):
        ast.parse(changed)
    path, _, name = mutant.check.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_there_are_twenty_or_more_and_the_page_lists_them() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20
    assert runner.PAGE.read_text(encoding="utf-8") == runner.page()
