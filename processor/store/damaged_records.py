"""The records that still cannot be read, for the operators."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from redis import Redis

from processor.clock import utc_now
from processor.store import unreadable
from processor.store.queries import Reader
from processor.store.records import COMPANY, CONNECTION, EVENT, NOTIFICATION, TIMELINE
from processor.store.timelines import MOST_ENTRIES
from processor.store.unreadable import UnreadableRecord

NOTE_LIFETIME = timedelta(minutes=10)
"""Lifetime of a note about another kind of record; reading the record again renews it."""


def unreadable_records(client: "Redis[Any]", reader: Reader) -> list[UnreadableRecord]:
    """Noted records that still cannot be read, oldest note first.

    Each is read again; the note of a record that is readable or gone is removed.
    """
    readers: Mapping[str, Callable[[str], object]] = {
        CONNECTION: reader.connection,
        COMPANY: reader.company,
        EVENT: reader.event,
        NOTIFICATION: reader.notification,
        TIMELINE: lambda id_: reader.timeline(id_, limit=MOST_ENTRIES, cursor=None),
    }
    noted = unreadable.noted(client)
    for record in noted:
        if record.kind in readers or record.since < utc_now() - NOTE_LIFETIME:
            unreadable.forget(client, record.kind, record.id)
        if record.kind in readers:
            readers[record.kind](record.id)  # notes it again
    remaining = {(record.kind, record.id) for record in unreadable.noted(client)}
    damaged = [record for record in noted if (record.kind, record.id) in remaining]
    unreadable.keep(client, damaged)
    return damaged
