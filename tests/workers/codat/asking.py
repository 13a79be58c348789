"""A simulated Codat over HTTP, the runner that asks it, and questions for it."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from handlers.effects import Ask
from handlers.events import Aspect
from processor.codat.client import CodatClient
from processor.codat.questions import QuestionClient
from processor.simulator import SimulatorServer
from processor.store import keys, questions
from tests.support import messages
from tests.support.workbench import Workbench
from workers.codat.questions import QuestionRunner

PATIENCE_S = 60.0
BUDGET_S = 90.0
"""How long a call to Codat may take by itself, in real seconds."""


class Codat:
    """A simulated Codat whose clock is the test's, and who asks it."""

    def __init__(self, server: SimulatorServer, bench: Workbench, client: CodatClient) -> None:
        self.simulation = server.simulation
        self.world = server.simulation.world
        self.url = server.url
        self.bench = bench
        self.asking = self.asking_with(client)
        self.ahead = timedelta()

    def asking_with(self, client: CodatClient, **options: Any) -> QuestionRunner:
        """The runner that asks this Codat."""
        bench = self.bench
        return QuestionRunner(
            questions=bench.questions,
            inbox=bench.inbox,
            reader=bench.reader,
            waker=bench.waker,
            asker=QuestionClient(client, clock=bench.clock),
            clock=bench.clock,
            **options,
        )

    def connect(self, platform: str = "gbol", company: str | None = None) -> SimpleNamespace:
        """A connection that waits for authorisation."""
        company = company or self.world.create_company("Toft stores").id
        made = self.world.create_connection(company, platform)
        return SimpleNamespace(id=made.id, company=company)

    def change(self, name: str, connection: SimpleNamespace, **options: object) -> datetime:
        """Something happens at Codat, of which we hear nothing by this; when it happened by Codat's clock."""
        self.simulation.change(connection.id, name, {"auto_sync": False, "deliver": "drop", **options})
        return self.bench.clock() + self.ahead

    def break_down(self, status: int = 503, **fault: object) -> None:
        """Every call is answered with an error from now on."""
        self.simulation.faults.plan({"status": status, "count": 10_000, **fault})

    def answer_again(self) -> None:
        """Codat is well."""
        self.simulation.faults.clear()

    def settle(self, *, for_s: float = 0.0) -> list[float]:
        """Ask and handle whatever is due, moving the clock from question to question for so long.

        Returns when something was asked, in seconds from the beginning.
        """
        began = self.bench.clock()
        end = began + timedelta(seconds=for_s)
        asked = []
        while True:
            self.bench.drain_all()
            due = self.bench.next_question()
            if due is None or due > end:
                self.bench.clock.now = max(self.bench.clock.now, end)
                return asked
            self.bench.clock.now = max(self.bench.clock.now, due)
            asked.append((self.bench.clock() - began).total_seconds())
            assert self.asking.run() > 0

    def sources(self, connection: SimpleNamespace) -> list[tuple[str, str]]:
        """The timeline as pairs of event type and outcome."""
        return [(line["event_type"], line["outcome"]) for line in self.bench.timeline(connection.id)]


def linked(codat: Codat) -> SimpleNamespace:
    """A connection that is linked, and whose message has arrived."""
    connection = codat.connect()
    at = codat.change("authorize", connection)
    codat.bench.handle(messages.connected(connection.company, connection.id, at=at))
    codat.settle(for_s=10)
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]
    return connection


def write(codat: Codat, *asks: Ask) -> None:
    """Store questions as a commit does."""
    with codat.bench.client.pipeline(transaction=True) as pipe:
        for ask in asks:
            questions.write(pipe, keys.cell_of(ask.company_id), [ask])
        pipe.execute()


def ask(
    codat: Codat,
    connection: SimpleNamespace | None,
    *,
    aspect: Aspect = Aspect.CONNECTION,
    deadline_s: float = PATIENCE_S,
) -> Ask:
    """A question that is due now, about a connection or about a company."""
    now = codat.bench.clock()
    connection_id = connection.id if connection else None
    company = connection.company if connection else "company-1"
    return Ask(aspect, company, connection_id, now, now + timedelta(seconds=deadline_s), "because")
