"""The parts of this package put together: for the worker that polls, and for the operators' commands."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from handlers.trigger import Trigger
from processor.codat.client import CodatClient
from processor.codat.rate_limit import Priority
from processor.codat.rate_limited_transport import client_for
from processor.container import Container
from processor.erasure.erase import Erasure
from processor.errors import Conflict
from processor.reconciliation.baseline import Baseline
from processor.reconciliation.compare import CompanyComparer
from processor.reconciliation.diff import CompanyDiff
from processor.reconciliation.enqueue import Enqueuer
from processor.reconciliation.full_run import Rebuild, Reconcile
from processor.reconciliation.listing_scan import ListingScan
from processor.reconciliation.missed_webhooks import MissedWebhooks
from processor.reconciliation.repair import ConnectionRepair

Stop = Callable[[], bool]

BY_OPERATOR = Trigger("asked because an operator wanted to know", repairs=True)


@dataclass(frozen=True, slots=True)
class Polling:
    """What asks Codat in the background, with a client that leaves others their part of the quota."""

    codat: CodatClient
    looker: CompanyComparer
    putter: Enqueuer
    walk: ListingScan
    reconcile: Reconcile
    rebuild: Rebuild
    every: timedelta


def polling(
    container: Container,
    *,
    codat: CodatClient | None = None,
    stop: Stop = lambda: False,
    sleep: Callable[[float], object] = time.sleep,
    on_wait: Callable[[str, int], object] = lambda _company_id, _seconds: None,
) -> Polling | None:
    """The parts that ask Codat, through ``codat`` or a client of their own; ``None`` without an API key.

    ``on_wait`` as in :class:`Reconcile`.
    """
    codat = codat or client_for(container.settings, container.redis, Priority.BACKGROUND, container.clock)
    if codat is None:
        return None
    every = timedelta(hours=container.settings.sweep_hours)
    looker = CompanyComparer(
        codat, client=container.redis, reader=container.reader, policy=container.policy, clock=container.clock
    )
    putter = Enqueuer(container.redis, inbox=container.inbox, waker=container.waker)
    walk = ListingScan(
        container.redis, codat=codat, reader=container.reader, every=every, clock=container.clock, stop=stop
    )
    reconcile = Reconcile(
        container.redis,
        codat=codat,
        looker=looker,
        putter=putter,
        beginning=Baseline(container.redis, clock=container.clock),
        sleep=sleep,
        stop=stop,
        on_wait=on_wait,
    )
    return Polling(
        codat=codat,
        looker=looker,
        putter=putter,
        walk=walk,
        reconcile=reconcile,
        rebuild=Rebuild(container.redis, codat=codat, walk=walk, reconcile=reconcile),
        every=every,
    )


def ask_now(container: Container, company_id: str) -> CompanyDiff:
    """Ask Codat how a company stands, and put each answer into the inbox, also where it changes nothing.

    Raises :class:`Conflict` without an API key, and ``CodatError`` where Codat does not answer.
    """
    if container.codat is None:
        raise Conflict("Codat cannot be asked: CODAT_API_KEY is unset.")
    looker = CompanyComparer(
        container.codat,
        client=container.redis,
        reader=container.reader,
        policy=container.policy,
        clock=container.clock,
    )
    look = looker.look(company_id, BY_OPERATOR, keep_all=True)
    Enqueuer(container.redis, inbox=container.inbox, waker=container.waker).put(look)
    return look


def repair(container: Container) -> ConnectionRepair:
    """What makes a damaged record of a connection again."""
    parts = polling(container)
    return ConnectionRepair(
        container.redis,
        reader=container.reader,
        replays=container.replay_service,
        policy=container.policy,
        looker=None if parts is None else parts.looker,
        putter=None if parts is None else parts.putter,
        clock=container.clock,
    )


def silence(container: Container) -> MissedWebhooks:
    """What notices that messages stay away."""
    return MissedWebhooks(container.redis, settings=container.settings)


def erasure(container: Container) -> Erasure:
    """What erases companies."""
    return Erasure(container.redis, shards=container.settings.inbox_shards)
