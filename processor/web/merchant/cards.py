"""Builds the cards of the pages from public representations of connections. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import COMPLETE, FactKind
from handlers.milestones import NotificationType
from handlers.state import AWAITING_FIRST_SYNC, State, has_failed, is_running
from processor.clock import from_iso
from processor.humanize import data_type
from processor.journey.link_redirect import LinkRedirect
from processor.journey.models import ConnectionView, PlatformView, counts_as
from processor.journey.search import group_of
from processor.journey.standing import is_other_account, outcome_of
from processor.languages.current import gettext
from processor.resources.serializers import waits_for_computer
from processor.web.merchant.card import ACCOUNTING, Card, SyncProgress
from processor.web.merchant.copy import connection_states, terms

NO_ACCOUNTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Dates:
    """When access was first given and data was last read; ``None``: never, or not known."""

    first_authorized: datetime | None
    last_sync: datetime | None


def card_of(
    view: ConnectionView,
    platforms: Mapping[str, PlatformView],
    *,
    redirect: LinkRedirect | None = None,
    name: str | None = None,
    confirmed_accounts: Mapping[str, str] = NO_ACCOUNTS,
) -> Card:
    """The card of a connection; ``platforms`` by key provide logo and name.

    ``redirect`` is the unverified outcome with which the merchant just came back. ``name`` defaults to the
    platform's. ``confirmed_accounts``: as for :func:`is_other_account`.
    """
    platform = platforms.get(view["platform_key"] or "")
    name = name or _platform_name(view, platforms)
    data_types = [row for row in view["data_types"] if row["current"]]
    state = _displayed_state(State(view["state"]), data_types)
    is_other = is_other_account(view, confirmed_accounts)
    error = view["error"] if state in (State.AUTHORIZATION_FAILED, State.DEAUTHORIZED) else None
    claim = redirect.kind if redirect else None
    failed_statuses = {row["status"] for row in data_types if has_failed(row["status"], row["progress"])}
    on_premise = view["on_premise"] if platform is None else platform.is_on_premise
    statuses = [(row["status"], row["progress"]) for row in data_types]
    waits = on_premise and not view["first_sync_missing"] and waits_for_computer(state, statuses)
    paused_until = from_iso(view["paused_until"]) if view["paused_until"] else None
    text = connection_states.of_state(
        state,
        name,
        claim=claim,
        code=error["status_code"] if error else None,
        failed_statuses=failed_statuses,
        waits_for_computer=waits,
        first_sync_missing=view["first_sync_missing"],
        end_expected=view["end_expected"],
        paused_until=paused_until if state in AWAITING_FIRST_SYNC else None,
    )
    return Card(
        id=view["id"],
        name=name,
        account=terms.name_of(view["account_name"]) if view["account_name"] else None,
        account_hint=_account_hint(view, redirect),
        raw_account=view["account_name"],
        previous_account=terms.name_of(view["previous_account_name"]) if is_other else None,
        platform_key=view["platform_key"],
        group=group_of(view["source_type"]),
        logo_url=logo_of(platform),
        state=state,
        text=text,
        progress=view["progress"],
        data_types=tuple(_sync_progress(row, name, waits=waits) for row in data_types),
        error=_quoted(error) if error and claim != "connected" and not view["end_expected"] else None,
        outcome=outcome_of(view, claim, is_other=is_other),
        authorization=view["authorization"],
        counts_as=counts_as(view["source_type"], view["platform_name"] or ""),
        waits_for_computer=waits,
        can_be_read=state is State.READY and not any(is_running(*row) for row in statuses),
    )


def distinct_names(views: Sequence[ConnectionView], platforms: Mapping[str, PlatformView]) -> dict[str, str]:
    """The names of a company's connections, by id.

    Several connections to one platform are told apart by their account's name if it is unique, otherwise by
    a number in the order of their beginning, and that day.
    """
    by_platform: dict[str, list[ConnectionView]] = {}
    for view in sorted(views, key=lambda view: (view["first_heard_at"], view["id"])):
        by_platform.setdefault(_platform_name(view, platforms), []).append(view)
    names: dict[str, str] = {}
    for name, same_platform in by_platform.items():
        accounts = Counter(view["account_name"] for view in same_platform)
        for number, view in enumerate(same_platform, start=1):
            account = view["account_name"]
            if len(same_platform) == 1:
                names[view["id"]] = name
            elif account and accounts[account] == 1:
                names[view["id"]] = f"{name} ({terms.name_of(account)})"
            else:
                names[view["id"]] = terms.numbered_name(name, number, from_iso(view["first_heard_at"]))
    return names


def _platform_name(view: ConnectionView, platforms: Mapping[str, PlatformView]) -> str:
    platform = platforms.get(view["platform_key"] or "")
    return terms.name_of(
        view["platform_name"] or (platform.name if platform else gettext(terms.UNNAMED_PLATFORM))
    )


def logo_of(platform: PlatformView | None) -> str | None:
    """The square logo, which fits a tile, else the full one."""
    return None if platform is None else platform.square_logo_url or platform.logo_url


def connected_accounting(cards: Sequence[Card]) -> str | None:
    """The name of the connected accounting platform, or ``None``."""
    return next((card.name for card in cards if card.is_linked and card.group == ACCOUNTING), None)


def mark_barred(cards: Sequence[Card]) -> list[Card]:
    """The cards; those that a connected accounting platform prevents say so."""
    connected = connected_accounting(cards)
    if connected is None:
        return list(cards)
    return [
        replace(
            card,
            text=connection_states.barred(card.text, card.name, connected, is_unfinished=card.is_unfinished),
            error=None,
            is_barred=True,
        )
        if card.can_be_barred
        else card
        for card in cards
    ]


def in_order(cards: Sequence[Card]) -> list[Card]:
    """Cards that need the merchant's attention first; the given order otherwise."""
    return sorted(cards, key=lambda card: card.text.tone not in ("bad", "wait"))


