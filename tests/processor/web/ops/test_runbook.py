"""docs/operations/runbook.md: each incident is made to happen, found, and ended as the page says."""

import json
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from click.testing import CliRunner
from redis import Redis

from handlers.events import Source, UnhandledEvent
from processor.cli import main
from processor.clock import to_iso, to_ms
from processor.codat.rate_limit import Priority
from processor.codat.rate_limited_transport import client_for
from processor.conditions import evaluation
from processor.conditions.model import Severity
from processor.conditions.registry import DEFINITIONS
from processor.errors import CodatError
from processor.runtime.embedded_engine import Engine
from processor.simulator import SimulatorServer
from processor.store import heartbeats, keys
from tests.processor.web.conftest import OpenPlace
from tests.processor.web.ops.operating import PASSWORD, Operator, text_of
from tests.support import cells, messages, preloaded
from tests.support.journeying import CODAT_KEY
from tests.support.ports import own_port
from tests.support.service import until
from tests.support.serving import ADDRESS, ENVIRON
from tests.support.visiting import Place
from workers.stand_in import StandInClock

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "operations" / "runbook.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
STEP = re.compile(r"^\d+\. `([^`]+)`(?:: \*([^*]+)\*)?", re.MULTILINE)
SEEN = re.compile(r"\*\*You see\*\*(.*?)\n\n", re.DOTALL)
CODES = {definition.code for definition in DEFINITIONS}
PUBLIC_URL = "https://us.example"
ROTATED = "whsec_" + "dGhlIG5ldyBzZWNyZXQgb2YgYSBjb25zdW1lcg=="
AN_HOUR_MS = 3_600_000
A_MEGABYTE = 1_048_576


def section(number: int) -> str:
    """The text of one incident."""
    _, result, rest = PAGE.partition(f"\n## {number}. ")
    assert result
    return rest.partition("\n## ")[0]


class Night:
    """An operator with the pages and a shell, on a service beside a simulated Codat."""

    def __init__(self, place: Place, redis_url: str) -> None:
        self.place, self.bench, self.store = place, place.bench, place.bench.client
        self.environ = {
            **ENVIRON,
            "REDIS_URL": redis_url,
            "CODAT_API_KEY": CODAT_KEY,
            "CODAT_API_URL": place.codat.url,
            "PUBLIC_URL": PUBLIC_URL,
            "SECRET_KEY": "a key of the tests",
            "PYTHONPATH": str(ROOT),
        }
        self.typed: dict[str, str] = {}
        """What is typed into a field of a form, or into a command."""
        self.values = {"https://YOUR-ADDRESS": PUBLIC_URL}
        self.operator = Operator(place)
        self.started: list[preloaded.Process] = []

    def conditions(self) -> set[str]:
        """The codes of what is wrong."""
        container = self.place.container
        self.operator.open("/ops")  # it writes down what this process refused
        current = evaluation.current(self.store, container.settings, now=container.clock())
        return {item.code for item in current if item.severity is not Severity.INFO}

    def filled(self, text: str) -> str:
        """A line of the page with the words in capitals replaced."""
        for name, value in self.values.items():
            text = re.sub(rf"(?<![A-Z]){re.escape(name)}(?![A-Z])", value, text)
        return text

    def click(self, path: str, label: str | None) -> str:
        """Open a page, and press the button whose label begins like that; the page to which it leads."""
        answer = self.operator.open(self.filled(path))
        assert answer.status_code == 200, answer.text
        if label is None:
            return text_of(answer)
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", answer.text, re.DOTALL):
            button = re.search(r"<button([^>]*)>(.*?)</button>", form, re.DOTALL)
            if button is None or not unescape(button[2]).startswith(label):
                continue
            inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
            chosen = re.search(r'name="([^"]*)" value="([^"]*)"', button[1])
            typed = re.findall(r'<input id="([^"]*)" name="[^"]*" type="password"', form)
            inputs += [(name, self.typed[name]) for name in typed]
            inputs += re.findall(r'<select [^>]*name="([^"]*)"><option value="([^"]*)"', form)
            data = [*inputs, *([chosen.groups()] if chosen else [])]
            action = re.search(r'<form[^>]* action="([^"]*)"', form)
            target = urljoin(self.filled(path), unescape(action[1]) if action else "")
            sent = self.operator.http.post(
                target, data={name: unescape(value) for name, value in data}, headers=self.operator.headers
            )
            assert sent.status_code in (200, 303), sent.text
            return self.operator.follow(sent) if sent.status_code == 303 else text_of(sent)
        raise AssertionError(f"{path} has no button {label}")

    def run(self, line: str) -> str:
        """Run one line of a shell."""
        command = self.filled(line).partition(" || ")[0].removesuffix(" &")
        words = shlex.split(command)
        if words[0] == "redis-cli":
            return str(self.store.execute_command(*words[3:]))
        assert words[0] == "codat-processor", line
        if line.endswith("&"):
            with Path("started.log").open("ab") as log:
                environ = os.environ | self.environ
                arguments = ["processor", *words[1:]]
                self.started.append(preloaded.start(arguments, env=environ, cwd=Path.cwd(), output=log))
            return ""
        result = CliRunner(env=self.environ).invoke(main, words[1:], input=self.typed.get("secret"))
        errors = [line for line in result.output.splitlines() if line.startswith("error")]
        is_fine = result.exit_code == 0 or (errors and all("Persistence is off" in error for error in errors))
        assert is_fine or "|| true" in line, f"{line}: {result.output}"
        return result.output

    def close(self) -> None:
        """End what was started."""
        for process in self.started:
            process.terminate()
            process.wait(60)


