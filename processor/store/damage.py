"""Which stored records cannot be read now, for the operators."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from redis import Redis

from processor.clock import utc_now
from processor.store import unreadable
from processor.store.queries import Reader
from processor.store.records import COMPANY, CONNECTION, EVENT, NOTIFICATION, TIMELINE
from processor.store.unreadable import UnreadableRecord

NOTED_FOR = timedelta(minutes=10)
"""How long a note about a record of another kind stands; who reads the record notes it anew."""

LINES = 1_000


def unreadable_records(client: "Redis[Any]", reader: Reader) -> list[UnreadableRecord]:
    """The stored records that cannot be read now, the oldest note first, as far as they were noticed.

    Each is looked at again: a note about a record that is whole again, or gone, is forgotten.
    """
    again: Mapping[str, Callable[[str], object]] = {
        CONNECTION: reader.connection,
        COMPANY: reader.company,
        EVENT: reader.event,
        NOTIFICATION: reader.notification,
        TIMELINE: lambda id_: reader.timeline(id_, limit=LINES, cursor=None),
    }
    noted = unreadable.noted(client)
    for record in noted:
        if record.kind in again or record.since < utc_now() - NOTED_FOR:
            unreadable.forget(client, record.kind, record.id)
        if record.kind in again:
            again[record.kind](record.id)  # notes it anew
    left = {(record.kind, record.id) for record in unreadable.noted(client)}
    still = [record for record in noted if (record.kind, record.id) in left]
    unreadable.keep(client, still)
    return still
