"""The errors of this service.

    ProcessorError                500
    ├── SettingsError             500   a setting is missing or wrong; stops the start
    ├── BadRequest                400   not HTTP as it should be
    ├── Unauthorized              401
    ├── Forbidden                 403
    ├── NotFound                  404
    ├── Conflict                  409
    ├── TooLarge                  413
    ├── Invalid                   422   `errors` names the fields
    ├── TooManyAttempts           429   too many wrong credentials; `Retry-After`
    ├── StoreUnavailable          503   Redis is away, full or starting; `Retry-After`
    │   └── EngineFailed          503   the embedded engine does not start
    └── CodatError                502
        ├── CodatRefused          502   Codat answered, and the answer is no
        ├── CodatRateLimited      503   the quota is used up; `Retry-After`
        └── CodatUnavailable      503   no answer, or Codat is in maintenance

Each class has its HTTP ``status``, a stable ``code``, a constant ``title`` and a ``detail``: one sentence on
which the caller can act. ``remedy`` is the advice of the page ``/problems/CODE``.
:meth:`ProcessorError.problem` is the response body as ``application/problem+json`` (RFC 9457). No text
contains a secret or the body of a message.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

PROBLEM = "application/problem+json"
"""The content type of an error."""

PROBLEMS = "/problems"
"""The path of the pages that explain the errors."""

MAX_FIELDS = 5
MAX_NAME_CHARS = 60
MAX_MISTAKE_CHARS = 200
"""How many invalid fields a ``detail`` names, and the longest name and the longest text of its mistakes."""


class ProcessorError(Exception):
    """The base class of all deliberate errors.

    ``detail`` defaults to the sentence of the class; ``event_id`` is the id of the message concerned.
    ``retry_after_s`` is when to try again, in whole seconds; ``None``: that is not known.
    """

    code: str = "internal_error"
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    remedy: str = "It is a fault of this service, and its log has it. Try again later; tell the operators."
    title: str = "Something went wrong here"
    sentence: str = "The request could not be completed; try again later."
    retry_after_s: int | None = None

    def __init__(
        self, detail: str | None = None, *, event_id: str | None = None, retry_after_s: int | None = None
    ) -> None:
        self.detail = detail or self.sentence
        self.event_id = event_id
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        super().__init__(self.detail)

    def extra(self) -> dict[str, object]:
        """Additional members of the response body."""
        return {} if self.event_id is None else {"event_id": self.event_id}

    def headers(self) -> dict[str, str]:
        """Additional HTTP headers of the response: ``Retry-After``, if it is known."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}

    def problem(self) -> dict[str, object]:
        """The body of the response as problem+json."""
        return {
            "type": type_of(self.code),
            "code": self.code,
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            **self.extra(),
        }


def type_of(code: str) -> str:
    """The ``type`` of a problem: the path of the page that explains it."""
    return f"{PROBLEMS}/{code}"


class SettingsError(ProcessorError):
    """Settings are missing or wrong; ``mistakes`` has one sentence for each, ``who`` cannot start."""

    code = "settings_wrong"
    remedy = "Operators: correct the settings that are named, and start again."
    title = "The settings are wrong"
    sentence = "A setting is missing or wrong."

    def __init__(self, mistakes: Sequence[str], *, who: str = "The service") -> None:
        self.mistakes = tuple(mistakes)
        count = "1 setting is" if len(self.mistakes) == 1 else f"{len(self.mistakes)} settings are"
        lines = "".join(f"\n  {mistake}" for mistake in self.mistakes)
        super().__init__(f"{who} cannot start: {count} missing or wrong.{lines}")


class BadRequest(ProcessorError):
    """The request is not well-formed HTTP."""

    code = "bad_request"
    remedy = "Send a request that HTTP/1.1 can be read in one way only."
    status = HTTPStatus.BAD_REQUEST
    title = "Malformed request"
    sentence = "The request is malformed."


class Unauthorized(ProcessorError):
    """The caller is not authenticated; ``scheme`` is the value of ``WWW-Authenticate``, if any."""

    code = "unauthorized"
    remedy = "Send what the call wants: `Authorization: Bearer KEY` for /v1, a signature for a message."
    status = HTTPStatus.UNAUTHORIZED
    title = "Not authenticated"
    sentence = "Send valid credentials with the request."

    def __init__(self, detail: str | None = None, *, scheme: str | None = None) -> None:
        super().__init__(detail)
        self.scheme = scheme

    def headers(self) -> dict[str, str]:
        """``WWW-Authenticate`` if there is a scheme."""
        return {} if self.scheme is None else {"WWW-Authenticate": self.scheme}


class Forbidden(ProcessorError):
    """The caller is not allowed to do this."""

    code = "forbidden"
    remedy = "The sender's address or client id is not among those that are allowed here."
    status = HTTPStatus.FORBIDDEN
    title = "Not allowed"
    sentence = "This caller may not do that."


