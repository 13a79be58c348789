"""Puts the journey together from the settings and the collaborators of a process."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.journey.companies import Companies
from processor.journey.events import JourneyEvents
from processor.journey.platform_cache import shelf_of
from processor.journey.platforms import Platforms, Spawn, in_background
from processor.journey.records import Records
from processor.journey.service import Journey
from processor.journey.tokens import Tokens
from processor.settings.definitions import Settings
from processor.store.inbox import Inbox
from processor.store.queries import Reader
from processor.store.waker import Waker

SETTLE_S = 1.0
"""How long a caller waits until a change that Codat made is known here too, in seconds."""


def make_journey(
    settings: Settings,
    *,
    client: "Redis[Any]",
    inbox: Inbox,
    reader: Reader,
    waker: Waker,
    codat: CodatClient | None,
    settle_s: float = SETTLE_S,
    spawn: Spawn = in_background,
    clock: Callable[[], datetime] = utc_now,
    monotonic: Callable[[], float] = time.monotonic,
) -> Journey:
    """The use cases. Connects to nothing yet."""
    records = Records(client)
    platforms = None
    shelf = shelf_of(client, settings)
    if codat is not None and shelf is not None:
        platforms = Platforms(codat=codat, shelf=shelf, clock=clock, monotonic=monotonic, spawn=spawn)
    return Journey(
        client=client,
        reader=reader,
        waker=waker,
        codat=codat,
        platforms=platforms,
        companies=Companies(records=records, reader=reader, clock=clock, products=settings.codat_products),
        records=records,
        news=JourneyEvents(inbox=inbox, waker=waker, reader=reader, clock=clock, settle_s=settle_s),
        tokens=Tokens(_signing_keys(settings, records), clock=lambda: clock().timestamp()),
        public_url=settings.public_url,
        own_url=settings.own_url,
        mailed_lifetime_s=settings.link_days * 86_400,
        mails_links=settings.smtp_url is not None and settings.public_url is not None,
        patience=timedelta(seconds=settings.check_patience_s),
        clock=clock,
    )


def _signing_keys(settings: Settings, records: Records) -> Callable[[], Sequence[str]]:
    """SECRET_KEY, or one that all processes share through Redis, made when it is first needed."""
    if settings.secret_key:
        given = settings.secret_key
        return lambda: given
    made: list[str] = []

    def keys() -> Sequence[str]:
        if not made:
            made.append(records.signing_key())
        return made

    return keys
