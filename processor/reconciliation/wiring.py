"""Builds the services of this package from the container, for the worker and for operators' commands."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from handlers.events import Trigger
from processor.codat.client import CodatClient
from processor.codat.rate_limit import Priority
from processor.codat.rate_limited_transport import client_for
from processor.container import Container
from processor.errors import Conflict
from processor.reconciliation.baseline import Baseline
from processor.reconciliation.compare import CompanyComparer
from processor.reconciliation.diff import CompanyDiff
from processor.reconciliation.enqueue import Enqueuer
from processor.reconciliation.full_run import Rebuild, Reconciler
from processor.reconciliation.listing_scan import ListingScan
from processor.reconciliation.missed_webhooks import WebhookMonitor
from processor.reconciliation.repair import ConnectionRepair
from processor.reconciliation.verify import ConnectionVerification

BY_OPERATOR = Trigger("asked because an operator wanted to know", repairs=True)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The services that ask Codat, with a client that leaves a part of the quota to users."""

    codat: CodatClient
    comparer: CompanyComparer
    enqueuer: Enqueuer
    scan: ListingScan
    reconciler: Reconciler
    rebuild: Rebuild
    interval: timedelta


def build_reconciliation(
    container: Container,
    *,
    codat: CodatClient | None = None,
    stop: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], object] = time.sleep,
    on_wait: Callable[[str, int], object] = lambda _company_id, _seconds: None,
) -> Reconciliation | None:
    """Build the services that ask Codat, with ``codat`` or a client of their own.

    ``None`` without an API key. ``stop``, ``sleep`` and ``on_wait`` are those of :class:`Reconciler`.
    """
    codat = codat or client_for(container.settings, container.redis, Priority.BACKGROUND, container.clock)
    if codat is None:
        return None
    interval = timedelta(hours=container.settings.sweep_hours)
    comparer, enqueuer = _build_comparer(container, codat), _build_enqueuer(container)
    scan = ListingScan(
        container.redis,
        codat=codat,
        reader=container.reader,
        interval=interval,
        clock=container.clock,
        stop=stop,
    )
    reconciler = Reconciler(
        container.redis,
        codat=codat,
        comparer=comparer,
        enqueuer=enqueuer,
        baseline=Baseline(container.redis, clock=container.clock),
        sleep=sleep,
        stop=stop,
        on_wait=on_wait,
    )
    return Reconciliation(
        codat=codat,
        comparer=comparer,
        enqueuer=enqueuer,
        scan=scan,
        reconciler=reconciler,
        rebuild=Rebuild(container.redis, codat=codat, scan=scan, reconciler=reconciler),
        interval=interval,
    )


def compare_now(container: Container, company_id: str) -> CompanyDiff:
    """Compare a company with Codat and enqueue every answer, also those that change nothing.

    Raises :class:`Conflict` without an API key, and ``CodatError`` where Codat does not answer.
    """
    comparer = _build_comparer(container, _codat_of(container))
    diff = comparer.compare(company_id, BY_OPERATOR, record_unchanged=True)
    _build_enqueuer(container).enqueue(diff)
    return diff


def check_consumers(container: Container) -> None:
    """Compare Codat's webhook consumers with what this service needs, and set or clear the warning.

    Raises :class:`Conflict` without an API key, and ``CodatError`` where Codat does not answer.
    """
    monitor = WebhookMonitor(container.redis, settings=container.settings)
    monitor.check_consumers(_codat_of(container).list_webhooks(), container.clock())


def build_repair(container: Container) -> ConnectionRepair:
    """Build the repair of damaged connection records."""
    services = build_reconciliation(container)
    return ConnectionRepair(
        container.redis,
        reader=container.reader,
        replays=container.replay_service,
        policy=container.policy,
        comparer=None if services is None else services.comparer,
        enqueuer=None if services is None else services.enqueuer,
        clock=container.clock,
    )


def build_verification(container: Container) -> ConnectionVerification:
    """Build the verification of connections."""
    return ConnectionVerification(container.reader, policy=container.policy)


def _codat_of(container: Container) -> CodatClient:
    if container.codat is None:
        raise Conflict("Codat cannot be asked: CODAT_API_KEY is unset.")
    return container.codat


def _build_comparer(container: Container, codat: CodatClient) -> CompanyComparer:
    return CompanyComparer(
        codat, client=container.redis, reader=container.reader, policy=container.policy, clock=container.clock
    )


def _build_enqueuer(container: Container) -> Enqueuer:
    return Enqueuer(container.redis, inbox=container.inbox, waker=container.waker)
