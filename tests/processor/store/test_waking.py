"""Who is woken for a message: a drain, unless one serves its cell."""

from redis import Redis

from processor.store import keys
from processor.store.inbox import WAKE_MS
from processor.store.leases import CellLeases
from processor.store.waker import Waker
from tests.processor.store.conftest import AWAKE_MS, BODY, COMPANY, CONNECTION
from tests.support import messages


def test_only_the_first_message_of_a_sleeping_cell_asks_for_waking(client, inbox):
    cell = keys.cell_of(COMPANY)
    wakes = [inbox.accept(messages.understood(BODY), BODY).sleeping_cell for _ in range(3)]
    assert wakes == [cell, None, None]

    client.delete(keys.wake(cell))  # as it does by itself within seconds
    assert inbox.accept(messages.understood(BODY), BODY).sleeping_cell == cell


def test_the_wake_flag_goes_away_by_itself(client, inbox):
    inbox.accept(messages.understood(BODY), BODY)

    assert 0 < client.pttl(keys.wake(keys.cell_of(COMPANY))) <= AWAKE_MS
    assert WAKE_MS <= 5_000  # what it is where nobody makes it longer


def test_cells_wake_by_themselves(inbox):
    companies = {keys.cell_of(f"company-{number}"): f"company-{number}" for number in range(200)}
    bodies = {cell: messages.connected(company, CONNECTION) for cell, company in companies.items()}
    woken = {
        cell: inbox.accept(messages.understood(body), body).sleeping_cell for cell, body in bodies.items()
    }

    assert woken == {cell: cell for cell in keys.cells()}


def test_a_cell_that_is_drained_needs_no_waking(client, inbox):
    CellLeases(client).renew()

    assert inbox.accept(messages.understood(BODY), BODY).sleeping_cell is None


def test_a_bell_that_cannot_ring_is_no_reason_to_fail(data_dir):
    nowhere = Redis.from_url(f"unix://{data_dir}/nobody.sock?db=0")

    Waker(nowhere).wake_drain()
    Waker(nowhere).wake_question_runner()
