"""The redirect back from Codat's Link. Anybody can type such an address, so it proves nothing."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

Kind = Literal["connected", "left", "cancelled", "failed", "unsupported", "unknown"]

KINDS: Mapping[int, Kind] = {
    200: "connected",
    201: "left",
    403: "cancelled",
    500: "failed",
    501: "unsupported",
}
"""https://docs.codat.io/auth-flow/authorize-hosted-link"""

ACCOUNT_NAME = "data.company.companyName"
"""The placeholder of Codat for the name of the business that was connected."""

MAX_MESSAGE_CHARS = 300
MAX_NAME_CHARS = 100

_CODE = re.compile(r"[0-9]{3}")
_ID = re.compile(r"[A-Za-z0-9-]{1,100}")
_PLACEHOLDER = re.compile(r"\{[A-Za-z.]+\}")


@dataclass(frozen=True, slots=True)
class LinkRedirect:
    """The end of a visit to Link as the address claims it.

    ``message``, ``platform_name`` and ``account_name`` (of the account, shop or business) are single
    printable lines of bounded length; templates still have to escape them. Ids are well-formed and
    unverified. ``is_new``: the merchant has not read the notice yet.
    """

    status_code: int | None = None
    kind: Kind = "unknown"
    connection_id: str | None = None
    company_id: str | None = None
    platform_name: str | None = None
    account_name: str | None = None
    message: str | None = None
    is_new: bool = True

    @property
    def as_query(self) -> dict[str, str]:
        """Query parameters for the service's own addresses, without ids and the platform's name."""
        parameters = {"statusCode": "" if self.status_code is None else str(self.status_code)}
        if self.message:
            parameters["errorMessage"] = self.message
        if self.account_name:
            parameters[ACCOUNT_NAME] = self.account_name
        return parameters if self.is_new else parameters | {"told": "1"}

    @classmethod
    def from_query(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters; names match in any case, and the first of a name counts."""
        fields: dict[str, str] = {}
        for name, value in args.items():
            fields.setdefault(name.casefold(), value)
        code = fields.get("statuscode", "").strip()
        status_code = int(code) if _CODE.fullmatch(code) else None
        return cls(
            status_code=status_code,
            kind=KINDS.get(status_code or 0, "unknown"),
            connection_id=_id(fields.get("connectionid")),
            company_id=_id(fields.get("companyid")),
            platform_name=_text(fields.get("platformname"), MAX_NAME_CHARS),
            account_name=_text(fields.get(ACCOUNT_NAME.casefold()), MAX_NAME_CHARS),
            is_new="told" not in fields,
            message=_text(fields.get("errormessage"), MAX_MESSAGE_CHARS)
            or _text(fields.get("statustext"), MAX_MESSAGE_CHARS),
        )


def _id(value: str | None) -> str | None:
    return value if value is not None and _ID.fullmatch(value) else None


def _text(value: str | None, max_chars: int) -> str | None:
    """One printable line of up to ``max_chars``, without characters that hide or reorder text."""
    if value is None or _PLACEHOLDER.fullmatch(value.strip()):
        return None
    printable = "".join(
        " " if character.isspace() else character
        for character in value[: 10 * max_chars]
        if character.isspace() or _is_printable(character)
    )
    line = " ".join(printable.split())
    return (line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…") or None


def _is_printable(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
