"""A connection as we keep it: facts, what is open, and what was told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from handlers.events import ConnectionDetails, Event, LinkStatus
from handlers.facts import Claim, DataType, Fact, FactKind
from handlers.fold import START, AuthorizationHistory, fold

MOST_FACTS = 64
"""A connection with more facts than this is compacted."""

_KEPT_FACTS = 32

ON_PREMISE = ("quickbooks desktop", "sage 50")
"""How the names of software on the customer's own computer begin, where Codat has not said what it is."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry of the ledger: a notification that was decided.

    ``kind`` is the notification's type, ``at`` the time of the milestone by which
    the next decision is compared, ``by_seen`` whether we knew the time only from
    having looked.
    """

    kind: str
    at: datetime
    id: str
    by_seen: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """News that waits for Codat's word before it is told.

    ``kind`` and ``at`` name the milestone; ``since`` (ours) is when we began to
    wait; ``previous_state`` is the state before the news.
    """

    kind: str
    at: datetime
    since: datetime
    previous_state: str


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything that we know about one connection.

    ``facts`` are sorted. ``base`` is the summary of facts that were compacted and
    ``floor`` the time up to which: facts at or before it are stale. ``described_at``
    is the time of the newest message that described the platform. ``on_premise``: the platform is software
    on the customer's own computer, ``None`` where Codat's list of platforms was not known.
    ``nothing_queued_at`` is when Codat first showed that it reads nothing for an authorisation, ``None``:
    it never did.
    """

    id: str
    company_id: str | None = None
    merchant_id: str | None = None
    platform_key: str | None = None
    platform_name: str | None = None
    source_type: str | None = None
    integration_id: str | None = None
    described_at: datetime | None = None
    facts: tuple[Fact, ...] = ()
    base: AuthorizationHistory = START
    floor: datetime | None = None
    data_types: Mapping[str, DataType] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    checks: tuple[Check, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    account_name: str | None = None
    on_premise: bool | None = None
    nothing_queued_at: datetime | None = None

    @property
    def is_on_premise(self) -> bool:
        """Whether the platform is software on the customer's own computer: read while that one is on."""
        if self.on_premise is not None:
            return self.on_premise
        return (self.platform_name or "").casefold().startswith(ON_PREMISE)

    @property
    def history(self) -> AuthorizationHistory:
        """The fold over all facts."""
        return _folded(self.facts, self.base)

    def described_by(self, event: Event, details: ConnectionDetails | None) -> "Connection":
        """Take platform details and tags from ``event``: the newest description wins, gaps are filled."""
        company = event.company
        said = {
            "company_id": company.id if company else None,
            "merchant_id": company.merchant_id if company else None,
            "platform_key": details.platform_key if details else None,
            "platform_name": details.platform_name if details else None,
            "source_type": details.source_type if details else None,
            "integration_id": details.integration_id if details else None,
            "account_name": details.account_name if details else None,
        }
        newest = self.described_at is None or event.at >= self.described_at
        news = {
            name: value
            for name, value in said.items()
            if value is not None and value != getattr(self, name) and (newest or getattr(self, name) is None)
        }
        if details is not None and newest and details.platform_key is not None:
            news_at: datetime | None = event.at
        else:
            news_at = self.described_at
        if not news and news_at == self.described_at:
            return self
        return replace(self, described_at=news_at, **news)  # type: ignore[arg-type]

    def with_facts(self, facts: Iterable[Fact]) -> "Connection":
        """Add the facts that are not known yet and do not lie below the floor."""
        known = {fact.identity for fact in self.facts}
        added = []
        for fact in facts:
            if fact.identity in known or (self.floor is not None and fact.at <= self.floor):
                continue
            known.add(fact.identity)
            added.append(fact)
        if not added:
            return self
        merged = sorted((*self.facts, *added), key=lambda fact: fact.order)
        return replace(self, facts=tuple(merged))

    def with_data_types(self, outcomes: Iterable[DataType]) -> "Connection":
        """Let each data type keep its newest outcome."""
        merged = dict(self.data_types)
        for outcome in outcomes:
            if outcome.is_newer_than(merged.get(outcome.name)):
                merged[outcome.name] = outcome
        return self if merged == self.data_types else replace(self, data_types=merged)

    def compacted(self) -> "Connection":
        """Fold the oldest facts into the base when there are more than ``MOST_FACTS``.

        First, of every run of looks that saw the same only the first and the last stay.
        """
        if len(self.facts) <= MOST_FACTS:
            return self
        facts = tuple(
            fact
            for position, fact in enumerate(self.facts)
            if not _says_nothing_more(fact, self.facts[position - 1 : position + 2])
        )
        if len(facts) <= _KEPT_FACTS:
            return replace(self, facts=facts)
        old, young = facts[:-_KEPT_FACTS], facts[-_KEPT_FACTS:]
        while young and young[0].at == old[-1].at:
            old, young = (*old, young[0]), young[1:]
        ledger = self.ledger[-_KEPT_FACTS:] if len(self.ledger) > MOST_FACTS else self.ledger
        return replace(self, facts=young, base=fold(old, self.base), floor=old[-1].at, ledger=ledger)


_recent: tuple[tuple[tuple[Fact, ...], AuthorizationHistory, AuthorizationHistory], ...] = ()
"""The last folds: one step asks for the same one or two again and again, and they never change."""

_MOST_RECENT = 4


def _folded(facts: tuple[Fact, ...], base: AuthorizationHistory) -> AuthorizationHistory:
    global _recent
    for known_facts, known_base, history in _recent:
        if known_facts is facts and known_base is base:
            return history
    history = fold(facts, base)
    _recent = ((facts, base, history), *_recent[: _MOST_RECENT - 1])
    return history


def _says_nothing_more(fact: Fact, neighbours: tuple[Fact, ...]) -> bool:
    return (
        fact.kind is FactKind.SEEN
        and len(neighbours) == 3
        and all(
            near.kind is FactKind.SEEN and near.status is fact.status and not near.claimed
            for near in neighbours
        )
    )


def is_linked(history: AuthorizationHistory) -> bool:
    """Whether access is given now."""
    return link_status(history) is LinkStatus.LINKED


def link_status(history: AuthorizationHistory) -> LinkStatus | None:
    """What Codat's status should be by what we know; ``None`` for a deleted connection."""
    if history.deleted:
        return None
    if history.ended:
        return history.ended.status or LinkStatus.UNLINKED
    return LinkStatus.LINKED if history.begun else LinkStatus.PENDING
