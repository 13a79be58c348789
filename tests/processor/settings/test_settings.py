"""What the environment says becomes settings, or one message that lists every mistake."""

import base64
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.errors import SettingsError
from processor.settings import docs, kinds
from processor.settings.definitions import Settings, definitions
from processor.settings.loading import find_misspelled, load

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SHORT = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
"""Sixteen bytes: the least that is accepted."""

ENOUGH = {"CODAT_WEBHOOK_SECRETS": SECRET}
CONTRACT = {
    "redis_url": None,
    "data_dir": Path("./var"),
    "host": "127.0.0.1",
    "port": 8000,
    "public_url": None,
    "secret_key": None,
    "api_keys": (),
    "operator_password": None,
    "codat_api_key": None,
    "codat_api_url": "https://api.codat.io",
    "codat_client_ids": (),
    "codat_foreign_client_ids": (),
    "codat_sender_ips": (),
    "trusted_proxies": 0,
    "max_body_bytes": 1048576,
    "event_retention_days": 30,
    "dedupe_days": 21,
    "cells": 16,
    "workers": 2,
    "web_concurrency": 2,
    "check_patience_s": 60,
    "late_after_s": 600,
    "smtp_url": None,
    "mail_from": None,
    "operator_alert_urls": (),
    "sentry_dsn": None,
    "log_level": "INFO",
}


def mistakes(environ: dict[str, str]) -> tuple[str, ...]:
    """What is said about an environment that is wrong."""
    with pytest.raises(SettingsError) as refused:
        load(environ)
    return refused.value.mistakes


def test_defaults_are_those_of_the_contract() -> None:
    settings = load(ENOUGH)
    assert {name: getattr(settings, name) for name in CONTRACT} == CONTRACT
    assert settings.redis_tls_verify is True
    assert settings.codat_webhook_secrets == (SECRET,)
    assert settings.codat_alert_authorizations == ()


def test_without_any_way_to_recognise_codat_it_does_not_start() -> None:
    (mistake,) = mistakes({})
    assert "CODAT_WEBHOOK_SECRETS or CODAT_ALERT_AUTHORIZATIONS must be set" in mistake


def test_legacy_authorization_alone_is_enough() -> None:
    settings = load({"CODAT_ALERT_AUTHORIZATIONS": " Basic abc=, Bearer x y ,"})
    assert settings.codat_alert_authorizations == ("Basic abc=", "Bearer x y")


def test_lists_are_split_at_commas_and_stripped() -> None:
    settings = load(
        {
            "CODAT_WEBHOOK_SECRETS": f"{SECRET} , {SHORT}",
            "API_KEYS": "one,two,",
            "CODAT_SENDER_IPS": "20.77.82.168, 10.0.0.0/8,::1",
            "SECRET_KEY": "0123456789abcdef,fedcba9876543210",
        }
    )
    assert settings.codat_webhook_secrets == (SECRET, SHORT)
    assert settings.api_keys == ("one", "two")
    assert settings.codat_sender_ips == (
        ip_network("20.77.82.168/32"),
        ip_network("10.0.0.0/8"),
        ip_network("::1/128"),
    )
    assert settings.secret_key == ("0123456789abcdef", "fedcba9876543210")


