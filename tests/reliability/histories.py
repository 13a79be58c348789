"""True histories delivered over HTTP in every disorder while workers are killed, then judged from outside.

A simulated Codat lives through the histories and answers the service's questions with what became of them,
some seconds late. Everything that is judged is read from the API, the stream and a subscriber.
"""

import os
import random
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from processor.simulator import SimulatorConfig, SimulatorServer
from processor.simulator.config import Generation
from processor.simulator.messages import Message
from tests.reliability.codat_lives import LAG_S, Codat, Life, SetClock, id_of, lives_of, posts_of, tapes
from tests.reliability.history_judgement import WRONG, wrong_of
from tests.reliability.kills import PROCESSES
from tests.reliability.outside import Client, Faults, judge_receivers, serving_users
from tests.reliability.report import Chapter
from tests.support import messages
from tests.support.service import LIMIT_S, ROOT, Service, until
from tests.support.serving import ENVIRON

SENDERS = 6
KILL_EVERY_S = 1.0
KILLED = ("drain", "ask", "deliver", "poll")


@dataclass(slots=True)
class HistoriesReport:
    """What became of the histories."""

    seed: int
    lives: int = 0
    sent: int = 0
    kills: int = 0
    faults: Faults = field(default_factory=Faults)
    stories: list[str] = field(default_factory=list)


class _Disorder:
    """Sends all messages in any order, several at once, while workers are killed."""

    def __init__(self, service: Service, chance: random.Random) -> None:
        self._service, self._chance = service, chance
        self._done = threading.Event()
        self.kills = 0

    def send(self, posts: Sequence[Message]) -> None:
        """Send them until each is accepted."""
        posts = self._chance.sample(posts, len(posts))
        left, failures = iter(posts), list[BaseException]()
        guard = threading.Lock()

        def work() -> None:
            client = Client(self._service)
            try:
                while True:
                    with guard:
                        message = next(left, None)
                    if message is None:
                        break
                    alert = message.generation is Generation.LEGACY
                    headers = messages.authorised() if alert else None
                    client.post(id_of(message), message.body, headers=headers)
            except BaseException as error:
                failures.append(error)
            client.close()

        threads = [threading.Thread(target=work, daemon=True) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.kill()
        if failures:
            raise failures[0]

    def kill(self) -> None:
        """Kill the processes of one type; give them time to come back."""
        self._service.kill(*self._service.pids_of(PROCESSES[self._chance.choice(KILLED)]))
        self.kills += 1
        self._done.wait(KILL_EVERY_S)


def run(count: int, number: int, *, kills: int = 3, alerts: bool = True) -> HistoriesReport:
    """So many histories on one service; ``number`` is the seed, ``kills`` the least number of kills.

    ``alerts``: also in the legacy generation, whose alerts have no time and wait a minute for Codat's word.
    """
    report, clock = HistoriesReport(number), SetClock()
    with SimulatorServer(SimulatorConfig(), clock) as server:
        environ = {
            "CODAT_API_KEY": server.config.api_key,
            "CODAT_API_URL": server.url,
        }
        with serving_users(**environ) as (service, subscriber):
            lives = list(lives_of(tapes(count, number)))
            Codat(server).live(lives, clock)
            posts: list[tuple[bool, Message]] = []
            for life in lives:
                mine = list(posts_of(life, alerts=alerts))
                life.delivered = {id_of(message): message for _, message in mine}
                posts += mine
            disorder = _Disorder(service, random.Random(number))
            client = Client(service)
            for late in (False, True):
                disorder.send([message for is_late, message in posts if is_late is late])
                until(lambda: not (client.read("/stats") or {"inbox": {"depth": 1}})["inbox"]["depth"])
            while disorder.kills < kills:
                disorder.kill()
            _settle(client)
            _reconcile(service, environ)
            _settle(client)
            report.lives, report.sent, report.kills = len(lives), len(posts), disorder.kills
            accepted = [event_id for life in lives for event_id in life.delivered]
            rows = judge_receivers(service, client, accepted, subscriber, report.faults)
            _judge(client, lives, rows, report)
            client.close()
    return report


def _settle(client: Client) -> None:
    """Wait until everything is handled and Codat was asked whatever there was to ask."""

    def is_quiet() -> bool:
        stats = client.read("/stats")
        return bool(stats) and not stats["inbox"]["depth"] and not stats["questions"]

    until(lambda: is_quiet() and is_quiet(), limit_s=2 * LIMIT_S, poll_s=0.3)


def _reconcile(service: Service, environ: dict[str, str]) -> None:
    """What an operator does after messages were lost."""
    address = (service.folder / "engine" / "address").read_text()
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **ENVIRON, **environ, "REDIS_URL": address}
    command = [sys.executable, "-m", "processor", "reconcile"]
    done = subprocess.run(
        command, cwd=service.folder, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _judge(
    client: Client, lives: Sequence[Life], rows: Sequence[dict[str, Any]], report: HistoriesReport
) -> None:
    report.faults.update(dict.fromkeys(WRONG, 0))
    notes = defaultdict(list)
    for row in sorted(rows, key=lambda row: str(row["timestamp"])):
        notes[row["data"]["connection_id"]].append(row)
    for life in lives:
        shown = client.read_surely(f"/connections/{life.connection_id}")
        timeline = client.items(f"/connections/{life.connection_id}/timeline")
        told = notes[life.connection_id]
        found = Faults(wrong_of(life, shown, timeline, told))
        assert set(found) <= set(WRONG), found
        if found:
            report.stories.append(f"{dict(found)}\n{shown}\n{life.story(told, timeline)}")
        report.faults.update(found)


def chapter(count: int) -> Chapter:
    """Many histories, for the page: those of HISTORIES_SEED, or new ones."""
    number = int(os.environ.get("HISTORIES_SEED") or random.SystemRandom().randrange(1 << 32))
    report = run(count, number, kills=max(3, count // 10))
    body = [
        f"{report.lives} histories (HISTORIES_SEED={report.seed}) in {report.sent:,} messages of both "
        f"generations, some lost, doubled or replayed, in any order, with {report.kills} kills of workers "
        f"meanwhile. Codat's API, {LAG_S:g} s behind, answers with what became of each. After `reconcile`, "
        'every rule of "What must hold" is looked for in `/v1`, the stream and at a subscriber.',
    ]
    for story in report.stories[:3]:
        print(story, file=sys.stderr)
    return Chapter("histories", report.faults, body)
