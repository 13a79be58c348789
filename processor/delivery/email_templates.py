"""E-mails to a company's contact: plain text and HTML, rendered from templates that operators can replace."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy, default
from email.utils import format_datetime
from itertools import product
from pathlib import Path
from types import CodeType
from typing import Any

from jinja2 import (
    BaseLoader,
    BytecodeCache,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    Template,
    select_autoescape,
)
from jinja2.bccache import Bucket

from handlers.milestones import NotificationType, ReminderType
from processor.clock import from_iso
from processor.delivery.channels.email import MAILED
from processor.delivery.email_addresses import with_ascii_domain
from processor.humanize import data_type, printable_line
from processor.languages.catalogues import LANGUAGES, SOURCE, match
from processor.languages.current import current, day, gettext, translate_templates, written_in

NEW_LINK = "journey.link"
"""The template of the e-mail with a new link, for a merchant whose link expired."""

ACTIONABLE = frozenset(
    {
        NEW_LINK,
        NotificationType.AUTHORIZATION_FAILED.value,
        NotificationType.DEAUTHORIZED.value,
        NotificationType.UNLINKED.value,
        NotificationType.DELETED.value,
        NotificationType.SYNC_FAILED.value,
        *(type_.value for type_ in ReminderType),
    }
)
"""Types whose e-mails carry the link: the reader can connect (again)."""

LONGEST_NAME = 120
_AT = "1970-01-01T00:00:00Z"
_SAMPLE = {
    **dict.fromkeys(("merchant_id", "company_id", "connection_id", "event_id", "platform_key"), "x"),
    **{"platform_name": "Xero", "source_type": "Accounting", "account_name": None, "error": None},
    **{"state": "ready", "previous_state": "syncing", "authorization": 1, "expected": False},
    **{"authorized_at": _AT, "occurred_at": _AT},
    "data_types": {"complete": ["bills"], "failed": {"invoices": "FetchError"}},
}
"""What a notification says, to try templates with."""


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """Subject and bodies of an e-mail, and the address that ends e-mails of its kind."""

    subject: str
    text: str
    html: str
    unsubscribe: str | None = None


class _UnfoldedHeader(UnstructuredHeader):
    """A header that stays on one line: a long address would be broken into encoded words."""

    def fold(self, *, policy: EmailPolicy) -> str:
        """The header as it is written."""
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _UnfoldedHeader)  # type: ignore[arg-type]
_POLICY: Any = default.clone(header_factory=_HEADERS)


class _CompiledTemplates(BytecodeCache):
    """The templates that this process compiled, by their names and texts.

    Compiling those of one e-mail takes thirty times as long as filling them in.
    """

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give ``bucket`` its code, if the template was compiled before."""
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of ``bucket``."""
        assert bucket.code is not None  # noqa: S101 - Jinja has just compiled it
        self._code[bucket.key, bucket.checksum] = bucket.code


_compiled = _CompiledTemplates()


class EmailTemplates:
    """Renders e-mails; templates in ``folder`` (MAIL_TEMPLATES_DIR) replace built-in ones."""

    def __init__(self, folder: Path | None = None) -> None:
        built_in: BaseLoader = PackageLoader("processor.delivery", "templates/email")
        loader = built_in if folder is None else ChoiceLoader([FileSystemLoader(folder), built_in])
        self._environment = Environment(
            loader=loader,
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            bytecode_cache=_compiled,
        )
        translate_templates(self._environment)

    def render(
        self,
        body: Mapping[str, Any],
        *,
        company_name: str | None,
        link: str | None,
        product: str | None,
        support: str | None = None,
        link_days: int = 1,
        unsubscribe: str | None = None,
        language: str = SOURCE,
    ) -> RenderedEmail:
        """The e-mail for a notification; ``link`` appears for ``ACTIONABLE`` types alone.

        The link is valid for ``link_days`` days; ``support`` is the address for questions, and at
        ``unsubscribe`` the reader ends reminders. An operator's template in a sub-folder named like the
        ``language`` goes before. Raises ``jinja2.TemplateError`` for an unusable template of the operator.
        """
        with written_in(match(language) or SOURCE):
            type_, data = str(body["type"]), body["data"]
            values: dict[str, Any] = {
                "type": type_,
                "platform": _platform(data),
                "company": _line(company_name),
                "product": _line(product),
                "link": link if type_ in ACTIONABLE else None,
                "to_do": type_ in ACTIONABLE,
                "support": support,
                "link_days": link_days,
                "unsubscribe": unsubscribe,
                "ends_on": day(from_iso(data["ends_at"])) if data.get("ends_at") else "",
                "language": current(),
                "failed": sorted(((data.get("data_types") or {}).get("failed") or {}).items()),
                "data": data,
            }
            values["unread"] = [data_type(name) for name, _ in values["failed"]]
            text = self._template(f"{type_}.txt").render(values)
            subject, _, rest = text.partition("\n")
            return RenderedEmail(
                subject=_line(subject.removeprefix("Subject:")),
                text=re.sub(r"\n{3,}", "\n\n", rest.strip()) + "\n",
                html=self._template(f"{type_}.html").render(values),
                unsubscribe=unsubscribe,
            )

    def _template(self, name: str) -> Template:
        return self._environment.select_template([f"{current().tag}/{name}", name])


def template_mistakes(folder: Path) -> Iterator[str]:
    """A sentence for each e-mail that cannot be made with an operator's templates."""
    templates = EmailTemplates(folder)
    reminders = tuple(ReminderType)
    for type_, language in product((NEW_LINK, *sorted(MAILED)), LANGUAGES):
        data = {} if type_ == NEW_LINK else {**_SAMPLE, **({"ends_at": _AT} if type_ in reminders else {})}
        try:
            templates.render(
                {"type": str(type_), "data": data},
                company_name="Company",
                link="https://link.example",
                product="Product",
                support="support@example.com",
                unsubscribe="https://link.example",
                language=language,
            )
        except Exception as error:  # a template may do anything
            yield (
                f"MAIL_TEMPLATES_DIR must hold templates that can be used: the e-mail {type_} in {language}"
                f" fails with {type(error).__name__}: {error}"[:400]
            )


