"""First syncs that do not begin by themselves: Codat is told to read, once per authorisation."""

import json
import logging
from collections.abc import Iterable
from typing import Any

from redis import Redis

from handlers.connection import Connection
from handlers.state import situation
from processor.codat.client import CodatClient
from processor.errors import CodatError
from processor.store import keys

_log = logging.getLogger(__name__)


class FirstSyncs:
    """Starts what START_FIRST_SYNC wants started, through a client that keeps to the quota."""

    def __init__(self, client: "Redis[Any]", codat: CodatClient) -> None:
        self._client, self._codat = client, codat

    def start(self, company_id: str, connections: Iterable[Connection]) -> bool:
        """Have the company read where one of its connections lacks a first sync; whether Codat was told.

        What Codat refuses is tried again after the next look.
        """
        missing = {
            connection.id: now.authorization
            for connection, now in ((one, situation(one)) for one in connections)
            if now.first_sync_missing
        }
        if not missing:
            return False
        asked = json.loads(self._client.hget(keys.first_syncs(), company_id) or "{}")
        if all(asked.get(connection_id) == number for connection_id, number in missing.items()):
            return False
        try:
            self._codat.read_again(company_id)
        except CodatError as error:
            _log.warning(
                "a first sync could not be started",
                extra={
                    "company_id": company_id,
                    "error": type(error).__name__,
                    "correlation_id": error.correlation_id,
                },
            )
            return False
        self._client.hset(keys.first_syncs(), company_id, json.dumps({**asked, **missing}))
        _log.info("a first sync was started", extra={"company_id": company_id})
        return True