class NotFound(ProcessorError):
    """The object does not exist."""

    code = "not_found"
    remedy = "Check the id and the address; what was deleted or has expired is not found any more."
    status = HTTPStatus.NOT_FOUND
    title = "Not found"
    sentence = "There is nothing under that id."


class Conflict(ProcessorError):
    """The request contradicts the present state."""

    code = "conflict"
    remedy = "Read the present state and decide anew; `detail` says what stands in the way."
    status = HTTPStatus.CONFLICT
    title = "Conflict"
    sentence = "The present state does not allow that."


class TooLarge(ProcessorError):
    """The body is larger than ``MAX_BODY_BYTES``."""

    code = "too_large"
    remedy = "Send less: `MAX_BODY_BYTES` is the limit."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Too large"
    sentence = "The body is larger than this service accepts."


class Invalid(ProcessorError):
    """The request is invalid; ``errors`` maps each field to its mistakes."""

    code = "invalid"
    remedy = "Correct the fields that `errors` names; sending the same again cannot help."
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Not usable"
    sentence = "What was sent cannot be used."

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Mapping[str, object] | None = None,
        event_id: str | None = None,
    ) -> None:
        self.errors = dict(errors or {})
        summary = self.summary()
        super().__init__(detail or (summary and f"Not usable: {summary}"), event_id=event_id)

    def summary(self) -> str:
        """The first invalid fields with their mistakes, in one line; long texts of the caller are cut."""
        parts = [
            f"{str(field)[:MAX_NAME_CHARS]}: {_single_line(mistakes)}"
            for field, mistakes in self.errors.items()
        ]
        more = f"; and {len(parts) - MAX_FIELDS} more" if len(parts) > MAX_FIELDS else ""
        return "; ".join(parts[:MAX_FIELDS]) + more

    def extra(self) -> dict[str, object]:
        return super().extra() | ({"errors": self.errors} if self.errors else {})


def _single_line(mistakes: object) -> str:
    text = " ".join(map(str, mistakes)) if isinstance(mistakes, list) else str(mistakes)
    return text[:MAX_MISTAKE_CHARS]


class StoreUnavailable(ProcessorError):
    """Redis is unreachable, full or loading its data: nothing was stored."""

    code = "store_unavailable"
    remedy = "Try again after the seconds in `Retry-After`; nothing was kept of the request."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The store is not available"
    sentence = "Nothing can be kept or read now; send it again later."
    retry_after_s: int = 5


class TooManyAttempts(ProcessorError):
    """Too many wrong credentials came from this address."""

    code = "too_many_attempts"
    remedy = "Try again after the seconds in `Retry-After`, with the right credentials."
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many attempts"
    sentence = "Too many wrong credentials came from this address; wait a minute."
    retry_after_s: int = 60


class EngineFailed(StoreUnavailable):
    """The embedded engine is not installed or does not start."""

    code = "engine_failed"
    remedy = "Operators: `detail` says why the embedded engine does not start."
    title = "The embedded engine does not start"
    sentence = "Set REDIS_URL, or look into the engine's log under DATA_DIR."


class CodatError(ProcessorError):
    """A request to Codat failed; ``correlation_id`` is Codat's, for its support."""

    code = "codat_error"
    remedy = "Codat could not do its part. Give `correlation_id`, where there is one, to Codat's support."
    status = HTTPStatus.BAD_GATEWAY
    title = "Codat could not be used"
    sentence = "Codat's answer could not be used; try again later."

    def __init__(
        self,
        detail: str | None = None,
        *,
        correlation_id: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.correlation_id = correlation_id

    def extra(self) -> dict[str, object]:
        return super().extra() | (
            {} if self.correlation_id is None else {"correlation_id": self.correlation_id}
        )


class CodatRefused(CodatError):
    """Codat refused the request with the HTTP status ``codat_status``; a repetition does not help."""

    code = "codat_refused"
    remedy = "Codat answered no, and will again: `detail` has its words, `correlation_id` is for its support."
    title = "Codat refused"
    sentence = "Codat refused the request."

    def __init__(
        self, codat_status: int, correlation_id: str | None = None, detail: str | None = None
    ) -> None:
        super().__init__(detail, correlation_id=correlation_id)
        self.codat_status = codat_status


class CodatRateLimited(CodatError):
    """Codat's quota is used up; ``retry_after_s`` is Codat's ``Retry-After``, in seconds."""

    code = "codat_rate_limited"
    remedy = "Codat's quota is used up. Try again after the seconds in `Retry-After`."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Codat's rate limit is reached"
    sentence = "Codat takes no more requests for now; try again later."
    retry_after_s: int = 60

    def __init__(self, retry_after_s: int | None = None, *, correlation_id: str | None = None) -> None:
        super().__init__(correlation_id=correlation_id, retry_after_s=retry_after_s)


class CodatUnavailable(CodatError):
    """Codat did not answer in time, cannot be reached, or is in maintenance."""

    code = "codat_unavailable"
    remedy = "Codat did not answer. Try again after the seconds in `Retry-After`; nothing was changed."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Codat is not available"
    sentence = "Codat does not answer now; try again later."
    retry_after_s: int = 5
