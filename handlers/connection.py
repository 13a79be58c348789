"""A connection as it is stored: its facts, its open questions, and the ledger of notifications."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from operator import attrgetter
from typing import Any

from handlers.events import ConnectionDetails, Event, LinkStatus
from handlers.facts import Claim, DataType, Fact, FactKind
from handlers.fold import START, AuthorizationHistory, fold
from handlers.records import dataclass, replace

MOST_FACTS = 64
"""A connection with more facts than this is compacted."""

_KEPT_FACTS = 32

ON_PREMISE = ("quickbooks desktop", "sage 50")
"""Prefixes of platform names that count as on-premise software where Codat's list of platforms is unknown."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A notification that was decided.

    ``kind`` is the notification's type and ``at`` the time of its milestone. ``is_observed``: this time comes
    from Codat's API, which shows a change later than it happened.
    """

    kind: str
    at: datetime
    id: str
    is_observed: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A milestone that is verified with Codat before its notification is sent.

    ``kind`` and ``at`` identify the milestone. ``since`` is the start of the check by our clock.
    ``previous_state`` is the public state before the milestone.
    """

    kind: str
    at: datetime
    since: datetime
    previous_state: str


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything that is known about one connection.

    ``facts`` are sorted by ``Fact.order``. ``base`` is the fold over the facts that were compacted, and facts
    at or before ``compacted_until`` are stale. ``described_at`` is the time of the newest message that
    described the platform. ``on_premise``: the platform is software on the customer's own computer, ``None``
    where Codat's list of platforms was unknown. ``nothing_queued_at`` is when Codat first showed that no read
    is queued for an authorisation, ``None`` if it never did. ``previous_account_name`` is the account, shop
    or business before ``account_name``, where another one was connected.
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
    compacted_until: datetime | None = None
    data_types: Mapping[str, DataType] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    checks: tuple[Check, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    account_name: str | None = None
    on_premise: bool | None = None
    nothing_queued_at: datetime | None = None
    previous_account_name: str | None = None

    @property
    def is_on_premise(self) -> bool:
        """Whether the platform is software on the customer's own computer."""
        if self.on_premise is not None:
            return self.on_premise
        return (self.platform_name or "").casefold().startswith(ON_PREMISE)

    @property
    def history(self) -> AuthorizationHistory:
        """The fold over all facts."""
        return _cached_fold(self.facts, self.base)

    def with_description(self, event: Event, details: ConnectionDetails | None) -> "Connection":
        """Take over the platform details and the company of ``event``.

        The newest description wins; an older one fills gaps.
        """
        is_newest = self.described_at is None or event.at >= self.described_at
        changes: dict[str, Any] = {
            name: value
            for name, value in _description(event, details).items()
            if value is not None and value != (known := getattr(self, name)) and (is_newest or known is None)
        }
        if "account_name" in changes:
            changes["previous_account_name"] = self.account_name
        describes_platform = details is not None and details.platform_key is not None
        described_at = event.at if describes_platform and is_newest else self.described_at
        if not changes and described_at == self.described_at:
            return self
        return replace(self, described_at=described_at, **changes)

    def is_compacted(self, fact: Fact) -> bool:
        """Whether ``fact`` lies in the time that was compacted."""
        return self.compacted_until is not None and fact.at <= self.compacted_until

    def with_facts(self, facts: Iterable[Fact]) -> "Connection":
        """Add the facts that are new and do not lie in the time that was compacted."""
        facts = tuple(facts)
        if not facts:
            return self
        recent = _recent_additions.get(id(self))
        if recent is not None and recent[0] is self and recent[1] == facts:
            return recent[2]
        learnt = self._with_facts(facts)
        _recent_additions.clear()
        _recent_additions[id(self)] = (self, facts, learnt)
        return learnt

    def _with_facts(self, facts: tuple[Fact, ...]) -> "Connection":
        added: list[Fact] = []
        for fact in facts:
            if not (
                fact.identity in {other.identity for other in added}
                or _is_known(fact, self.facts)
                or self.is_compacted(fact)
            ):
                added.append(fact)
        if not added:
            return self
        if len(added) > 1 or (self.facts and added[0].order < self.facts[-1].order):
            return replace(self, facts=tuple(sorted((*self.facts, *added), key=lambda fact: fact.order)))
        return replace(self, facts=(*self.facts, *added))

    def with_data_types(self, outcomes: Iterable[DataType]) -> "Connection":
        """Let each data type keep its newest outcome."""
        merged: dict[str, DataType] = {}
        for outcome in outcomes:
            known = merged.get(outcome.name) or self.data_types.get(outcome.name)
            if outcome.is_newer_than(known):
                merged[outcome.name] = outcome
        return replace(self, data_types={**self.data_types, **merged}) if merged else self

    def compacted(self) -> "Connection":
        """Fold the oldest facts into ``base`` when there are more than ``MOST_FACTS``.

        Repeated observations of one status are reduced to the first and the last before that. What holds
        stays the same: a fact and one that it outranks are folded together.
        """
        if len(self.facts) <= MOST_FACTS:
            return self
        facts = tuple(
            fact
            for position, fact in enumerate(self.facts)
            if not _is_redundant(fact, self.facts[position - 1 : position + 2])
        )
        if fold(facts, self.base) != self.history:
            facts = self.facts
        if len(facts) <= _KEPT_FACTS:
            return replace(self, facts=facts)
        old, young = facts[:-_KEPT_FACTS], facts[-_KEPT_FACTS:]
        while young and (young[0].at == old[-1].at or fold(young, fold(old, self.base)) != self.history):
            old, young = (*old, young[0]), young[1:]
        return replace(
            self,
            facts=young,
            base=fold(old, self.base),
            compacted_until=old[-1].at,
            ledger=_newest(self.ledger) if len(self.ledger) > MOST_FACTS else self.ledger,
        )


_DETAILS = ("platform_key", "platform_name", "source_type", "integration_id", "account_name")
_details: Callable[[ConnectionDetails], tuple[str | None, ...]] = attrgetter(*_DETAILS)


def _description(event: Event, details: ConnectionDetails | None) -> dict[str, str | None]:
    """The descriptive fields of a connection that ``event`` gives."""
    fields = dict(zip(_DETAILS, _details(details), strict=True)) if details else {}
    if event.company:
        fields["company_id"] = event.company.id
        fields["merchant_id"] = event.company.merchant_id
    return fields


def _newest(ledger: tuple[LedgerEntry, ...]) -> tuple[LedgerEntry, ...]:
    """The newest entries, and of each kind the last one: without it its milestone would be told again."""
    last = {entry.kind: entry.id for entry in ledger}.values()
    return (*(entry for entry in ledger[:-_KEPT_FACTS] if entry.id in last), *ledger[-_KEPT_FACTS:])


def _is_known(fact: Fact, facts: Sequence[Fact]) -> bool:
    """Whether the fact is one of ``facts``, which are sorted."""
    for other in reversed(facts):
        if other.at < fact.at:
            return False
        if other.identity == fact.identity:
            return True
    return False


_recent_folds: dict[int, tuple[tuple[Fact, ...], AuthorizationHistory, AuthorizationHistory]] = {}
"""Folds as (facts, base, result) by the identity of the facts: a batch needs the same ones several times."""

MOST_RECENT = 1_024
"""Results that are kept to be found again."""


_recent_additions: dict[int, tuple[Connection, tuple[Fact, ...], Connection]] = {}
"""The last addition as (connection, facts, result): a handler looks ahead at what its facts will mean."""


def _cached_fold(facts: tuple[Fact, ...], base: AuthorizationHistory) -> AuthorizationHistory:
    recent = _recent_folds.get(id(facts))
    if recent is not None and recent[0] is facts and recent[1] is base:
        return recent[2]
    history = fold(facts, base)
    if len(_recent_folds) >= MOST_RECENT:
        _recent_folds.clear()
    _recent_folds[id(facts)] = (facts, base, history)
    return history


def _is_redundant(fact: Fact, neighbours: tuple[Fact, ...]) -> bool:
    """Whether the fact and its ``neighbours``, those before and after, are observations of one status."""
    return len(neighbours) == 3 and all(
        neighbour.kind is FactKind.SEEN and neighbour.status is fact.status and not neighbour.claimed
        for neighbour in neighbours
    )


def link_status(history: AuthorizationHistory) -> LinkStatus | None:
    """Codat's status of the connection as the facts imply it; ``None`` for a deleted connection."""
    if history.deleted:
        return None
    if history.ended:
        return history.ended.status
    return LinkStatus.LINKED if history.begun else LinkStatus.PENDING
