"""Which company a typed id means."""

from datetime import timedelta

import pytest

from processor.erasure.residue_scan import scan
from processor.errors import NotFound
from processor.store import keys
from tests.processor.erasure.conftest import COMPANY, CONNECTION, TRACES, live
from tests.support import messages
from tests.support.counting import everything


@pytest.mark.parametrize("named", ["never-heard-of", "1b1bf54f-5fe0-4ab6-b42b-3b1d5c4e5a99", COMPANY[:8]])
def test_a_mistyped_id_is_refused_and_leaves_no_tombstone(bench, erasure, named):
    """Nothing is left, it was told, and a tombstone of the wrong id was kept; the right one lost nothing."""
    live(bench)
    before = everything(bench.client)

    with pytest.raises(NotFound, match="no company with this id"):
        erasure.erase(named, bench.clock())

    assert everything(bench.client) == before


@pytest.mark.parametrize("named", [COMPANY.upper(), f" {COMPANY}", f"{COMPANY}\n"])
def test_blanks_and_the_case_of_an_id_do_not_matter(bench, erasure, named):
    live(bench)

    assert erasure.resolve_id(named) == COMPANY
    erasure.erase(named, bench.clock())

    assert scan(bench.client, TRACES).residue == ()
    assert bench.client.keys(b"codat:{*}:erased:*") == [keys.erased(COMPANY).encode()]


def test_an_id_that_came_in_upper_case_is_kept_and_found_in_lower_case(bench, erasure):
    bench.handle(messages.connected(COMPANY.upper(), CONNECTION, at=bench.clock()))

    assert erasure.resolve_id(COMPANY.upper()) == erasure.resolve_id(COMPANY) == COMPANY
    assert scan(bench.client, [COMPANY]).residue  # the proof looks for it in either case


def test_a_company_that_only_waits_for_its_erasure_is_known(bench, erasure):
    bench.client.zadd(keys.erasures(keys.cell_of("company-1")), {"company-1": 0})

    assert list(erasure.due_companies(bench.clock(), timedelta(days=30))) == ["company-1"]
    erasure.erase("company-1", bench.clock())

    assert list(erasure.due_companies(bench.clock(), timedelta(days=30))) == []
