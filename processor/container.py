"""The composition root: every collaborator, built once from the settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from redis import Redis

from handlers.registry import Policy
from processor.access.api_keys import ApiKeys
from processor.access.audit import AuditTrail
from processor.access.sessions import OperatorSessions
from processor.alerts.replay import ReplayService
from processor.alerts.signature import Authenticator
from processor.alerts.webhook_secrets import WebhookSecrets
from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.codat.rate_limit import Priority
from processor.codat.rate_limited_transport import client_for
from processor.delivery.email_templates import template_mistakes
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.operator_alerts import OperatorAlerts
from processor.delivery.redelivery import RedeliveryService
from processor.delivery.subscriber_service import SubscriberService
from processor.delivery.subscribers import Subscribers
from processor.errors import SettingsError
from processor.journey.service import Journey
from processor.journey.tokens import Tokens
from processor.journey.wiring import make_journey, portal_tokens
from processor.settings.definitions import Settings
from processor.store import encryption, keys
from processor.store.acknowledgement import Acknowledgement
from processor.store.client import (
    COMMAND_CONNECTIONS,
    WEB_TIMEOUT_S,
    WEB_WAIT_S,
    WORKER_TIMEOUT_S,
    close_idle_always,
    connect,
)
from processor.store.connection_limits import QUEUE_CONNECTIONS, SHARES, WEB
from processor.store.inbox import Inbox
from processor.store.metrics import Metrics
from processor.store.queries import Reader
from processor.store.waker import Waker


@dataclass(frozen=True, kw_only=True)
class Container:
    """The collaborators of one process. ``codat`` is ``None`` without an API key; ``queue_redis`` is RQ's.

    Services are built from the other collaborators on first use.
    """

    settings: Settings
    redis: "Redis[Any]"
    queue_redis: "Redis[Any]"
    inbox: Inbox
    reader: Reader
    waker: Waker
    authenticator: Authenticator
    webhook_secrets: WebhookSecrets
    policy: Policy
    codat: CodatClient | None
    journey: Journey
    clock: Callable[[], datetime] = utc_now
    metrics: Metrics = field(default_factory=Metrics)

    def close(self) -> None:
        self.redis.close()
        self.queue_redis.close()
        if self.codat is not None:
            self.codat.close()

    @cached_property
    def subscribers(self) -> Subscribers:
        return Subscribers(
            self.redis,
            allow_private=self.settings.allow_private_subscribers,
            allow_http=self.settings.allow_http_subscribers,
            clock=self.clock,
        )

    @cached_property
    def lane_admin(self) -> LaneAdmin:
        return LaneAdmin(self.redis, clock=self.clock)

    @cached_property
    def operator_alerts(self) -> OperatorAlerts:
        return OperatorAlerts(
            lane_admin=self.lane_admin,
            waker=self.waker,
            reachable=bool(self.settings.operator_alert_urls),
            subscribers=self.subscribers,
        )

    @cached_property
    def subscriber_service(self) -> SubscriberService:
        """Manages subscribers for the API, the operators' pages and the command line."""
        return SubscriberService(
            subscribers=self.subscribers,
            lane_admin=self.lane_admin,
            reader=self.reader,
            waker=self.waker,
            clock=self.clock,
        )

    @cached_property
    def portal_tokens(self) -> Tokens:
        """Signs and verifies the links to receivers' own pages."""
        return portal_tokens(self.settings, self.redis, self.clock)

    def portal_url(self, subscriber_id: str, *, days: int, root: str) -> str:
        """A new link to a receiver's own page, below ``root``. Raises ``NotFound``."""
        subscriber = self.subscribers.get(subscriber_id)
        token = self.portal_tokens.make(
            subscriber.id, lifetime_s=days * 86_400, generation=subscriber.portal_generation
        )
        return f"{root.rstrip('/')}/receivers/{token}"

    @cached_property
    def redelivery_service(self) -> RedeliveryService:
        return RedeliveryService(
            self.redis,
            subscribers=self.subscribers,
            lane_admin=self.lane_admin,
            reader=self.reader,
            waker=self.waker,
        )

    @cached_property
    def api_keys(self) -> ApiKeys:
        return ApiKeys(self.redis, self.settings.api_keys, clock=self.clock)

    @cached_property
    def audit(self) -> AuditTrail:
        return AuditTrail(self.redis, days=self.settings.audit_days, clock=self.clock)

    @cached_property
    def operator_sessions(self) -> OperatorSessions:
        return OperatorSessions(self.redis, self.settings, clock=self.clock)

    @cached_property
    def replay_service(self) -> ReplayService:
        return ReplayService(reader=self.reader, inbox=self.inbox, waker=self.waker)


