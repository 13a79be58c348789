"""Errors of the journey, beside ``processor.errors`` and ``processor.codat.errors``.

ProcessorError
├── CodatNotSet               503   CODAT_API_KEY is not set
├── TokenExpired              410   the link's lifetime is over
├── CompanyGone               410   the link's company was deleted
├── Invalid
│   └── ProductsRefused       422   Codat refuses the company's products
├── Conflict
│   └── AlreadyConnected      409   another accounting connection is linked
└── NotFound
    └── TokenInvalid          404   the link was not made here, or its key is gone, or it was revoked
"""

from http import HTTPStatus

from processor.errors import CodatRefused, Conflict, Invalid, NotFound, ProcessorError


class CodatNotSet(ProcessorError):
    """CODAT_API_KEY is not set, so Codat cannot be called."""

    code = "codat_not_set"
    remedy = "Operators: set `CODAT_API_KEY`; until then nothing can be asked of Codat."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Codat cannot be asked"
    sentence = "CODAT_API_KEY is not set."


class AlreadyConnected(Conflict):
    """The company has a linked accounting connection, ``connection_id``, and may have only one."""

    code = "already_connected"
    remedy = "A company has one accounting platform at a time: disconnect `connection_id` first."
    title = "An accounting platform is connected already"

    def __init__(self, connection_id: str, platform_name: str | None) -> None:
        name = platform_name or "an accounting platform"
        super().__init__(
            f"The company is connected to {name} already (connection {connection_id});"
            " disconnect it before connecting another accounting platform."
        )
        self.connection_id, self.platform_name = connection_id, platform_name

    def extra(self) -> dict[str, object]:
        """``connection_id`` of the linked connection."""
        return super().extra() | {"connection_id": self.connection_id}


class ProductsRefused(Invalid):
    """Codat refuses to create the company with these products, or without any, as ``refused`` says."""

    code = "products_refused"
    remedy = "Send `products` with the identifiers of products of your Codat client, or set CODAT_PRODUCTS."
    title = "Codat wants other products"

    def __init__(self, refused: CodatRefused) -> None:
        super().__init__(
            f"{refused.detail} Name the company's products in `products`, or for all in CODAT_PRODUCTS.",
            errors={"products": [refused.detail]},
        )
        self.correlation_id = refused.correlation_id

    def extra(self) -> dict[str, object]:
        """``errors``, and ``correlation_id`` where Codat gave one."""
        members = super().extra()
        return members if self.correlation_id is None else members | {"correlation_id": self.correlation_id}


class TokenExpired(ProcessorError):
    """The link for ``company_id`` is valid, but its lifetime is over; ``holder``: for whom it was made."""

    code = "link_expired"
    remedy = "Ask for a new link: a company's `connect_url` is fresh each time."
    status = HTTPStatus.GONE
    title = "This link has expired"
    sentence = "The link works no longer; ask for a new one."

    def __init__(self, company_id: str, generation: int = 0, holder: str = "") -> None:
        super().__init__()
        self.company_id, self.generation, self.holder = company_id, generation, holder


class CompanyGone(ProcessorError):
    """The link is valid, but its company was deleted."""

    code = "company_gone"
    remedy = "The company was deleted: sign it up again to go on."
    status = HTTPStatus.GONE
    title = "This company was deleted"
    sentence = "The company was deleted, and its connections with it."


class TokenInvalid(NotFound):
    """The link carries no valid signature of this service."""

    code = "link_invalid"
    remedy = "Copy the whole link, or ask for a new one."
    title = "This link is not valid"
    sentence = "The link is incomplete or not valid any more; ask for a new one."
