"""The texts of e-mails, and templates that replace them."""

from pathlib import Path
from typing import Any, cast

import pytest

from handlers.milestones import NotificationType
from processor.container import for_web
from processor.delivery.email_templates import ACTIONABLE, EmailTemplates
from processor.errors import SettingsError
from processor.languages.catalogues import LANGUAGES
from processor.settings.loading import load
from processor.store import keys
from tests.support.serving import ENVIRON
from tests.workers.delivery.mailing import LINK, Mailbox, MakeDispatcher, Serve, parts
from tests.workers.delivery.post import EMAIL, Post

SPOKEN = {"type": NotificationType.SYNC_COMPLETED.value, "data": {"platform_name": "Xero"}}


def test_names_from_elsewhere_cannot_add_headers_or_markup(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    post.client.hset(keys.company("company-1"), "name", "Toft\r\nBcc: x@y.example <script>")
    post.decide(platform_name="Xero\r\nX-Evil: 1 <b>")
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    (got,) = mailbox.mails
    assert got["X-Evil"] is None
    assert got["Bcc"] is None
    assert "<script>" not in parts(got)[1]


def test_templates_can_be_replaced_one_by_one(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox, tmp_path: Path
) -> None:
    (tmp_path / "connection.authorized.txt").write_text("Subject: Own words\n\nOurs for {{ platform }}.\n")
    (tmp_path / "layout.html").write_text("<p>Own frame</p>{% block said %}{% endblock %}")
    post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}", templates=EmailTemplates(tmp_path)).run_once()

    (got,) = mailbox.mails
    text, html = parts(got)
    assert (got["Subject"], text.strip()) == ("Own words", "Ours for Xero.")
    assert "Own frame" in html
    assert "Thank you" in html


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "journey.link.txt",
            "Subject: {{ nonsense.of.ours }}",
            "journey.link in de fails with UndefinedError",
        ),
        ("connection.deleted.html", "{% block %}", "connection.deleted in en fails with TemplateSyntaxError"),
        ("fr/reminder.access_lost.txt", "{% extends 'none.txt' %}", "reminder.access_lost in fr fails"),
    ],
)
def test_a_template_that_does_not_render_stops_the_start(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    settings = load({**ENVIRON, "REDIS_URL": "redis://unused", "MAIL_TEMPLATES_DIR": str(tmp_path)})
    (tmp_path / "connection.deleted.txt").write_text("Subject: Gone\n\n{{ data.merchant_id }} {{ failed }}\n")
    for_web(settings).close()
    (tmp_path / "fr").mkdir()
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError) as refused:
        for_web(settings)
    assert said in str(refused.value)
    assert len(refused.value.mistakes) == (1 if "/" in name else len(LANGUAGES))


def test_a_template_that_cannot_be_used_is_repaired_and_the_mail_goes_out(
    post: Post, mail: MakeDispatcher, serve: Serve, tmp_path: Path
) -> None:
    broken = tmp_path / "connection.authorized.txt"
    broken.write_text("Subject: {{ nonsense.of.ours }}")
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}", templates=EmailTemplates(tmp_path))
    dispatcher.run_once()
    assert "a template cannot be used" in post.attempts(id_)[-1]["error"]

    broken.unlink()
    post.forward(5)
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    assert post.status(id_, EMAIL) == "delivered"


def test_a_process_compiles_a_template_once_and_again_when_its_text_changes(tmp_path: Path) -> None:
    """Each e-mail with a new link took 20 ms to compile the same templates."""

    def code(folder: Path | None = None) -> Any:
        template: Any = EmailTemplates(folder)._environment.get_template(name)
        return template.root_render_func.__code__

    name = f"{NotificationType.DEAUTHORIZED}.txt"
    assert code() is code()
    (tmp_path / name).write_text("Subject: Ours\n\nOurs")
    ours = code(tmp_path)
    assert ours is code(tmp_path) is not code()
    (tmp_path / name).write_text("Subject: New\n\nNew")
    assert code(tmp_path) is not ours


def test_what_is_said_of_the_data_does_not_contradict_itself() -> None:
    """One mail said "Everything is ready" and "Some of it could not be read"."""
    failed = {"data_types": {"failed": {"banking-accountBalances": "FetchError", "taxRates": "FetchError"}}}
    partly = {**SPOKEN, "data": {**cast(Any, SPOKEN["data"]), **failed}}
    for spoken, is_whole in ((SPOKEN, True), (partly, False)):
        letter = EmailTemplates().render(spoken, company_name=None, link=LINK, product=None)
        for text in (letter.text, letter.html):
            assert ("Everything is ready" in text) == is_whole
            assert ("Account balances" in text and "Tax rates" in text) != is_whole
        assert letter.subject.startswith("Your data" if is_whole else "Part of your data")


@pytest.mark.parametrize("notice", list(NotificationType))
def test_an_e_mail_says_one_thing_about_handing_it_on(notice: NotificationType) -> None:
    """One mail said "hand this on to them" and "the link is for you alone"."""
    spoken = {"type": notice.value, "data": {"platform_name": "Xero"}}
    for link in (LINK, None):
        letter = EmailTemplates().render(spoken, company_name="Toft", link=link, product=None)
        for text in (letter.text, letter.html):
            assert "for you alone" not in text
            assert text.count("forward this e-mail") == (LINK in text)
            asks = "get in touch with us, and we send you a link" in text
            assert asks == (link is None and notice.value in ACTIONABLE)


def test_the_account_at_the_platform_is_named() -> None:
    data = {"platform_name": "Shopify", "account_name": "North\nShop", "data_types": {}}
    body = {"type": "connection.deauthorized", "data": data}
    letter = EmailTemplates().render(body, company_name=None, link=LINK, product=None)
    assert letter.subject == "Shopify (North Shop) no longer gives access"
    assert "connect Shopify (North Shop) again" in letter.html
