"""Everything that this service refuses or cannot do.

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

Each carries the HTTP ``status`` that it means, a stable ``code``, a constant ``title`` and a ``detail``: one
sentence on which the caller can act. ``remedy`` is what ``/problems/CODE`` advises.
:meth:`ProcessorError.problem` is the whole answer as
``application/problem+json`` (RFC 9457). No text here ever holds a secret or a message's body.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

PROBLEMS = "/problems"
"""Where the problems are explained."""

MOST_BLAMED = 5
LONGEST_NAME = 60
LONGEST_MISTAKE = 200
"""Of the fields that a ``detail`` names: how many, and the most characters of a name and of its mistakes."""


class ProcessorError(Exception):
    """The root: whatever is raised on purpose derives from it.

    ``detail`` defaults to the class's own sentence; ``event_id`` names the message concerned.
    """

    code: str = "internal_error"
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    remedy: str = "It is a fault of this service, and its log has it. Try again later; tell the operators."
    title: str = "Something went wrong here"
    sentence: str = "The request could not be completed; try again later."

    def __init__(self, detail: str | None = None, *, event_id: str | None = None) -> None:
        self.detail = detail or self.sentence
        self.event_id = event_id
        super().__init__(self.detail)

    def extra(self) -> dict[str, object]:
        """Members of the answer beyond ``type``, ``title``, ``status`` and ``detail``."""
        return {} if self.event_id is None else {"event_id": self.event_id}

    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to the answer."""
        return {}

    def problem(self) -> dict[str, object]:
        """The answer's body as problem+json."""
        return {
            "type": type_of(self.code),
            "code": self.code,
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            **self.extra(),
        }


def type_of(code: str) -> str:
    """The ``type`` of a problem: the address, relative to ours, that explains it."""
    return f"{PROBLEMS}/{code}"


class SettingsError(ProcessorError):
    """One or more settings are missing or wrong; ``mistakes`` lists them, one sentence each.

    ``who`` cannot start for that.
    """

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
    """The request is no well-formed HTTP."""

    code = "bad_request"
    remedy = "Send a request that HTTP/1.1 can be read in one way only."
    status = HTTPStatus.BAD_REQUEST
    title = "Malformed request"
    sentence = "The request is malformed."


class Unauthorized(ProcessorError):
    """The caller did not prove who they are; ``scheme``, if any, is for ``WWW-Authenticate``."""

    code = "unauthorized"
    remedy = "Send what the call wants: `Authorization: Bearer KEY` for /v1, a signature for a message."
    status = HTTPStatus.UNAUTHORIZED
    title = "Not authenticated"
    sentence = "Send valid credentials with the request."

    def __init__(self, detail: str | None = None, *, scheme: str | None = None) -> None:
        super().__init__(detail)
        self.scheme = scheme

    def headers(self) -> dict[str, str]:
        """``WWW-Authenticate`` where there is a scheme to ask for."""
        return {} if self.scheme is None else {"WWW-Authenticate": self.scheme}


class Forbidden(ProcessorError):
    """The caller is known, or comes from a known place, and may not do this."""

    code = "forbidden"
    remedy = "The sender's address or client id is not among those that are allowed here."
    status = HTTPStatus.FORBIDDEN
    title = "Not allowed"
    sentence = "This caller may not do that."


class NotFound(ProcessorError):
    """There is no such thing."""

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
    """What was sent cannot be used; ``errors`` maps each field to its mistakes."""

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
        super().__init__(detail or (self.blamed() and f"Not usable: {self.blamed()}"), event_id=event_id)

    def blamed(self) -> str:
        """The first fields to blame with their mistakes, in one line; what a caller wrote is cut short."""
        parts = [f"{str(field)[:LONGEST_NAME]}: {_in_line(said)}" for field, said in self.errors.items()]
        more = f"; and {len(parts) - MOST_BLAMED} more" if len(parts) > MOST_BLAMED else ""
        return "; ".join(parts[:MOST_BLAMED]) + more

    def extra(self) -> dict[str, object]:
        """``errors`` where fields are to blame."""
        return super().extra() | ({"errors": self.errors} if self.errors else {})


