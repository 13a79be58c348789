"""E-mails in the language of their company, and templates of an operator for one language."""

import re
from pathlib import Path
from typing import Any

import pytest

from processor.delivery.channels.email import MAILED
from processor.delivery.email_templates import NEW_LINK, EmailTemplates, RenderedEmail
from processor.languages.catalogues import LANGUAGES, SOURCE, language
from processor.store import keys
from tests.support.english import sentences
from tests.workers.delivery.mailing import LINK, Mailbox, MakeDispatcher, Serve, parts
from tests.workers.delivery.post import Post

TYPES = [NEW_LINK, *sorted(MAILED)]
UNSUBSCRIBE = "https://service.example/reminders/a-token"


def rendered(type_: str, tag: str, **options: Any) -> RenderedEmail:
    data = {
        "platform_name": "Xero",
        "data_types": {"failed": {"taxRates": "FetchError"}},
        "ends_at": "2026-03-05T12:00:00Z",
    }
    return EmailTemplates().render(
        {"type": type_, "data": data},
        company_name="Toft",
        link=LINK,
        product="Lender",
        support="help@lender.example",
        language=tag,
        **options,
    )


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_e_mail_is_in_its_language(tag: str) -> None:
    for type_ in TYPES:
        email = rendered(type_, tag, link_days=7, unsubscribe=UNSUBSCRIBE)
        assert UNSUBSCRIBE in email.text
        assert f'href="{UNSUBSCRIBE}"' in email.html
        assert f'<html lang="{tag}" dir="{language(tag).direction}">' in email.html
        for text in (email.subject, email.text, email.html):
            assert text.strip()
            assert not re.search(r"%\(|\{\w+\}", text)
            if tag != SOURCE:
                assert [english for english in sentences() if english in text] == []


def test_days_are_counted_as_the_language_counts() -> None:
    for days, arabic in ((1, "ليوم واحد"), (2, "ليومين"), (7, "7 أيام"), (30, "30 يومًا"), (100, "100 يوم")):
        assert arabic in rendered(NEW_LINK, "ar", link_days=days).text
    assert "einen Tag lang" in rendered(NEW_LINK, "de", link_days=1).text
    assert "7 Tage lang" in rendered(NEW_LINK, "de", link_days=7).text


def test_a_company_is_written_to_in_its_language(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    post.client.hset(keys.company("company-1"), "language", "nl")
    post.decide(platform_name="Xero")
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    (got,) = mailbox.mails
    assert got["Subject"] == "Xero is gekoppeld"
    assert 'lang="nl"' in parts(got)[1]


def test_an_operator_replaces_the_template_of_one_language(tmp_path: Path) -> None:
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr" / "journey.link.txt").write_text("Subject: Le nôtre\n\nVoici : {{ link }}\n", "utf-8")
    templates = EmailTemplates(tmp_path)
    body = {"type": NEW_LINK, "data": {}}
    french = templates.render(body, company_name=None, link=LINK, product=None, language="fr")
    assert (french.subject, french.text) == ("Le nôtre", f"Voici : {LINK}\n")
    german = templates.render(body, company_name=None, link=LINK, product=None, language="de")
    assert german.subject == "Ihr neuer Link"
