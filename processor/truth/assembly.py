"""The parts of this package put together: for the worker that polls, and for the operators' commands."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from handlers.asked import Asked
from processor.bootstrap import Container
from processor.codat.client import CodatClient
from processor.errors import Conflict
from processor.replays import Replays
from processor.truth.beginning import Beginning
from processor.truth.budget import Rank
from processor.truth.comparison import Look
from processor.truth.erasure import Erasure
from processor.truth.looking import Looker
from processor.truth.putting import Putter
from processor.truth.reconcile import Rebuild, Reconcile
from processor.truth.repair import Repair
from processor.truth.silence import Silence
from processor.truth.transport import client_for
from processor.truth.walk import Walk

Stop = Callable[[], bool]

BY_OPERATOR = Asked("asked because an operator wanted to know", repairs=True)


@dataclass(frozen=True, slots=True)
class Polling:
    """What asks Codat in the background, with a client that leaves others their part of the quota."""

    codat: CodatClient
    looker: Looker
    putter: Putter
    walk: Walk
    reconcile: Reconcile
    rebuild: Rebuild
    every: timedelta


def polling(
    own: Container,
    *,
    codat: CodatClient | None = None,
    stop: Stop = lambda: False,
    sleep: Callable[[float], object] = time.sleep,
    on_wait: Callable[[str, int], object] = lambda _company_id, _seconds: None,
) -> Polling | None:
    """The parts that ask Codat, through ``codat`` or a client of their own; ``None`` without an API key.

    ``on_wait`` as in :class:`Reconcile`.
    """
    codat = codat or client_for(own.settings, own.redis, Rank.BACKGROUND, own.clock)
    if codat is None:
        return None
    every = timedelta(hours=own.settings.sweep_hours)
    looker = Looker(codat, client=own.redis, reader=own.reader, policy=own.policy, clock=own.clock)
    putter = Putter(own.redis, inbox=own.inbox, bell=own.bell)
    walk = Walk(own.redis, codat=codat, reader=own.reader, every=every, clock=own.clock, stop=stop)
    reconcile = Reconcile(
        own.redis,
        codat=codat,
        looker=looker,
        putter=putter,
        beginning=Beginning(own.redis, clock=own.clock),
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
        rebuild=Rebuild(own.redis, codat=codat, walk=walk, reconcile=reconcile),
        every=every,
    )


def ask_now(own: Container, company_id: str) -> Look:
    """Ask Codat how a company stands, and put each answer into the inbox, also where it changes nothing.

    Raises :class:`Conflict` without an API key, and ``CodatError`` where Codat does not answer.
    """
    if own.codat is None:
        raise Conflict("Codat cannot be asked: CODAT_API_KEY is unset.")
    looker = Looker(own.codat, client=own.redis, reader=own.reader, policy=own.policy, clock=own.clock)
    look = looker.look(company_id, BY_OPERATOR, keep_all=True)
    Putter(own.redis, inbox=own.inbox, bell=own.bell).put(look)
    return look


def repair(own: Container) -> Repair:
    """What makes a damaged record of a connection again."""
    parts = polling(own)
    return Repair(
        own.redis,
        reader=own.reader,
        replays=Replays(reader=own.reader, inbox=own.inbox, bell=own.bell),
        policy=own.policy,
        looker=None if parts is None else parts.looker,
        putter=None if parts is None else parts.putter,
        clock=own.clock,
    )


def silence(own: Container) -> Silence:
    """What notices that messages stay away."""
    return Silence(own.redis, settings=own.settings)


def erasure(own: Container) -> Erasure:
    """What erases companies."""
    return Erasure(own.redis, shards=own.settings.inbox_shards)