def dates_of(connection: Connection) -> Dates:
    """The first authorisation and the last completed read, from the facts and the ledger."""
    linked = [
        fact.at
        for fact in connection.facts
        if fact.kind in (FactKind.LINKED, FactKind.RELINKED)
        or (fact.kind is FactKind.SEEN and fact.status is LinkStatus.LINKED)
    ]
    notified = [
        entry.at
        for entry in connection.ledger
        if entry.kind in (NotificationType.AUTHORIZED.value, NotificationType.REAUTHORIZED.value)
    ]
    begun = [at for at in (connection.base.begun_at, connection.history.begun_at) if at is not None]
    read = [row.at for row in connection.data_types.values() if row.status == COMPLETE]
    return Dates(min([*linked, *notified, *begun], default=None), max(read, default=None))


def _account_hint(view: ConnectionView, redirect: LinkRedirect | None) -> str | None:
    """The name in the address with which the merchant came back; anybody could have written it."""
    if redirect is None or redirect.kind != "connected" or not redirect.account_name or view["account_name"]:
        return None
    return terms.name_of(redirect.account_name)


def _displayed_state(state: State, data_types: Sequence[Mapping[str, Any]]) -> State:
    """``state``; a failed first sync counts as ready once something was read after it."""
    was_read = any(row["status"] == COMPLETE for row in data_types)
    return State.READY if state is State.SYNC_FAILED and was_read else state


def _quoted(error: Mapping[str, str | None]) -> str | None:
    """The platform's message; ``None`` for a cancellation, or without a message."""
    if error["status_code"] == connection_states.CANCELLED_CODE:
        return None
    return terms.quotation(error["message"] or error["status_text"] or "") or None


def _sync_progress(row: Mapping[str, Any], platform_name: str, *, waits: bool) -> SyncProgress:
    status = row["status"]
    running = is_running(status, row["progress"]) and not waits
    failed = has_failed(status, row["progress"])
    tone = "wait" if running else "good" if status == COMPLETE else "calm"
    paused = from_iso(row["paused_until"]) if row["paused_until"] else None
    return SyncProgress(
        label=data_type(row["data_type"]),
        status=terms.paused(paused) if paused else terms.of_status(status, platform_name, failed=failed),
        tone="bad" if failed else tone,
        progress=row["progress"] if running else 100,
    )
