"""Signing secrets that are added while the service runs: beside the configured ones, encrypted, removable."""

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis
from werkzeug.test import TestResponse

from processor.alerts.webhook_secrets import MOST_SECRETS, REFRESH_S, WebhookSecrets
from processor.cli import main
from processor.errors import Conflict, Invalid, NotFound, StoreUnavailable
from processor.store import encryption, keys
from processor.store.reencryption import reencrypt
from tests.processor.web.v1.filling import Filling
from tests.support import messages
from tests.support.counting import RoundTrips
from tests.support.serving import ADDRESS

ADDED = "whsec_" + "dGhlIG5ldyBzZWNyZXQgb2YgYSBjb25zdW1lcg=="
KEY = b"the new secret of a consumer"


class Ticks:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis[Any]"]:
    """An empty engine."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def other(client: "Redis[Any]", ticks: Ticks) -> WebhookSecrets:
    """Another process."""
    return WebhookSecrets(client, [messages.SECRET], monotonic=ticks)


@pytest.fixture(autouse=True)
def plain_afterwards() -> Iterator[None]:
    """No other test encrypts."""
    yield
    encryption.use_keys(())


def test_a_message_is_accepted_with_an_added_secret_until_it_is_removed(redis_url: str) -> None:
    """Every message of the new generation is a new one, so nothing is a duplicate."""
    filling = Filling(redis_url)
    http = filling.app.test_client()

    def send() -> int:
        body = messages.connected("c1", "n1")
        return http.post(ADDRESS, data=body, headers=messages.signed(body, secret=ADDED)).status_code

    secrets = filling.container.webhook_secrets
    assert send() == 401
    stored = secrets.add(ADDED, by="anna")
    assert send() == 202
    secrets.remove(stored.id)
    assert send() == 401
    filling.close()


def test_another_process_sees_a_change_after_a_second_and_reads_no_more_often(
    client: "Redis[Any]", redis_url: str, ticks: Ticks
) -> None:
    trips = RoundTrips()
    other = WebhookSecrets(trips.client(redis_url), [messages.SECRET], monotonic=ticks)
    assert list(other.signing_keys()) == []
    admin = WebhookSecrets(client, [])
    stored = admin.add(ADDED, by="anna")
    for _ in range(100):
        assert list(other.signing_keys()) == []
    assert trips.count == 1
    ticks.now += REFRESH_S
    assert list(other.signing_keys()) == [KEY]
    admin.remove(stored.id)
    ticks.now += REFRESH_S
    assert list(other.signing_keys()) == []


def test_while_redis_is_away_the_last_secrets_hold_and_those_never_read_are_not_none(
    client: "Redis[Any]", other: WebhookSecrets, ticks: Ticks
) -> None:
    """An authentic message was refused for good where Redis was away when the first one came."""
    other.add(ADDED, by="anna")
    assert list(other.signing_keys()) == [KEY]
    with Redis(host="127.0.0.1", port=1, socket_timeout=0.1) as away:
        new = WebhookSecrets(away, [], monotonic=ticks)
        other._client = away
        ticks.now += REFRESH_S
        assert list(other.signing_keys()) == [KEY]
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                new.signing_keys()
        new._client = client
        with pytest.raises(StoreUnavailable):
            new.signing_keys()  # there is one attempt a second
        ticks.now += REFRESH_S
        assert list(new.signing_keys()) == [KEY]


def test_nobody_is_refused_while_the_first_read_is_under_way(redis_url: str, other: WebhookSecrets) -> None:
    """Of three first messages at the same time two were refused as not authentic."""
    other.add(ADDED, by="anna")
    filling = Filling(redis_url)
    http = filling.app.test_client()
    reading = filling.container.webhook_secrets
    body = messages.connected("c1", "n1")

    def send() -> TestResponse:
        return http.post(ADDRESS, data=body, headers=messages.signed(body, secret=ADDED))

    reading._read_at = reading._monotonic() + REFRESH_S  # as another thread leaves it until its read ends
    answer = send()
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    reading._read_at = None
    assert send().status_code == 202
    filling.close()


@pytest.mark.parametrize(
    "secret", ["", "whsec_QQ==", "whsec_%%%%", "sk_" + ADDED[6:], "whsec_" + "QUFB" * 200]
)
def test_what_is_no_secret_is_refused_and_not_repeated(other: WebhookSecrets, secret: str) -> None:
    with pytest.raises(Invalid) as caught:
        other.add(secret, by="anna")
    assert not secret or secret not in repr(caught.value.problem())


def test_a_secret_is_added_once_and_ten_at_most(other: WebhookSecrets) -> None:
    other.add(f" {ADDED} ", by="anna")
    for known in (ADDED, messages.SECRET):
        with pytest.raises(Conflict, match="accepted already"):
            other.add(known, by="anna")
    for number in range(MOST_SECRETS - 1):
        other.add(f"{ADDED[:-8]}{number}AAAAAA=", by="anna")
    with pytest.raises(Conflict, match="10 secrets"):
        other.add("whsec_" + "QUFB" * 10, by="anna")
    with pytest.raises(NotFound):
        other.remove("whs_nothing")


def test_it_is_encrypted_and_encrypted_again(client: "Redis[Any]", other: WebhookSecrets) -> None:
    first, second = (CliRunner().invoke(main, ["encryption", "key"]).output.strip() for _ in range(2))
    other.add(ADDED, by="anna")
    assert ADDED in str(client.hgetall(keys.webhook_secrets()))
    encryption.use_keys([first])
    assert reencrypt(client).changed == 1
    assert ADDED not in str(client.hgetall(keys.webhook_secrets()))
    encryption.use_keys([second, first])
    assert list(other.signing_keys()) == [KEY]
    encryption.use_keys([second])
    assert [stored.added_at for stored in other.all()] == [None]


def test_damaged_ones_disable_no_other_and_can_be_removed(
    client: "Redis[Any]", other: WebhookSecrets
) -> None:
    """The keys were read together, so one damaged row stopped every message signed with an added secret."""
    other.add(ADDED, by="anna")
    damaged = ("", "{", "7", "[]", '{"secret": "whsec_%"}', '{"secret": 7}', "{}", '"secret"')
    for number, row in enumerate(damaged):
        client.hset(keys.webhook_secrets(), f"whs_{number}", row)
    assert list(other.signing_keys()) == [KEY]
    assert [stored.added_by for stored in other.all()] == [""] * len(damaged) + ["anna"]
    with pytest.raises(Conflict, match="accepted already"):
        other.add(ADDED, by="anna")
    other.remove("whs_0")


def test_the_commands_add_list_and_remove_it(redis_url: str, client: "Redis[Any]") -> None:
    environ = {"REDIS_URL": redis_url}

    def run(*words: str, **how: Any) -> str:
        result = CliRunner(env=environ).invoke(main, ["webhooks", *words], **how)
        assert result.exit_code == 0, result.output
        return result.output

    added = run("add-secret", input=f"{ADDED}\n")
    id_ = added.partition(" ")[0]
    assert id_ in run("secrets")
    assert id_ in run("remove-secret", id_)
    assert client.exists(keys.webhook_secrets()) == 0
    trail = Filling(redis_url).container.audit.entries(limit=9).items
    assert [(entry["action"], entry["target"]) for entry in trail] == [
        ("webhooks remove-secret", id_),
        ("webhooks add-secret", id_),
    ]
    assert ADDED not in added + repr(trail)
