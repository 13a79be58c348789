"""Starts first syncs that Codat did not start itself, once per authorisation."""

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
    """Requests the missing first syncs where START_FIRST_SYNC is set."""

    def __init__(self, client: "Redis[Any]", codat: CodatClient) -> None:
        self._client, self._codat = client, codat

    def start(self, company_id: str, connections: Iterable[Connection]) -> bool:
        """Request a read of the company if a connection lacks its first sync; whether it was requested.

        A request that Codat refuses is repeated after the next poll.
        """
        missing = {
            connection.id: state.authorization
            for connection, state in ((connection, situation(connection)) for connection in connections)
            if state.first_sync_missing
        }
        if not missing:
            return False
        name = keys.first_syncs(keys.cell_of(company_id))
        requested = json.loads(self._client.hget(name, company_id) or "{}")
        if all(requested.get(connection_id) == number for connection_id, number in missing.items()):
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
        self._client.hset(name, company_id, json.dumps({**requested, **missing}))
        _log.info("a first sync was started", extra={"company_id": company_id})
        return True
