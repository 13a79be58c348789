"""Which of our errors an answer of Codat's other than 2xx is.

Codat's errors are objects ``{statusCode service error correlationId validation ...}``; what has another
shape comes from a proxy or a wrong address. https://docs.codat.io/using-the-api/errors
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from processor.codat.errors import CodatConflict, CodatFailing, CodatNotFound
from processor.codat.http_headers import retry_after_s, wait_s
from processor.codat.json_values import as_id, as_text
from processor.codat.quota import Quota
from processor.errors import CodatError, CodatRateLimited, CodatRefused

DEFAULT_WAIT_S = 60
MAX_SAID_CHARS = 300
MAX_VALIDATIONS = 3
MASK = "***"

_SENTENCES: Mapping[int, str] = {
    401: "Codat does not accept CODAT_API_KEY",
    402: "The limit of the Codat account is reached",
    403: "Codat does not allow this to our API key",
    404: "Codat does not know it",
    409: "Codat is not ready for that in the present state",
}


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What Codat's error object says."""

    status: int | None = None
    correlation_id: str | None = None
    text: str | None = None

    @property
    def is_codats_own(self) -> bool:
        """Whether it was Codat's error object at all."""
        return self.status is not None or self.correlation_id is not None


def refusal(
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    *,
    asked_at: datetime,
    timed: bool,
    quota: Quota | None = None,
    secrets: Sequence[str] = (),
) -> CodatError:
    """The error that an answer with ``status`` means; no text in it holds one of the ``secrets``.

    ``headers`` answer to names in any case.
    """
    spoken = _spoken(content, secrets)
    known = _SENTENCES.get(status)
    if status == 429:
        return CodatRateLimited(rest_s(headers, quota, asked_at), correlation_id=spoken.correlation_id)
    if status == 404 and spoken.is_codats_own and spoken.status in (None, 404):
        return CodatNotFound(
            _sentence(known, 404, spoken),
            asked_at=asked_at,
            timed=timed,
            correlation_id=spoken.correlation_id,
        )
    if status == 409:
        return CodatConflict(409, spoken.correlation_id, _sentence(known, 409, spoken))
    if 400 <= status < 500 and status not in (404, 408):
        return CodatRefused(status, spoken.correlation_id, _sentence(known, status, spoken))
    if spoken.is_codats_own:
        words = "Codat is in maintenance" if status == 503 else "Codat failed"
        sentence = _sentence(words, status, spoken)
    else:
        sentence = f"What answered {status} at CODAT_API_URL does not look like Codat; try again later."
    wanted_s = retry_after_s(headers, asked_at)
    return CodatFailing(
        status,
        sentence,
        correlation_id=spoken.correlation_id,
        retry_after_s=wanted_s,
        codats_own=spoken.is_codats_own,
    )


def rest_s(headers: Mapping[str, str], quota: Quota | None, asked_at: datetime) -> int:
    """For how long Codat wants no more requests after a 429, in seconds from ``asked_at``."""
    wanted_s = retry_after_s(headers, asked_at)
    if wanted_s is None and quota is not None and quota.remaining == 0 and quota.resets_at is not None:
        wanted_s = wait_s(quota.resets_at, asked_at)
    return DEFAULT_WAIT_S if wanted_s is None else wanted_s


def _sentence(words: str | None, status: int, spoken: _Spoken) -> str:
    opening = f"{words or 'Codat refused the request'} ({status})"
    return f"{opening}: {spoken.text}" if spoken.text else f"{opening}."


def _spoken(content: bytes, secrets: Sequence[str]) -> _Spoken:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return _Spoken()
    if not isinstance(body, dict):
        return _Spoken()
    code = body.get("statusCode")
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    said = [as_text(body.get("error"), MAX_SAID_CHARS), *_validations(body.get("validation"))]
    text = " · ".join(dict.fromkeys(part for part in said if part)) or None
    correlation_id = as_id(body.get("correlationId"))
    for secret in secrets:
        text = text and text.replace(secret, MASK)
        correlation_id = correlation_id and correlation_id.replace(secret, MASK)
    return _Spoken(code if type(code) is int else None, correlation_id, text)


def _validations(validation: object) -> list[str | None]:
    errors = validation.get("errors") if isinstance(validation, dict) else None
    rows = errors[:MAX_VALIDATIONS] if isinstance(errors, list) else []
    return [as_text(row.get("message"), MAX_SAID_CHARS) for row in rows if isinstance(row, dict)]