def test_every_mistake_is_reported_at_once() -> None:
    message = "\n".join(
        mistakes({"PORT": "no", "WORKERS": "0", "LOG_LEVEL": "LOUD", "REDIS_URL": "http://x"})
    )
    for name in ("PORT", "WORKERS", "LOG_LEVEL", "REDIS_URL", "CODAT_WEBHOOK_SECRETS"):
        assert name in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "8000.0"),
        ("PORT", "1_000"),
        ("PORT", "٣"),
        ("PORT", "9" * 5000),
        ("WORKERS", "0"),
        ("WEB_CONCURRENCY", "-2"),
        ("CELLS", "0"),
        ("MAX_BODY_BYTES", "0"),
        ("EVENT_RETENTION_DAYS", "0"),
        ("DEDUPE_DAYS", "0"),
        ("LATE_AFTER_S", "-1"),
        ("CHECK_PATIENCE_S", "-1"),
        ("TRUSTED_PROXIES", "-1"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://host:99999"),
        ("REDIS_URL", "unix://"),
        ("REDIS_URL", "redis://host:6379?foo=bar"),
        ("REDIS_URL", "redis://host:6379?socket_timeout=x"),
        ("REDIS_URL", "redis://host:6379?protocol=9"),
        ("REDIS_URL", "redis://host:6379/abc"),
        ("REDIS_URL", "redis://host:6379/0/1"),
        ("REDIS_URL", "rediss://host:6379/0?ssl_cert_reqs=perhaps"),
        ("REDIS_URL", "unix:///run/redis.sock?db=x"),
        ("REDIS_TLS_VERIFY", "perhaps"),
        ("HOST", "www.example.org"),
        ("HOST", "127.0.0"),
        ("HOST", "fe80::1%lo"),
        ("CODAT_API_URL", "api.codat.io"),
        ("CODAT_API_URL", "https://[x"),
        ("PUBLIC_URL", "ftp://example.org"),
        ("PUBLIC_URL", "https://"),
        ("SMTP_URL", "https://mail.example.org"),
        ("SENTRY_DSN", "abc"),
        ("SENTRY_DSN", "https://sentry.example/1"),
        ("SENTRY_DSN", "https://key@sentry.example"),
        ("SENTRY_DSN", "https://key@sentry.example/abc"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@b.example, c@d.example"),
        ("MAIL_FROM", "@b.example"),
        ("MAIL_FROM", "Us <us@b.example"),
        ("MAIL_TEMPLATES_DIR", "/no/such/folder"),
        ("CODAT_SENDER_IPS", "20.77.82"),
        ("CODAT_SENDER_IPS", "10.0.0.1/8"),
        ("CODAT_WEBHOOK_SECRETS", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("CODAT_WEBHOOK_SECRETS", "whsec_"),
        ("CODAT_WEBHOOK_SECRETS", "whsec_a"),
        ("CODAT_WEBHOOK_SECRETS", f"{SECRET},whsec_not base64"),
        ("CODAT_WEBHOOK_SECRETS", " , "),
        ("CODAT_ALERT_AUTHORIZATIONS", "Bearer schlüssel"),
        ("API_KEYS", ","),
        ("API_KEYS", "schlüssel"),
        ("LOG_LEVEL", "LOUD"),
        ("DATA_DIR", "~nobody-of-this-name/var"),
        ("OPERATOR_PASSWORD", "\udcff"),
    ],
)
def test_a_wrong_value_is_named_by_a_constant_sentence(name: str, value: str) -> None:
    (mistake,) = mistakes({**ENOUGH, name: value})
    (phrase,) = [row.kind.phrase for row in definitions() if row.name == name]
    assert mistake == f"{name} must be {phrase}."


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("PORT", "0", 0),
        ("PORT", " 65535 ", 65535),
        ("CHECK_PATIENCE_S", "0", 0),
        ("REDIS_URL", "rediss://:pw@host:6380/0", "rediss://:pw@host:6380/0"),
        ("REDIS_URL", "unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("REDIS_URL", "redis://host?socket_keepalive=yes", "redis://host?socket_keepalive=yes"),
        ("REDIS_TLS_VERIFY", "false", False),
        ("HOST", "localhost", "127.0.0.1"),
        ("HOST", "::1", "::1"),
        ("MAIL_FROM", "Us & Co <us@bank.example>", "Us & Co <us@bank.example>"),
        ("CODAT_API_URL", "http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("DATA_DIR", "/srv/data", Path("/srv/data")),
        ("SMTP_URL", "smtp://us%40bank.example:pw@mail:587", "smtp://us%40bank.example:pw@mail:587"),
        ("OPERATOR_ALERT_URLS", "json://pager,ntfy://topic", ("json://pager", "ntfy://topic")),
        ("SENTRY_DSN", "https://key@sentry.example/sub/1", "https://key@sentry.example/sub/1"),
    ],
)
def test_a_right_value_is_taken(name: str, value: str, meant: object) -> None:
    assert getattr(load({**ENOUGH, name: value}), name.lower()) == meant


@pytest.mark.parametrize(
    ("name", "value", "module", "extra"),
    [
        ("SENTRY_DSN", "https://hush@sentry.example/1", "sentry_sdk", "sentry"),
        ("OPERATOR_ALERT_URLS", "json://hush", "apprise", "chat"),
    ],
)
def test_a_setting_whose_library_is_missing_is_a_mistake_that_says_how_to_install_it(
    name: str, value: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``check`` was content with SENTRY_DSN, and then every process died of the missing library, for ever."""
    monkeypatch.setitem(sys.modules, module, None)
    (mistake,) = mistakes({**ENOUGH, name: value})
    assert mistake.startswith(f"{name} needs ")
    assert f"codat-processor[{extra}]" in mistake
    assert "hush" not in mistake


def test_addresses_of_operators_that_nothing_could_be_sent_to_are_counted_and_never_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    urls = "json://hush-1,carrier-pigeon://hush-2,slack://hush-3"
    (mistake,) = mistakes({**ENOUGH, "OPERATOR_ALERT_URLS": urls})
    assert mistake == (
        "OPERATOR_ALERT_URLS must be a comma-separated list of Apprise URLs; number 2, 3 of 3 is none."
    )
    assert "hush" not in caplog.text


def test_e_mails_have_a_sender_whether_or_not_one_is_set() -> None:
    plain = {**ENOUGH, "SMTP_URL": "smtps://apikey:hush@mail.example"}
    assert load(plain).sender == "no-reply@mail.example"
    assert load({**plain, "PUBLIC_URL": "https://bank.example"}).sender == "no-reply@bank.example"
    (mistake,) = mistakes({**plain, "MAIL_FROM": "Bank, Inc. <us@b.example>"})
    assert mistake.startswith("MAIL_FROM must be an e-mail address")
    account = {**ENOUGH, "SMTP_URL": "smtps://us%40bank.example:hush@mail.example"}
    assert load(account).sender == "us@bank.example"
    assert load({**account, "MAIL_FROM": "Us <we@bank.example>"}).sender == "Us <we@bank.example>"
    assert load(ENOUGH).sender is None


def test_whoever_takes_no_messages_in_needs_no_way_to_recognise_codat() -> None:
    assert load({}, inbound=False).codat_webhook_secrets == ()
    with pytest.raises(SettingsError, match=r"^The command cannot start: 1 setting is") as refused:
        load({"PORT": "no"}, inbound=False)
    assert len(refused.value.mistakes) == 1


def test_blank_values_count_as_unset() -> None:
    blank = {row.name: "  " for row in definitions()}
    assert load({**blank, **ENOUGH}) == load(ENOUGH)
    assert len(mistakes(blank)) == 1


def test_on_heroku_it_listens_to_the_world_unless_told_otherwise() -> None:
    assert load({**ENOUGH, "DYNO": "web.1"}).host == "0.0.0.0"
    assert load({**ENOUGH, "DYNO": "web.1", "HOST": "10.0.0.1"}).host == "10.0.0.1"


def secret_environment() -> dict[str, str]:
    """A value for every secret setting, each recognisable."""
    return {
        "CODAT_WEBHOOK_SECRETS": SECRET,
        "CODAT_ALERT_AUTHORIZATIONS": "Bearer hush-authorization",
        "REDIS_URL": "redis://:hush-redis@localhost:6379/0",
        "QUEUE_REDIS_URL": "redis://:hush-queue@localhost:6379/1",
        "SECRET_KEY": "hush-0123456789abcdef",
        "API_KEYS": "hush-key-1,hush-key-2",
        "OPERATOR_PASSWORD": "hush-password",
        "OPERATORS": "anna:viewer:scrypt:2:1:1$hush$hush",
        "OIDC_CLIENT_SECRET": "hush-oidc",
        "ENCRYPTION_KEYS": "hush" * 10 + "hus=",
        "CODAT_API_KEY": "hush-codat",
        "SMTP_URL": "smtp://user%40bank.example:hush-sm%25tp@localhost",
        "OPERATOR_ALERT_URLS": "json://hush-pager",
        "SENTRY_DSN": "https://hush-sentry@localhost/1",
    }


def test_secrets_are_not_in_the_repr() -> None:
    environ = secret_environment()
    assert set(environ) == {row.name for row in definitions() if row.secret}
    shown = repr(load(environ))
    assert "hush" not in shown
    assert SECRET not in shown


def test_secrets_are_known_for_masking() -> None:
    known = load(secret_environment()).secrets()
    assert {"hush-key-1", "hush-key-2", SECRET, "hush-redis", "hush-sm%25tp", "hush-sm%tp"} <= set(known)


@given(
    st.dictionaries(
        st.sampled_from([row.name for row in definitions()]),
        st.text(max_size=40)
        | st.integers().map(str)
        | st.sampled_from(["redis://", "https://x:y", "whsec_="]),
    )
)
def test_no_environment_leads_to_another_error_or_shows_a_value(environ: dict[str, str]) -> None:
    for candidate in (environ, {name: f"{value}hush" for name, value in environ.items()}):
        try:
            outcome: object = load(candidate)
        except SettingsError as error:
            outcome = error
        assert isinstance(outcome, Settings) or "hush" not in str(outcome)


@pytest.mark.parametrize("path", docs.files(), ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == docs.files()[path], "run `make docs`"


def test_every_setting_is_explained() -> None:
    assert [row.name for row in definitions() if not row.help.endswith(".")] == []
    assert len(list(definitions())) > 40


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("REDISURL", "REDIS_URL"),
        ("CODAT_WEBHOOK_SECRET", "CODAT_WEBHOOK_SECRETS"),
        ("codat_api_key", "CODAT_API_KEY"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("WEB_CONCURENCY", "WEB_CONCURRENCY"),
        ("OPERATOR-PASSWORD", "OPERATOR_PASSWORD"),
        ("CODAT_PASSWORD", "docs/settings.md"),
    ],
)
def test_a_mistyped_setting_is_named(tmp_path: Path, name: str, meant: str) -> None:
    """`REDISURL` and `CODAT_WEBHOOK_SECRET` were passed over in silence: the service ran without them."""
    (sentence,) = find_misspelled({"CODAT_ALERT_AUTHORIZATIONS": "Basic eA==", name: "hush"})
    assert name in sentence
    assert meant in sentence
    assert "hush" not in sentence
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"{name.replace('-', '_')}X=hush\n")
    assert len(find_misspelled(ENOUGH, dotenv)) <= 1
    with pytest.raises(SettingsError) as caught:
        load({name: "hush"})
    assert any(name in mistake for mistake in caught.value.mistakes)


def test_what_belongs_to_others_is_left_alone() -> None:
    """A warning about every variable of a machine would be read by nobody."""
    others = (
        "PATH",
        "HOME",
        "HOSTNAME",
        "DATABASE_URL",
        "REDIS_TLS_URL",
        "DYNO",
        "CODAT_PROCESSOR_X",
    )
    assert find_misspelled({**ENOUGH, **dict.fromkeys(others, "x")}) == []
    assert find_misspelled({**ENOUGH, "API_KEY": "theirs", "API_KEYS": "ours"}) == []
    assert find_misspelled({**ENOUGH, "REDISURL": " "}) == []


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "BASIC  "])
def test_codats_key_may_be_the_whole_header(scheme: str) -> None:
    """The portal shows the key and the value of `Authorization`: pasted whole, every call was 401."""
    encoded = base64.b64encode(b"hush-codat-key").decode()
    assert load({**ENOUGH, "CODAT_API_KEY": scheme + encoded}).codat_api_key == "hush-codat-key"
    assert load({**ENOUGH, "CODAT_API_KEY": "hush-codat-key"}).codat_api_key == "hush-codat-key"
    for wrong in ("Basic !", "Basic 4pyT", "Basic aHVzaA", "Basic AAE="):
        with pytest.raises(SettingsError) as caught:
            load({**ENOUGH, "CODAT_API_KEY": wrong})
        assert caught.value.mistakes[0].startswith("CODAT_API_KEY must be the key")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("default.en.txt", "Hello {{ nobody }}", "default.en.txt does not render"),
        ("default.en.txt", "{% if %}", "default.en.txt does not render"),
        ("default.en.txt", "Hello {{ company.x.y }}", "default.en.txt does not render"),
        ("default.en.txt", "{% if contact %}Write to us{% endif %}", "is empty"),
        ("lending.txt", "Hello", "lending.txt must be called PRODUCT.LANGUAGE.txt"),
    ],
)
def test_a_consent_that_does_not_render_stops_the_start(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert said in "\n".join(mistakes({**ENOUGH, "CONSENT_TEMPLATES_DIR": str(tmp_path)}))
    assert len(mistakes({**ENOUGH, "CONSENT": "perhaps"})) == 1


def test_a_word_is_read_in_any_case_and_kept_in_its_own() -> None:
    """DEFAULT_LANGUAGE=pt-BR would have been refused: words were compared in lower case."""
    language = kinds.choice("en", "pt-BR")
    assert [language.read(text) for text in ("pt-BR", "pt-br", "EN")] == ["pt-BR", "pt-BR", "en"]
    with pytest.raises(ValueError, match="another word"):
        language.read("pt")
