"""Builds the journey from the settings and the collaborators of a process."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.errors import SettingsError
from processor.journey.companies import CompanyService
from processor.journey.consent_texts import ConsentTexts
from processor.journey.consents import Consents
from processor.journey.events import JourneyEvents
from processor.journey.opt_out import ReminderOptOut
from processor.journey.people import People
from processor.journey.platform_cache import platform_cache_of
from processor.journey.platform_requests import PlatformRequests
from processor.journey.platforms import Platforms, Spawn, run_in_background
from processor.journey.records import LOCK_WAIT_S, Records
from processor.journey.service import Journey
from processor.journey.tokens import Tokens
from processor.settings.brands import Brand, load_brands
from processor.settings.definitions import Settings
from processor.store.inbox import Inbox
from processor.store.queries import Reader
from processor.store.waker import Waker

SETTLE_S = 1.0
"""How long a caller waits until a worker has handled the change that Codat made, in seconds."""


PORTAL_SALT = "codat-processor receiver portal"
OPT_OUT_SALT = "codat-processor reminders"


def make_journey(
    settings: Settings,
    *,
    client: "Redis[Any]",
    inbox: Inbox,
    reader: Reader,
    waker: Waker,
    codat: CodatClient | None,
    settle_s: float = SETTLE_S,
    spawn: Spawn = run_in_background,
    clock: Callable[[], datetime] = utc_now,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    lock_wait_s: float = LOCK_WAIT_S,
) -> Journey:
    """The use cases of the journey. Opens no connection; ``sleep`` waits before a lost answer is checked."""
    records = Records(client, lock_wait_s=lock_wait_s)
    brands = brands_of(settings)
    events = JourneyEvents(inbox=inbox, waker=waker, reader=reader, clock=clock, settle_s=settle_s)
    signing_keys = _signing_keys(settings, records)
    platforms = None
    cache = platform_cache_of(client, settings)
    if codat is not None and cache is not None:
        platforms = Platforms(codat=codat, cache=cache, clock=clock, monotonic=monotonic, spawn=spawn)
    return Journey(
        client=client,
        reader=reader,
        waker=waker,
        codat=codat,
        platforms=platforms,
        companies=CompanyService(
            records=records, reader=reader, clock=clock, products=settings.codat_products, sleep=sleep
        ),
        records=records,
        events=events,
        tokens=Tokens(signing_keys, clock=lambda: clock().timestamp()),
        consents=Consents(
            client,
            texts=None if settings.consent == "off" else ConsentTexts(settings, brands),
            events=events,
            signing_keys=signing_keys,
            clock=clock,
        ),
        platform_requests=PlatformRequests(client, waker=waker, clock=clock),
        people=People(client, clock=clock),
        opt_out=ReminderOptOut(
            client,
            tokens=Tokens(signing_keys, clock=lambda: clock().timestamp(), salt=OPT_OUT_SALT),
            settings=settings,
            clock=clock,
        ),
        brands=brands,
        settings=settings,
        clock=clock,
    )


def portal_tokens(settings: Settings, client: "Redis[Any]", clock: Callable[[], datetime]) -> Tokens:
    """The tokens of the receivers' own pages: each names one subscriber in the place of a company."""
    keys = _signing_keys(settings, Records(client))
    return Tokens(keys, clock=lambda: clock().timestamp(), salt=PORTAL_SALT)


def brands_of(settings: Settings) -> dict[str, Brand]:
    """The brands by key, as they were when the settings were read."""
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    brands, mistakes = load_brands(values)
    if mistakes:
        raise SettingsError(mistakes)
    return brands


def _signing_keys(settings: Settings, records: Records) -> Callable[[], Sequence[str]]:
    """SECRET_KEY, or a key that all processes share through Redis, read at its first use."""
    secret_key = settings.secret_key
    if secret_key:
        return lambda: secret_key
    return functools.cache(lambda: [records.signing_key()])
