"""What can go wrong on the journey, beyond ``processor.errors`` and ``processor.codat.errors``.

ProcessorError
├── CodatNotSet               503   CODAT_API_KEY is not set
├── TokenExpired              410   the link is older than a day
└── NotFound
    └── TokenInvalid          404   the link was not made here, or its key was taken out of SECRET_KEY
"""

from http import HTTPStatus

from processor.errors import NotFound, ProcessorError


class CodatNotSet(ProcessorError):
    """There is no API key, so nothing can be asked of Codat."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Codat cannot be asked"
    sentence = "CODAT_API_KEY is not set."


class TokenExpired(ProcessorError):
    """The link was made here, but too long ago; ``company_id`` is whose it was."""

    status = HTTPStatus.GONE
    title = "This link has expired"
    sentence = "Links work for 24 hours; ask for a new one."

    def __init__(self, company_id: str | None = None) -> None:
        super().__init__()
        self.company_id = company_id


class TokenInvalid(NotFound):
    """The link is not one of ours."""

    title = "This link is not valid"
    sentence = "The link is incomplete or not valid any more; ask for a new one."
