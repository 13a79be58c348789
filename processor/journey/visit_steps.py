"""Records the steps of visitors for the funnel; each is also a kept message."""

import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from redis import Redis, RedisError, WatchError

from processor.codat.observation_types import BACK_FROM_CODAT, LINK_OPENED, SENT_TO_CODAT
from processor.errors import NotFound, StoreUnavailable
from processor.journey.events import JourneyEvents
from processor.journey.lookup import Lookup
from processor.journey.records import ATTEMPTS
from processor.store import keys, visit_steps
from processor.store.visit_steps import VisitStep

_log = logging.getLogger(__name__)

EVENT_TYPES: Mapping[VisitStep, str] = {
    VisitStep.OPENED: LINK_OPENED,
    VisitStep.AT_CODAT: SENT_TO_CODAT,
    VisitStep.BACK: BACK_FROM_CODAT,
}
_REASONS: Mapping[VisitStep, str] = {
    VisitStep.OPENED: "the link was opened",
    VisitStep.AT_CODAT: "the user was sent to Codat's Link",
    VisitStep.BACK: "the user came back from Codat's Link",
}


class VisitSteps:
    """Records each step once for a company (link opened) or connection, and never hinders a visitor."""

    def __init__(self, client: "Redis[Any]", *, lookup: Lookup, events: JourneyEvents) -> None:
        self._client, self._lookup, self._events = client, lookup, events

    def take(self, step: VisitStep, company_id: str, connection_id: str | None = None) -> None:
        """Record the step with its message in one transaction, unless it was taken before.

        Only whoever went to Codat comes back from there.
        """
        id_ = connection_id or company_id
        try:
            was_there = step is not VisitStep.BACK or self._is_known(VisitStep.AT_CODAT, company_id, id_)
            if was_there and not self._is_known(step, company_id, id_):
                self._record(step, company_id, connection_id)
        except (RedisError, NotFound, StoreUnavailable) as error:  # full, erased meanwhile, or busy
            _log.info(
                "a visitor's step was not recorded", extra={"step": step, "error": type(error).__name__}
            )

    def _is_known(self, step: VisitStep, company_id: str, id_: str) -> bool:
        return visit_steps.is_known(self._client, step, company_id, id_)

    def _record(self, step: VisitStep, company_id: str, connection_id: str | None) -> None:
        company = self._lookup.company(company_id)
        id_, name = connection_id or company_id, keys.company(company_id)
        for _ in range(ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipe:
                pipe.watch(name, keys.visit_steps(keys.cell_of(company_id), step))
                if not pipe.exists(name) or self._is_known(step, company_id, id_):
                    return
                pipe.multi()
                at = self._events.add_step(
                    pipe, company, EVENT_TYPES[step], connection_id=connection_id, reason=_REASONS[step]
                )
                visit_steps.add(pipe, step, company_id, id_, at)
                with contextlib.suppress(WatchError):
                    pipe.execute()
                    return
        raise StoreUnavailable("Others changed the company's steps at the same time.")
