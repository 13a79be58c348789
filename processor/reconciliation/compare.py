"""Looking at a company: what Codat shows of it, compared with what we know; the difference becomes events.

What would follow is found by the machine itself, tried on what is stored: what changes nothing is not
even put into the inbox, and a dry run shows exactly what would be done.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from redis import Redis

from handlers.connection import Connection
from handlers.events import Company, LinkStatus
from handlers.facts import API_LAG, QUEUED_WITHIN
from handlers.machine import advance
from handlers.registry import Context, Policy
from handlers.state import State, situation
from handlers.trigger import Trigger
from processor.clock import from_iso, utc_now
from processor.codat.client import CodatClient
from processor.codat.errors import CodatNotFound, CodatUnusable
from processor.codat.models import CompanySeen, ConnectionResponse
from processor.codat.observations import new_id
from processor.codat.questions import QuestionClient
from processor.errors import CodatUnavailable
from processor.reconciliation import observed
from processor.reconciliation.baseline import BEFORE_US, SINCE_US, Baseline, by_codats_clock
from processor.reconciliation.diff import CompanyDiff, Comparison, Difference, add
from processor.store import keys, visibility
from processor.store.queries import Reader
from processor.store.records import StoredConnection, UnreadableConnection
from processor.store.unit_of_work import company_news

_log = logging.getLogger(__name__)

WAITED_FOR = frozenset({State.AUTHORIZED, State.SYNCING})
"""The states in which the history may know more."""

PAGE = 200


class CompanyComparer:
    """Looks at companies through one client. Raises ``CodatError`` where Codat does not answer.

    ``clock`` is ours, in UTC. Nothing is written: see ``processor.reconciliation.enqueue``.
    """

    def __init__(
        self,
        codat: CodatClient,
        *,
        client: "Redis[Any]",
        reader: Reader,
        policy: Policy,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._codat, self._client, self._reader = codat, client, reader
        self._policy, self._clock = policy, clock
        self._asker = QuestionClient(codat, clock=clock)
        self._beginning = Baseline(client, clock=clock)

    def look(
        self,
        company_id: str,
        asked: Trigger,
        *,
        page: CompanySeen | None = None,
        gated: bool = False,
        row: Mapping[str, str] | None = None,
        known: Iterable[Connection] | None = None,
        keep_all: bool = False,
    ) -> CompanyDiff:
        """Compare one company.

        ``page`` is the company as a list of companies showed it a moment ago. ``gated``: ask for the
        history only when the data status says that something was read. ``row`` and ``known`` are
        what we know of it, where the caller has it already. ``keep_all``: answers that change nothing
        become events too.

        What the first look at a company finds from before the store began is known quietly:
        see ``processor.reconciliation.baseline``.
        """
        found = CompanyDiff(company_id)
        is_foreign = visibility.is_foreign(self._client, company_id)
        if is_foreign or self._client.exists(keys.erased(company_id)):
            found.shown = False
            return found
        row = self._reader.company(company_id) if row is None else row
        began = self._began(company_id, asked, heard=bool(row))
        if known is None:
            known = [one.connection for one in self.stored(company_id)]
        found.connections = {connection.id: connection for connection in known}
        try:
            company, answers = self._ask(company_id, row, page)
        except CodatNotFound as missing:
            self._gone(found, row or {}, missing, SINCE_US if asked.quiet else asked)
            return found
        self._compare_company(found, company, row, asked, is_new=page is not None or not row)
        now = self._clock()
        if began is not None and answers:
            began = by_codats_clock(began, asked_at=answers[0].asked_at, now=now)
        by_age = not asked.quiet or asked == BEFORE_US
        work = Comparison(
            found, company, asked, now, self._policy, began=began, by_age=by_age, keep_all=keep_all
        )
        new = [answer.id for answer in answers if answer.id not in found.connections]
        found.unreadable = [row.id for row in self._reader.rows(new) if isinstance(row, UnreadableConnection)]
        answers = [answer for answer in answers if answer.id not in found.unreadable]
        for answer in answers:
            work.seen(answer)
        self._verify_missing(work, {answer.id.casefold() for answer in answers})
        self._read_history(work, answers, gated=gated)
        return found

    def _began(self, company_id: str, asked: Trigger, *, heard: bool) -> datetime | None:
        """Since when the store is in use, where that matters to what is told of the company.

        An operator's reconcile tells everything that was missed of a company that we heard of.
        """
        if asked.quiet:
            return self._beginning.since()
        return self._beginning.of(company_id, heard=heard and asked.repairs)

    def stored(self, company_id: str) -> list[StoredConnection]:
        """The connections of the company that we know and can read."""
        found: list[StoredConnection] = []
        cursor: str | None = None
        while True:
            page = self._reader.list_connections(company_id=company_id, limit=PAGE, cursor=cursor)
            found += [one for one in page.items if isinstance(one, StoredConnection)]
            cursor = page.next_cursor
            if cursor is None:
                return found

    def _ask(
        self, company_id: str, row: Mapping[str, str] | None, page: CompanySeen | None
    ) -> tuple[Company, list[ConnectionResponse]]:
        if page is not None and page.connections is not None:
            return page.company, list(page.connections)
        if page is None and not row:
            page = self._codat.get_company(company_id)
            if page.connections is not None:
                return page.company, list(page.connections)
        answers = self._codat.list_connections(company_id)
        return page.company if page is not None else Company(company_id), answers

    def _compare_company(
        self,
        found: CompanyDiff,
        company: Company,
        row: Mapping[str, str] | None,
        asked: Trigger,
        *,
        is_new: bool,
    ) -> None:
        if not is_new:
            return
        event = observed.company(company, event_id=new_id(), at=self._clock(), asked=asked)
        news = company_news(event, company, row)
        if news is None or not news.changes:
            return
        found.events.append(event)
        if not row:
            reason = f"a company that was unknown to us; {asked.because}"
            found.differences.append(
                Difference(company.id, None, "unknown", "known", reason, event.event_type)
            )

    def _gone(
        self, found: CompanyDiff, row: Mapping[str, str], missing: CodatNotFound, asked: Trigger
    ) -> None:
        """The company is gone, if our key was ever shown it; otherwise it may be another client's."""
        found.shown = False
        if "deleted_at" in row:
            return
        if not visibility.was_shown(self._client, found.company_id):
            visibility.mark_not_shown(self._client, found.company_id, self._clock())
            return
        heard = row.get("first_heard")
        if heard is not None and self._clock() < from_iso(heard) + API_LAG:
            raise CodatUnavailable("Codat does not show the company yet; try again in a minute.")
        event = observed.company_gone(
            Company(found.company_id),
            event_id=new_id(),
            received_at=self._clock(),
            asked_at=missing.asked_at,
            timed=missing.timed,
            asked=asked,
        )
        found.events.append(event)
        for connection in list(found.connections.values()):
            step = advance(connection, event, Context(self._clock(), self._policy))
            found.connections[connection.id] = step.connection
            add(found, connection.id, event, step)
        if not found.connections:
            reason = f"Codat does not have the company any more; {asked.because}"
            found.differences.append(
                Difference(found.company_id, None, "known", "deleted", reason, event.event_type)
            )

    def _verify_missing(self, work: Comparison, listed: set[str]) -> None:
        """Ask for each known connection that was not listed: a list may shift, gone is for good.

        One of which Codat's answer cannot be read stays as it is.
        """
        found = work.found
        for connection in list(found.connections.values()):
            if connection.id.casefold() in listed or situation(connection).state is State.DELETED:
                continue
            try:
                event = self._asker.ask_connection(
                    found.company_id, connection.id, seen_before=True, event_id=new_id()
                )
            except CodatUnusable:
                continue
            if event is not None:
                work.learn(connection, replace(event, asked=work.asked))

    def _read_history(self, work: Comparison, answers: Iterable[ConnectionResponse], *, gated: bool) -> None:
        linked = {answer.id for answer in answers if answer.status is LinkStatus.LINKED}
        wanted = [
            connection
            for connection in work.found.connections.values()
            if connection.id in linked and situation(connection).state in WAITED_FOR
        ]
        if not wanted:
            return
        company_id = work.found.company_id
        try:
            if (
                gated
                and not self._codat.get_data_status(company_id)
                and not any(self._may_lack_first_sync(one) for one in wanted)
            ):
                return
            history = self._codat.get_history(company_id)
        except CodatUnusable as error:  # what was seen of access counts all the same
            _log.warning("the reads of a company cannot be read", extra={"error": error.detail})
            work.found.unread = error
            return
        work.read(wanted, history, self._clock())

    def _may_lack_first_sync(self, connection: Connection) -> bool:
        """Whether Codat may have queued nothing to read, and we do not know that yet."""
        now = situation(connection)
        return (
            now.state is State.AUTHORIZED
            and not now.first_sync_missing
            and now.authorized_at is not None
            and self._clock() >= now.authorized_at + QUEUED_WITHIN
        )
