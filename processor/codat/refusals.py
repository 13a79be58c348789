"""Errors for Codat's responses other than 2xx.

Codat's error bodies are objects ``{statusCode service error correlationId validation ...}``; any other body
comes from a proxy or a wrong address. https://docs.codat.io/using-the-api/errors
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from processor.codat.errors import CodatConflict, CodatFailing, CodatNotFound
from processor.codat.http_headers import pause_s, quota_of, wait_s
from processor.codat.json_values import as_id, as_text
from processor.errors import CodatError, CodatRateLimited, CodatRefused

DEFAULT_WAIT_S = 60
MAX_MESSAGE_CHARS = 300
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
class RawResponse:
    """A response as it came, with its time as ``CodatResponse`` has it. Names of headers have any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    asked_at: datetime
    timed: bool


@dataclass(frozen=True, slots=True)
class _ErrorBody:
    """Codat's error object, as far as it can be read."""

    status: int | None = None
    correlation_id: str | None = None
    text: str | None = None

    @property
    def is_from_codat(self) -> bool:
        """Whether the body is Codat's error object."""
        return self.status is not None or self.correlation_id is not None


def refusal(raw: RawResponse, secrets: Sequence[str]) -> CodatError:
    """The error for a response other than 2xx; its texts mask the ``secrets``."""
    status, body = raw.status, _parse_body(raw.content, secrets)
    opening = _SENTENCES.get(status)
    if status == 429:
        return CodatRateLimited(rest_s(raw.headers, raw.asked_at), correlation_id=body.correlation_id)
    if status == 404 and body.is_from_codat and body.status in (None, 404):
        return CodatNotFound(
            _sentence(opening, 404, body),
            asked_at=raw.asked_at,
            timed=raw.timed,
            correlation_id=body.correlation_id,
        )
    if status == 409:
        return CodatConflict(409, body.correlation_id, _sentence(opening, 409, body))
    if 400 <= status < 500 and status not in (404, 408):
        return CodatRefused(status, body.correlation_id, _sentence(opening, status, body))
    if body.is_from_codat:
        opening = "Codat is in maintenance" if status == 503 else "Codat failed"
        sentence = _sentence(opening, status, body)
    else:
        sentence = f"What answered {status} at CODAT_API_URL does not look like Codat; try again later."
    return CodatFailing(
        status,
        sentence,
        correlation_id=body.correlation_id,
        retry_after_s=pause_s(raw.headers.get("Retry-After"), raw.asked_at),
        is_from_codat=body.is_from_codat,
    )


def rest_s(headers: Mapping[str, str], asked_at: datetime) -> int:
    """Pause after a 429, in seconds from ``asked_at``."""
    seconds = pause_s(headers.get("Retry-After"), asked_at)
    quota = quota_of(headers, asked_at)
    if seconds is None and quota is not None and quota.remaining == 0 and quota.resets_at is not None:
        seconds = wait_s(quota.resets_at, asked_at)
    return DEFAULT_WAIT_S if seconds is None else seconds


def _sentence(opening: str | None, status: int, body: _ErrorBody) -> str:
    start = f"{opening or 'Codat refused the request'} ({status})"
    return f"{start}: {body.text}" if body.text else f"{start}."


def _parse_body(content: bytes, secrets: Sequence[str]) -> _ErrorBody:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return _ErrorBody()
    if not isinstance(body, dict):
        return _ErrorBody()
    code = body.get("statusCode")
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    messages = [as_text(body.get("error"), MAX_MESSAGE_CHARS), *_validations(body.get("validation"))]
    text = " · ".join(dict.fromkeys(part for part in messages if part)) or None
    correlation_id = as_id(body.get("correlationId"))
    for secret in secrets:
        text = text and text.replace(secret, MASK)
        correlation_id = correlation_id and correlation_id.replace(secret, MASK)
    return _ErrorBody(code if type(code) is int else None, correlation_id, text)


def _validations(validation: object) -> list[str | None]:
    errors = validation.get("errors") if isinstance(validation, dict) else None
    rows = errors[:MAX_VALIDATIONS] if isinstance(errors, list) else []
    return [as_text(row.get("message"), MAX_MESSAGE_CHARS) for row in rows if isinstance(row, dict)]