def to_message(email: RenderedEmail, *, message_id: str, sender: str, to: str, at: datetime) -> EmailMessage:
    """The MIME message of an e-mail; receivers recognise a copy by its ``message_id``.

    Raises ``ValueError`` where ``to`` is not an e-mail address.
    """
    if not to.isprintable() or any(character in to for character in ' ,;<>"()[]\\'):
        raise ValueError("not an address")
    try:
        address = Address(addr_spec=with_ascii_domain(to))
    except (HeaderParseError, IndexError, AttributeError) as error:  # the last two are bugs of Python
        raise ValueError("not an address") from error
    if not address.domain or not address.username:
        raise ValueError("not an address")
    message = EmailMessage(_POLICY)
    message["From"] = with_ascii_domain(sender.rstrip(">")) + ">" * sender.endswith(">")
    message["To"] = address
    message["Subject"] = email.subject
    message["Date"] = format_datetime(at)
    domain = message["From"].addresses[0].domain or "localhost"
    message["Message-ID"] = f"<{message_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if email.unsubscribe:  # one click in the reader's mail program: RFC 8058
        message["List-Unsubscribe"] = f"<{email.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(email.text)
    message.add_alternative(email.html, subtype="html")
    return message


def _platform(data: Mapping[str, Any]) -> str:
    """The platform, and the account, shop or business there, where Codat shows one."""
    platform = _line(data.get("platform_name")) or gettext("your accounting software")
    account = _line(data.get("account_name"))
    return f"{platform} ({account})" if account and account not in platform else platform


def _line(text: object) -> str:
    """Foreign text as one line of bounded length."""
    return printable_line(text)[:LONGEST_NAME]
