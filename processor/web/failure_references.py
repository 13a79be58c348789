"""References of server errors: each gets one log line and an entry that the operators' search finds."""

import logging
import secrets
from http import HTTPStatus

from flask import request
from redis import RedisError

from processor.clock import to_iso
from processor.errors import ProcessorError, StoreUnavailable
from processor.store import failures
from processor.store.failures import LONGEST_REFERENCE, Failure
from processor.web.dependencies import get_container
from processor.web.request_head import place_of

_log = logging.getLogger(__name__)


def reference_of(error: ProcessorError, *, company_id: str | None = None) -> str | None:
    """Log and store an error that is about to be shown, and return its reference.

    The reference is Codat's correlation id if there is one, so that Codat's support knows it too. Errors
    below 500 are neither logged nor stored, because strangers could fill the list.
    """
    if int(error.status) < HTTPStatus.INTERNAL_SERVER_ERROR:
        return getattr(error, "correlation_id", None)
    reference = str(getattr(error, "correlation_id", None) or secrets.token_hex(8))[:LONGEST_REFERENCE]
    place = place_of(request.path)
    _log.warning(
        "a failure was shown to somebody",
        extra={
            "reference": reference,
            "status": int(error.status),
            "error": error.detail,
            "place": place,
            "company_id": company_id,
        },
    )
    if isinstance(error, StoreUnavailable):
        return reference
    container = get_container()
    now = container.clock()
    failure = Failure(reference, to_iso(now), int(error.status), error.title, error.detail, place, company_id)
    try:
        failures.record(container.redis, failure, now)
    except RedisError:
        _log.warning("a failure could not be kept for the search", extra={"reference": reference})
    return reference
