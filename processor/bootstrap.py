"""The composition root: every collaborator, built once from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from handlers.registry import Policy
from processor import times
from processor.alerts.signature import Authenticator
from processor.codat.client import CodatClient
from processor.connections import SHARES, WEB
from processor.delivery.control import Control
from processor.errors import SettingsError
from processor.journey import Journey, make_journey
from processor.operators import Operators
from processor.queues import Bell
from processor.settings import Settings
from processor.store.connect import (
    COMMAND_CONNECTIONS,
    WEB_TIMEOUT_S,
    WEB_WAIT_S,
    WORKER_TIMEOUT_S,
    connect,
)
from processor.store.inbox import Inbox
from processor.store.reader import Reader
from processor.truth.budget import Rank
from processor.truth.transport import client_for


@dataclass(frozen=True, slots=True)
class Container:
    """What a process works with. ``codat`` is ``None`` without an API key."""

    settings: Settings
    redis: "Redis[Any]"
    inbox: Inbox
    reader: Reader
    bell: Bell
    authenticator: Authenticator
    policy: Policy
    codat: CodatClient | None
    journey: Journey
    operators: Operators
    clock: Callable[[], datetime] = times.now


def for_web(settings: Settings) -> Container:
    """The collaborators of a web process: short time-outs."""
    client = _client(settings, timeout_s=WEB_TIMEOUT_S, wait_s=WEB_WAIT_S, most=SHARES[WEB])
    return _build(settings, client, Rank.JOURNEY)


def for_worker(settings: Settings, *, connections: int = COMMAND_CONNECTIONS) -> Container:
    """The collaborators of a process in the background, or of a command, with so many connections."""
    client = _client(settings, timeout_s=WORKER_TIMEOUT_S, most=connections)
    return _build(settings, client, Rank.CHECK)


def policy_of(settings: Settings) -> Policy:
    """The part of the settings that decisions depend on."""
    return Policy(
        can_ask=settings.codat_api_key is not None,
        patience_s=settings.check_patience_s,
        late_after_s=settings.late_after_s,
    )


def _client(settings: Settings, **options: Any) -> "Redis[Any]":
    if settings.redis_url is None:
        raise SettingsError(["REDIS_URL must be set for this process; `codat-processor run` sets it."])
    return connect(settings.redis_url, verify_tls=settings.redis_tls_verify, **options)


def _build(settings: Settings, client: "Redis[Any]", rank: Rank) -> Container:
    inbox = Inbox(
        client,
        shards=settings.inbox_shards,
        retention_days=settings.event_retention_days,
        dedupe_days=settings.dedupe_days,
    )
    reader, bell = Reader(client, shards=settings.inbox_shards), Bell(client)
    codat = client_for(settings, client, rank)
    return Container(
        settings=settings,
        redis=client,
        inbox=inbox,
        reader=reader,
        bell=bell,
        authenticator=Authenticator(
            secrets=settings.codat_webhook_secrets, authorizations=settings.codat_alert_authorizations
        ),
        policy=policy_of(settings),
        codat=codat,
        journey=make_journey(settings, client=client, inbox=inbox, reader=reader, bell=bell, codat=codat),
        operators=Operators(
            client, control=Control(client), bell=bell, reachable=bool(settings.operator_alert_urls)
        ),
    )