def for_web(settings: Settings) -> Container:
    """The collaborators of a web process: short time-outs. One connection is left to ``message_inbox``."""
    client = _web_client(settings, SHARES[WEB] - 1)
    queue = _queue_client(settings, client, timeout_s=WEB_TIMEOUT_S, wait_s=WEB_WAIT_S)
    return _build(settings, client, queue, Priority.JOURNEY)


def message_inbox(settings: Settings) -> Inbox:
    """The inbox for the messages of a web process, which never wait for a connection that pages use."""
    client = _web_client(settings, 1)
    close_idle_always(client)
    return _inbox(settings, client)


def for_worker(settings: Settings, *, connections: int = COMMAND_CONNECTIONS) -> Container:
    """The collaborators of a process in the background, or of a command, with so many connections."""
    client = _client(settings, timeout_s=WORKER_TIMEOUT_S, max_connections=connections)
    return _build(
        settings, client, _queue_client(settings, client, timeout_s=WORKER_TIMEOUT_S), Priority.CHECK
    )


def policy_of(settings: Settings) -> Policy:
    """The part of the settings that decisions depend on."""
    return Policy(
        can_ask=settings.codat_api_key is not None,
        patience_s=settings.check_patience_s,
        late_after_s=settings.late_after_s,
    )


def _web_client(settings: Settings, connections: int) -> "Redis[Any]":
    return _client(settings, timeout_s=WEB_TIMEOUT_S, wait_s=WEB_WAIT_S, max_connections=connections)


def _client(settings: Settings, **options: Any) -> "Redis[Any]":
    if settings.redis_url is None:
        raise SettingsError(["REDIS_URL must be set for this process; `codat-processor run` sets it."])
    return connect(settings.redis_url, verify_tls=settings.redis_tls_verify, **options)


def _queue_client(settings: Settings, client: "Redis[Any]", **options: Any) -> "Redis[Any]":
    """The client of RQ's own server; ``client`` where RQ has none."""
    if settings.queue_redis_url is None:
        return client
    options |= {"verify_tls": settings.redis_tls_verify, "max_connections": QUEUE_CONNECTIONS}
    return connect(settings.queue_redis_url, **options)


def _build(settings: Settings, client: "Redis[Any]", queue_client: "Redis[Any]", rank: Priority) -> Container:
    if settings.mail_templates_dir and (mistakes := list(template_mistakes(settings.mail_templates_dir))):
        raise SettingsError(mistakes)
    keys.use_cells(settings.cells)
    encryption.use_keys(settings.encryption_keys)
    inbox = _inbox(settings, client)
    metrics = Metrics()
    reader, waker = Reader(client), Waker(queue_client, metrics)
    codat = client_for(settings, client, rank)
    webhook_secrets = WebhookSecrets(client, settings.codat_webhook_secrets)
    return Container(
        settings=settings,
        redis=client,
        queue_redis=queue_client,
        inbox=inbox,
        reader=reader,
        waker=waker,
        authenticator=Authenticator(
            secrets=settings.codat_webhook_secrets,
            authorizations=settings.codat_alert_authorizations,
            stored_keys=webhook_secrets.signing_keys,
        ),
        webhook_secrets=webhook_secrets,
        policy=policy_of(settings),
        codat=codat,
        journey=make_journey(settings, client=client, inbox=inbox, reader=reader, waker=waker, codat=codat),
        metrics=metrics,
    )


def _inbox(settings: Settings, client: "Redis[Any]") -> Inbox:
    return Inbox(
        client,
        retention_days=settings.event_retention_days,
        dedupe_days=settings.dedupe_days,
        acknowledgement=Acknowledgement.of(settings),
    )
