"""The checks of the settings."""

from processor.runtime.preflight.results import CheckStatus
from processor.runtime.preflight.settings import check_settings
from tests.processor.runtime.preflight.conftest import settings, statuses


def test_nobody_being_able_to_use_the_api_is_a_warning() -> None:
    assert statuses(check_settings(settings())) == [CheckStatus.OK, CheckStatus.WARNING]
    assert statuses(check_settings(settings(API_KEYS="one"))) == [CheckStatus.OK]


def test_secrets_that_can_be_guessed_are_named_and_not_shown() -> None:
    weak = settings(
        CODAT_WEBHOOK_SECRETS="whsec_aHVzaA==",
        SECRET_KEY="a-key-that-is-long-enough,hush",
        OPERATOR_PASSWORD="hush",
    )
    results = [str(result) for result in check_settings(weak) if result.status is CheckStatus.WARNING]
    for name in ("CODAT_WEBHOOK_SECRETS", "SECRET_KEY", "OPERATOR_PASSWORD"):
        assert any(f"{name} holds a value of less than 16 bytes" in line for line in results)
    assert not any("hush" in line or "aHVzaA" in line for line in results)

    strong = settings(
        CODAT_WEBHOOK_SECRETS="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        SECRET_KEY="a-key-that-is-long-enough",
        OPERATOR_PASSWORD="a-password-that-is-long",
        SMTP_URL="smtp://mail.example",
        PUBLIC_URL="https://pay.example",
        API_KEYS="key",
    )
    (warning,) = [result for result in check_settings(strong) if result.status is CheckStatus.WARNING]
    assert warning.sentence == "MAIL_FROM is unset: e-mails come from no-reply@pay.example."


def test_mails_without_an_address_for_their_links_are_a_warning() -> None:
    """With a mail server and without PUBLIC_URL mails asked to connect again and had no link to do so."""
    matches = check_settings(
        settings(API_KEYS="key", SMTP_URL="smtp://mail.example", MAIL_FROM="us@mail.example")
    )
    (warning,) = [result for result in matches if result.status is CheckStatus.WARNING]
    assert warning.sentence.startswith("PUBLIC_URL is unset")