Incident = Callable[[Night], Callable[[], None]]
"""Makes something go wrong; returns what the world does meanwhile, after which it must be over."""


def poisoned(night: Night) -> Callable[[], None]:
    now = datetime.now(UTC)
    event = UnhandledEvent(
        event_id="msg_bad",
        event_type="codat-api.connection",
        source=Source.CODAT_API,
        received_at=now,
        at=now,
    )
    night.bench.clock.now = now
    night.bench.inbox.accept(event, b"nothing of ours")
    for _ in range(7):
        night.bench.drain_all()
        night.bench.inbox.requeue("msg_bad", status="failed", cell=0, only_if=True)
    night.values["EVENT"] = "msg_bad"
    body = messages.connected("c1", "n1", at=now)
    cells.change_message(night.store, "msg_bad", body, source="current")  # as by an update
    return lambda: void(night.bench.drain_all())


def void(_: object) -> None:
    """Drop a result."""


def dead_receiver(night: Night) -> Callable[[], None]:
    added = night.place.container.subscriber_service.add(
        url="https://loans.example/hook", description="Loans", types=[]
    )
    night.values["SUBSCRIBER"] = added["id"]
    paused: dict[Any, Any] = {"mode": "paused", "failures": 57, "failing_since": to_ms(datetime.now(UTC))}
    night.store.hset(keys.lane_state(added["id"]), mapping=paused)
    return lambda: None


def wrong_secret(night: Night) -> Callable[[], None]:
    http = night.place.app.test_client()
    body = messages.connected("c1", "n1")

    def codat_sends() -> int:
        return http.post(ADDRESS, data=body, headers=messages.signed(body, secret=ROTATED)).status_code

    assert codat_sends() == 401
    night.place.company()
    night.typed["secret"] = ROTATED
    return lambda: void(until(lambda: codat_sends() == 202))


def codat_down(night: Night) -> Callable[[], None]:
    settings = night.place.container.settings
    nowhere = type(settings)(**{**vars_of(settings), "codat_api_url": f"http://127.0.0.1:{own_port()}"})
    client = client_for(nowhere, night.store, Priority.JOURNEY, night.place.container.clock)
    assert client is not None
    with pytest.raises(CodatError):
        client.ping()
    client.close()

    def codat_answers() -> None:
        assert night.place.container.codat is not None
        night.place.container.codat.ping()

    return codat_answers


def vars_of(settings: Any) -> dict[str, Any]:
    """The fields of the settings."""
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}


def quota_gone(night: Night) -> Callable[[], None]:
    night.store.set(keys.polling_paused(), to_iso(datetime.now(UTC) + timedelta(hours=5)))

    def reset() -> None:
        night.bench.clock.now = datetime.now(UTC)
        night.bench.handle(messages.current("client.rateLimit.reset", {}, at=datetime.now(UTC)))

    return reset


def redis_full(night: Night) -> Callable[[], None]:
    night.bench.clock.now = datetime.now(UTC) - timedelta(days=21)
    for _ in range(100):
        night.bench.send(messages.current("something.new", {"text": secrets.token_hex(20_000)}))
    night.bench.drain_all()
    night.bench.client.connection_pool.disconnect()  # its buffer held a whole commit, and shrinks later
    night.store.config_set("maxmemory", night.store.info("memory")["used_memory"] - A_MEGABYTE)
    return lambda: None


def stuck_cell(night: Night) -> Callable[[], None]:
    night.store.xadd(keys.inbox(3), {"id": "lost"}, id=f"{int(night.store.time()[0]) * 1000 - AN_HOUR_MS}-0")

    def workers_work() -> None:
        assert night.place.container.waker.queue_length("drain") == 1, "one job serves all cells"
        night.bench.drain_all()

    return workers_work


def lost_endpoint(night: Night) -> Callable[[], None]:
    since = "2026-11-22T15:00:00Z"
    warning = {"kind": "consumer", "what": "Codat has no consumer for us.", "advice": "Look.", "since": since}
    night.store.hset(keys.warnings(), "consumer", json.dumps(warning))

    def look() -> None:
        assert night.place.container.codat is not None
        urls = [consumer.url for consumer in night.place.container.codat.list_webhooks()]
        assert f"{PUBLIC_URL}/webhooks/codat" in urls

    return look