def _in_line(said: object) -> str:
    text = " ".join(map(str, said)) if isinstance(said, list) else str(said)
    return text[:LONGEST_MISTAKE]


class _RetryLater(ProcessorError):
    """What passes by itself: ``retry_after_s`` is when to try again, in whole seconds."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    default_retry_after_s = 5

    def __init__(self, detail: str | None = None, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = self.default_retry_after_s if retry_after_s is None else retry_after_s

    def headers(self) -> dict[str, str]:
        """``Retry-After`` in seconds."""
        return {"Retry-After": str(self.retry_after_s)}


class StoreUnavailable(_RetryLater):
    """Redis is away, full or still loading: nothing was kept."""

    code = "store_unavailable"
    remedy = "Try again after the seconds in `Retry-After`; nothing was kept of the request."
    title = "The store is not available"
    sentence = "Nothing can be kept or read now; send it again later."


class TooManyAttempts(_RetryLater):
    """Too many wrong credentials came from this address."""

    code = "too_many_attempts"
    remedy = "Try again after the seconds in `Retry-After`, with the right credentials."
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many attempts"
    sentence = "Too many wrong credentials came from this address; wait a minute."
    default_retry_after_s = 60


class EngineFailed(StoreUnavailable):
    """The embedded engine is not installed or does not start."""

    code = "engine_failed"
    remedy = "Operators: `detail` says why the embedded engine does not start."
    title = "The embedded engine does not start"
    sentence = "Set REDIS_URL, or look into the engine's log under DATA_DIR."


class CodatError(ProcessorError):
    """Something between Codat and us; ``correlation_id`` is Codat's, for its support."""

    code = "codat_error"
    remedy = "Codat could not do its part. Give `correlation_id`, where there is one, to Codat's support."
    status = HTTPStatus.BAD_GATEWAY
    title = "Codat could not be used"
    sentence = "Codat's answer could not be used; try again later."

    def __init__(self, detail: str | None = None, *, correlation_id: str | None = None) -> None:
        super().__init__(detail)
        self.correlation_id = correlation_id

    def extra(self) -> dict[str, object]:
        """``correlation_id`` where Codat gave one."""
        return super().extra() | (
            {} if self.correlation_id is None else {"correlation_id": self.correlation_id}
        )


class CodatRefused(CodatError):
    """Codat answered no; ``codat_status`` is its HTTP status. Trying again unchanged does not help."""

    code = "codat_refused"
    remedy = "Codat answered no, and will again: `detail` has its words, `correlation_id` is for its support."
    title = "Codat refused"
    sentence = "Codat refused the request."

    def __init__(
        self, codat_status: int, correlation_id: str | None = None, detail: str | None = None
    ) -> None:
        super().__init__(detail, correlation_id=correlation_id)
        self.codat_status = codat_status


class CodatRateLimited(CodatError, _RetryLater):
    """Codat's quota is used up; ``retry_after_s`` is Codat's ``Retry-After``, in seconds."""

    code = "codat_rate_limited"
    remedy = "Codat's quota is used up. Try again after the seconds in `Retry-After`."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Codat's rate limit is reached"
    sentence = "Codat takes no more requests for now; try again later."

    def __init__(self, retry_after_s: int = 60, *, correlation_id: str | None = None) -> None:
        super().__init__(correlation_id=correlation_id)
        self.retry_after_s = retry_after_s


class CodatUnavailable(CodatError, _RetryLater):
    """Codat did not answer in time, cannot be reached, or is in maintenance."""

    code = "codat_unavailable"
    remedy = "Codat did not answer. Try again after the seconds in `Retry-After`; nothing was changed."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Codat is not available"
    sentence = "Codat does not answer now; try again later."

    def __init__(
        self,
        detail: str | None = None,
        *,
        correlation_id: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail, correlation_id=correlation_id)
        self.retry_after_s = self.default_retry_after_s if retry_after_s is None else retry_after_s
