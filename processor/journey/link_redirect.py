"""What Codat's Link says when it sends somebody back. Anyone can type such an address: it proves nothing."""

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

MOST_MESSAGE_CHARS = 300
MOST_NAME_CHARS = 100

_CODE = re.compile(r"[0-9]{3}")
_ID = re.compile(r"[A-Za-z0-9-]{1,100}")
_PLACEHOLDER = re.compile(r"\{[A-Za-z]+\}")


@dataclass(frozen=True, slots=True)
class LinkRedirect:
    """The end of a visit to Link as the address claims it.

    ``message`` and ``platform_name`` are bounded, one line, printable, and still to be escaped
    wherever they are shown. Ids have the shape of ids, and may be anybody's. ``is_new``: the reader was not
    told of it yet.
    """

    status_code: int | None = None
    kind: Kind = "unknown"
    connection_id: str | None = None
    company_id: str | None = None
    platform_name: str | None = None
    message: str | None = None
    is_new: bool = True

    @property
    def as_query(self) -> dict[str, str]:
        """What it is as parameters of an address of ours: the same, without ids and the platform's name."""
        code = "" if self.status_code is None else str(self.status_code)
        said = {"errorMessage": self.message} if self.message else {}
        return {"statusCode": code} | said | ({} if self.is_new else {"told": "1"})

    @classmethod
    def from_query(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters, whose names come in any case; of several of a name the first counts."""
        said: dict[str, str] = {}
        for name, value in args.items():
            said.setdefault(name.casefold(), value)
        code = said.get("statuscode", "").strip()
        status_code = int(code) if _CODE.fullmatch(code) else None
        return cls(
            status_code=status_code,
            kind=KINDS.get(status_code or 0, "unknown"),
            connection_id=_id(said.get("connectionid")),
            company_id=_id(said.get("companyid")),
            platform_name=_text(said.get("platformname"), MOST_NAME_CHARS),
            is_new="told" not in said,
            message=_text(said.get("errormessage"), MOST_MESSAGE_CHARS)
            or _text(said.get("statustext"), MOST_MESSAGE_CHARS),
        )


def _id(value: str | None) -> str | None:
    return value if value is not None and _ID.fullmatch(value) else None


def _text(value: str | None, most: int) -> str | None:
    """One printable line; without the characters that hide or turn around what follows them."""
    if value is None or _PLACEHOLDER.fullmatch(value.strip()):
        return None
    kept = "".join(
        " " if one.isspace() else one for one in value[: 10 * most] if one.isspace() or _is_plain(one)
    )
    line = " ".join(kept.split())
    return (line if len(line) <= most else line[: most - 1].rstrip() + "…") or None


def _is_plain(one: str) -> bool:
    return unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co", "Cn")