def one_generation(night: Night) -> Callable[[], None]:
    night.bench.clock.now = datetime.now(UTC) - timedelta(days=2)
    night.bench.handle(messages.status_alert("c1", "n1", "PendingAuth", "Linked"))
    return lambda: None


def stopped_clock(night: Night) -> Callable[[], None]:
    heartbeats.record(night.store, "clock", "clock-1", silent_ms=heartbeats.MISSED_AFTER_MS + 1_000)
    return lambda: void(StandInClock(night.place.container, "deliver-1").tick())


def never_syncs(night: Night) -> Callable[[], None]:
    company_id, _ = night.place.company()
    connection_id = night.place.linked(company_id)
    night.values |= {"COMPANY": company_id, "CONNECTION": connection_id}

    def it_was_read() -> None:
        night.place.codat.simulation.change(connection_id, "complete-sync", {})
        night.place.settle()
        assert night.bench.state(connection_id) == "ready"

    return it_was_read


def why_told(night: Night) -> Callable[[], None]:
    company_id, _ = night.place.company()
    connection_id = night.place.linked(company_id)
    (told,) = night.bench.told(connection_id)
    moment = to_iso(datetime.now(UTC) + timedelta(seconds=1))
    night.values |= {"CONNECTION": connection_id, "NOTIFICATION": told["id"], "TIME": moment}
    return lambda: None


INCIDENTS: dict[int, Incident] = {
    1: poisoned,
    2: dead_receiver,
    3: wrong_secret,
    4: codat_down,
    5: quota_gone,
    6: redis_full,
    7: stuck_cell,
    8: lost_endpoint,
    9: one_generation,
    10: stopped_clock,
    11: never_syncs,
    12: why_told,
}
STARTED_AGAIN = (10,)
"""Incidents whose commands start a process."""


@pytest.fixture
def night(
    open_place: OpenPlace, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Night]:
    """A service with operators' pages, and somebody who looks after it."""
    monkeypatch.chdir(tmp_path)
    night = Night(open_place(OPERATOR_PASSWORD=PASSWORD, PUBLIC_URL=PUBLIC_URL), redis_url)
    yield night
    night.store.config_set("maxmemory", 0)
    night.close()


def seen(number: int) -> set[str]:
    """The conditions that a section names as the sign of its incident."""
    match = SEEN.search(section(number))
    assert match, number
    return set(re.findall(r"`(\w+)`", match[1])) & CODES


@pytest.mark.parametrize("number", INCIDENTS)
def test_an_incident_is_found_and_ended_on_the_pages(night: Night, number: int) -> None:
    meanwhile = INCIDENTS[number](night)
    result = seen(number) & night.conditions()
    assert bool(result) == bool(seen(number))
    overview = night.click("/ops", None)
    assert not result or "What is wrong, and what to do" in overview
    steps = STEP.findall(section(number))
    assert steps
    for path, label in steps:
        assert night.click(path, label or None)
    meanwhile()
    assert not result & night.conditions()


@pytest.mark.parametrize("number", INCIDENTS)
def test_an_incident_is_found_and_ended_from_a_shell(night: Night, number: int) -> None:
    meanwhile = INCIDENTS[number](night)
    result = seen(number) & night.conditions()
    assert bool(result) == bool(seen(number))
    lines = [line for fence in FENCE.findall(section(number)) for line in fence.splitlines()]
    assert lines
    for line in lines:
        night.run(line)
    if number in STARTED_AGAIN:
        until(lambda: not result & night.conditions())
    meanwhile()
    assert not result & night.conditions()


def test_every_section_is_an_incident() -> None:
    assert [int(number) for number in re.findall(r"^## (\d+)\. ", PAGE, re.MULTILINE)] == list(INCIDENTS)


def test_a_backup_is_restored_and_looked_at(
    data_dir: Path, codat: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of the last section, in a folder with an embedded engine."""
    monkeypatch.chdir(data_dir)
    var = data_dir / "var"
    with Engine(var) as engine, Redis.from_url(engine.url) as client:
        client.set("kept", "1")
    environ = {
        **ENVIRON,
        "DATA_DIR": "var",
        "CODAT_API_KEY": CODAT_KEY,
        "CODAT_API_URL": codat.url,
        "PYTHONPATH": str(ROOT),
    }
    chapter = PAGE.partition("## Backup, restore, upgrade")[2]
    for line in [line for fence in FENCE.findall(chapter) for line in fence.splitlines()]:
        words = shlex.split(line)
        if words[0] == "codat-processor":
            result = CliRunner(env=environ).invoke(main, words[1:])
            assert result.exit_code == 0, f"{line}: {result.output}"
        else:
            subprocess.run(words, cwd=data_dir, check=True)
    with Engine(var) as engine, Redis.from_url(engine.url) as client:
        assert client.get("kept") == b"1"
