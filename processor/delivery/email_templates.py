"""E-mails to a company's contact: plain text and HTML, from templates that can be replaced. No sending."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    select_autoescape,
)

from handlers.milestones import NotificationType
from processor.delivery.email_addresses import with_ascii_domain
from processor.humanize import data_type

NEW_LINK = "journey.link"
"""The letter with a fresh link, for whoever opened one that had expired: no notification is behind it."""

TO_DO = frozenset(
    {
        NEW_LINK,
        NotificationType.AUTHORIZATION_FAILED.value,
        NotificationType.DEAUTHORIZED.value,
        NotificationType.UNLINKED.value,
        NotificationType.DELETED.value,
        NotificationType.SYNC_FAILED.value,
    }
)
"""Types after which the reader may want to connect (again): these carry the link."""

LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """What an e-mail says."""

    subject: str
    text: str
    html: str


class EmailTemplates:
    """Writes letters; templates in ``folder`` replace ours of the same name (MAIL_TEMPLATES_DIR)."""

    def __init__(self, folder: Path | None = None) -> None:
        ours: BaseLoader = PackageLoader("processor.delivery", "templates/email")
        loader = ours if folder is None else ChoiceLoader([FileSystemLoader(folder), ours])
        self._environment = Environment(
            loader=loader,
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def write(
        self,
        body: Mapping[str, Any],
        *,
        company_name: str | None,
        link: str | None,
        product: str | None,
        support: str | None = None,
        link_days: int = 1,
    ) -> RenderedEmail:
        """The letter that tells a notification; ``link`` is left out where nothing is to be done.

        The link works for ``link_days``; ``support`` is whom the reader may write to. Raises
        ``jinja2.TemplateError`` for a template of the operator's that cannot be used.
        """
        kind, data = str(body["type"]), body["data"]
        values: dict[str, Any] = {
            "type": kind,
            "platform": _line(data.get("platform_name")) or "your accounting software",
            "company": _line(company_name),
            "product": _line(product),
            "link": link if kind in TO_DO else None,
            "to_do": kind in TO_DO,
            "support": support,
            "link_days": link_days,
            "failed": sorted(((data.get("data_types") or {}).get("failed") or {}).items()),
            "data": data,
        }
        values["unread"] = [data_type(name) for name, _ in values["failed"]]
        text = self._environment.get_template(f"{kind}.txt").render(values)
        subject, _, rest = text.partition("\n")
        return RenderedEmail(
            subject=_line(subject.removeprefix("Subject:")),
            text=re.sub(r"\n{3,}", "\n\n", rest.strip()) + "\n",
            html=self._environment.get_template(f"{kind}.html").render(values),
        )


def message(letter: RenderedEmail, *, message_id: str, sender: str, to: str, at: datetime) -> EmailMessage:
    """The letter as it is sent; ``message_id`` makes a repetition recognisable.

    Raises ``ValueError`` for a recipient that is no address.
    """
    if not to.isprintable() or any(sign in to for sign in ' ,;<>"()[]\\'):
        raise ValueError("not an address")
    try:
        address = Address(addr_spec=with_ascii_domain(to))
    except (HeaderParseError, IndexError, AttributeError) as error:  # the last two by mistakes of Python's
        raise ValueError("not an address") from error
    if not address.domain or not address.username:
        raise ValueError("not an address")
    made = EmailMessage()
    made["From"] = with_ascii_domain(sender.rstrip(">")) + ">" * sender.endswith(">")
    made["To"] = address
    made["Subject"] = letter.subject
    made["Date"] = format_datetime(at)
    domain = made["From"].addresses[0].domain or "localhost"
    made["Message-ID"] = f"<{message_id}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.text)
    made.add_alternative(letter.html, subtype="html")
    return made


def _line(text: object) -> str:
    """Text on one line, of bounded length: names come from elsewhere."""
    words = "".join(sign if sign.isprintable() else " " for sign in str(text or "")).split()
    return " ".join(words)[:LONGEST_NAME]
