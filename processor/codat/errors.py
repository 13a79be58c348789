"""Errors of the client of Codat, beyond those of ``processor.errors``.

CodatError
├── CodatUnusable            502   a response that is broken, too large or of the wrong shape
├── CodatRefused             502   400, 401, 402, 403 and other refusals
│   ├── CodatNotFound        404   Codat's own 404
│   └── CodatConflict        409   409
├── CodatRateLimited         503   429
└── CodatUnavailable         503   not reachable, or timed out
    ├── CodatFailing         503   500, 503, or a page that is not from Codat
    ├── CodatUncertain       503   a change was sent and its result is unknown
    └── CompanyUnseen        503   this API key cannot see the company
"""

from datetime import datetime
from http import HTTPStatus

from processor.errors import CodatError, CodatRefused, CodatUnavailable


class CodatUnusable(CodatError):
    """Codat's response is not JSON, too large, or not as documented."""

    code = "codat_unusable"
    remedy = "Codat's answer was broken. Try again later; look whether `CODAT_API_URL` leads to Codat."
    title = "Codat's answer cannot be used"


class CodatNotFound(CodatRefused):
    """Codat's own 404; that of a proxy is a :class:`CodatFailing`.

    ``asked_at`` is the time of the response; ``timed`` is false if it is by this machine's clock.
    """

    code = "codat_not_found"
    remedy = "Codat does not have it (any more): read it again here before you go on."
    status = HTTPStatus.NOT_FOUND
    title = "Codat does not know it"

    def __init__(self, detail: str, *, asked_at: datetime, timed: bool, correlation_id: str | None) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, correlation_id, detail)
        self.asked_at = asked_at
        self.timed = timed


class CodatConflict(CodatRefused):
    """The present state at Codat does not allow the change, or not yet."""

    code = "codat_conflict"
    remedy = "Codat is not ready for it yet, or the state does not allow it: `detail` has its words."
    status = HTTPStatus.CONFLICT
    title = "Codat is not ready for that"


class CodatFailing(CodatUnavailable):
    """Codat or a proxy responded with the server error ``codat_status``.

    ``is_from_codat``: the body is Codat's error object. A proxy may respond after it forwarded the request.
    """

    code = "codat_failing"
    remedy = "Codat had a fault of its own. Try again after the seconds in `Retry-After`."

    def __init__(
        self,
        codat_status: int,
        detail: str,
        *,
        correlation_id: str | None,
        retry_after_s: int | None,
        is_from_codat: bool,
    ) -> None:
        super().__init__(detail, correlation_id=correlation_id, retry_after_s=retry_after_s)
        self.codat_status = codat_status
        self._is_from_codat = is_from_codat

    @property
    def may_have_worked(self) -> bool:
        """Whether a change may have been made; Codat in maintenance (503) makes none."""
        is_maintenance = self.codat_status == HTTPStatus.SERVICE_UNAVAILABLE and self._is_from_codat
        return self.codat_status >= 500 and not is_maintenance


class CodatUncertain(CodatUnavailable):
    """A change was sent and its response was lost: read the state before another attempt."""

    code = "codat_uncertain"
    remedy = "The change may have been made. Read the present state before you send it again."
    title = "Codat's answer was lost"
    sentence = "The change was sent to Codat, whose answer was lost: it may have been made, or not."


class CompanyUnseen(CodatUnavailable):
    """This API key cannot see the company: it is gone, or belongs to another Codat client."""

    code = "company_unseen"
    remedy = "The company belongs to another Codat client, or is gone: the API key here cannot see it."
    title = "Our API key does not see this company"
    sentence = "Codat does not show this company to our API key: it is gone or belongs to another client."
