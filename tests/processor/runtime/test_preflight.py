"""``codat-processor check`` says what is missing, in one line each."""

import base64
import contextlib
import os
import socketserver
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import redis
import respx
import trustme
from click.testing import CliRunner, Result

from processor.cli import main
from processor.runtime.embedded_engine import Engine
from processor.runtime.preflight.conditions import check_conditions
from processor.runtime.preflight.redis import check_redis
from processor.runtime.preflight.results import CheckResult, CheckStatus
from processor.runtime.preflight.service import check_codat, check_settings
from processor.settings.definitions import Settings, load, rows
from processor.store import keys
from tests.support.engines import cluster_node, sentinel
from tests.support.engines import own_engine as engine_on_port
from tests.support.service import until

ENOUGH = {"CODAT_ALERT_AUTHORIZATIONS": "Basic aHVzaA=="}
KEY = "hush-codat-key"


@pytest.fixture
def own_engine(data_dir: Path) -> Iterator[str]:
    """The address of an engine whose configuration a test may change."""
    with Engine(data_dir) as engine:
        yield engine.url


def configure(url: str, name: str, value: str) -> None:
    """CONFIG SET."""
    with redis.Redis.from_url(url) as client:
        client.config_set(name, value)


def verdicts(findings: Iterable[CheckResult]) -> list[CheckStatus]:
    """Only how it was found."""
    return [finding.verdict for finding in findings]


def settings(**environ: str) -> Settings:
    """Settings that suffice."""
    return load({**ENOUGH, **environ})


def test_the_embedded_engine_passes(own_engine: str) -> None:
    findings = list(check_redis(settings(), own_engine))
    assert verdicts(findings) == [CheckStatus.OK] * 4
    assert findings[0].sentence.startswith("Valkey ")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"appendonly": "no"}, CheckStatus.ERROR),
        ({"appendonly": "no", "save": "60 1"}, CheckStatus.WARNING),
        ({"appendfsync": "everysec"}, CheckStatus.WARNING),
        ({"appendfsync": "no"}, CheckStatus.WARNING),
    ],
)
def test_weak_persistence_is_found(own_engine: str, changes: dict[str, str], expected: CheckStatus) -> None:
    for name, value in changes.items():
        configure(own_engine, name, value)
    assert verdicts(check_redis(settings(), own_engine)) == [
        CheckStatus.OK,
        CheckStatus.OK,
        expected,
        CheckStatus.OK,
    ]


def test_eviction_is_found(own_engine: str) -> None:
    configure(own_engine, "maxmemory-policy", "allkeys-lru")
    findings = list(check_redis(settings(), own_engine))
    assert verdicts(findings) == [CheckStatus.OK, CheckStatus.OK, CheckStatus.OK, CheckStatus.ERROR]
    assert "allkeys-lru" in findings[3].sentence


@pytest.mark.parametrize(("appendonly", "expected"), [("yes", CheckStatus.OK), ("no", CheckStatus.WARNING)])
def test_a_server_that_hides_its_configuration_is_judged_by_what_it_shows(
    own_engine: str, appendonly: str, expected: CheckStatus
) -> None:
    configure(own_engine, "appendonly", appendonly)
    with redis.Redis.from_url(own_engine) as client:
        client.execute_command("ACL", "SETUSER", "managed", "on", ">pw", "~*", "&*", "+@all", "-config")
    findings = list(check_redis(settings(), own_engine.replace("unix://", "unix://managed:pw@")))
    assert verdicts(findings) == [CheckStatus.OK, CheckStatus.OK, expected, CheckStatus.OK]


def test_what_a_server_does_not_show_is_unknown_and_no_error(own_engine: str) -> None:
    """A user with `codat:*` and `rq:*` and without INFO failed, though the service works with these rights.

    What it may not see is unknown; that a message can be kept and handled is proven by doing it.
    """
    with redis.Redis.from_url(own_engine) as client:
        client.execute_command(
            *("ACL", "SETUSER", "ours", "on", ">pw", "~codat:*", "~rq:*", "&*", "+@all", "-info", "-config")
        )
    findings = list(check_redis(settings(), own_engine.replace("unix://", "unix://ours:pw@")))
    assert verdicts(findings) == [CheckStatus.OK, CheckStatus.OK, CheckStatus.UNKNOWN, CheckStatus.UNKNOWN]


def test_a_user_without_a_right_that_is_needed_fails_with_what_is_enough(own_engine: str) -> None:
    with redis.Redis.from_url(own_engine) as client:
        client.execute_command("ACL", "SETUSER", "other", "on", ">pw", "~other:*", "&*", "+@all")
    findings = list(check_redis(settings(), own_engine.replace("unix://", "unix://other:pw@")))
    assert findings[1].verdict is CheckStatus.ERROR
    assert "~codat:*" in findings[1].sentence


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--maxmemory", "3mb"), "Its memory is limited to 3.0 MiB"),
        (("--maxmemory", "1mb"), "Redis cannot keep a message: it is full"),
        (("--maxclients", "3"), "It takes 3 connections"),
        (("--cluster-enabled", "yes"), "Redis cannot keep a message: it is a node of a cluster"),
        (("--replicaof", "127.0.0.1 1"), "Redis cannot keep a message: it is a replica"),
    ],
)
def test_stores_that_cannot_work_fail(tmp_path: Path, options: tuple[str, str], expected: str) -> None:
    """A read-only replica, a cluster, a full store, and one with three connections or 3 MB all passed."""
    with engine_on_port(tmp_path, *options) as url:
        findings = list(check_redis(settings(), url))
    errors = [finding.sentence for finding in findings if finding.verdict is CheckStatus.ERROR]
    assert any(sentence.startswith(expected) for sentence in errors), findings


def test_a_whole_cluster_fails_too(tmp_path: Path) -> None:
    """One that serves every slot writes a single key, and refuses what one message needs."""
    with cluster_node(tmp_path) as url:
        findings = list(check_redis(settings(), url))
    assert findings[1].verdict is CheckStatus.ERROR
    assert "node of a cluster" in findings[1].sentence


def test_a_sentinel_is_recognised_and_names_its_primary(tmp_path: Path) -> None:
    """A Sentinel answers like Redis and keeps nothing: its address was taken for the store's."""
    with engine_on_port(tmp_path / "primary") as url:
        port = urlsplit(url).port
        with sentinel(tmp_path / "sentinel", port or 0) as watching:
            (finding,) = check_redis(settings(), watching)
    assert finding.verdict is CheckStatus.ERROR
    assert "leads to a Sentinel" in finding.sentence
    assert f"ours at 127.0.0.1:{port}" in finding.sentence


def test_a_store_whose_connections_are_all_in_use_says_so_and_stops_no_release(tmp_path: Path) -> None:
    """`check` said that Redis closed the connection, and failed while the old processes held theirs."""
    with engine_on_port(tmp_path, "--maxclients", "40") as url, contextlib.ExitStack() as held:
        for _ in range(45):
            client = held.enter_context(redis.Redis.from_url(url))
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
        (finding,) = check_redis(settings(), url)
    assert finding.verdict is CheckStatus.WARNING
    assert "max number of clients reached" in finding.sentence


def test_a_primary_with_replicas_says_what_a_failover_costs(tmp_path: Path) -> None:
    """341 of 1,221 accepted messages were lost by a failover to a replica that lagged: nothing warned."""
    with engine_on_port(tmp_path / "primary") as url:
        place = f"127.0.0.1 {urlsplit(url).port}"
        with engine_on_port(tmp_path / "replica", "--replicaof", place), redis.Redis.from_url(url) as client:
            until(lambda: client.info("replication")["connected_slaves"] == 1)
            findings = list(check_redis(settings(), url))
    assert any("a failover can lose messages" in finding.sentence for finding in findings)


def test_refused_credentials_are_found(engine_url: str) -> None:
    (finding,) = check_redis(settings(), engine_url.replace("unix://", "unix://somebody:hush@"))
    assert finding.verdict is CheckStatus.ERROR
    assert "refuses the credentials" in finding.sentence


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:1/0", "connection refused: nothing listens there"),
        ("rediss://:hush@127.0.0.1:1/0", "connection refused: nothing listens there"),
        ("unix://:hush@/no/such/socket", "there is no such file or socket"),
        ("redis://:hush@no-such-host.invalid", "its name is not found"),
    ],
)
def test_redis_out_of_reach_is_found_with_the_reason(url: str, reason: str) -> None:
    """It said ``ConnectionError`` for all of them."""
    for environ in ({}, {"REDIS_TLS_VERIFY": "false"}):
        (finding,) = check_redis(settings(**environ), url)
        assert finding.verdict is CheckStatus.ERROR
        assert finding.sentence == f"Redis cannot be reached: {reason}."


@contextlib.contextmanager
def answering(answer: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Where something listens that says the same to everybody, once they said something."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                line = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                with line:
                    line.recv(1000)
                    line.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_certificate_that_is_not_trusted_is_found_with_what_to_do() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with answering(b"", tls) as place:
        (finding,) = check_redis(settings(), f"rediss://:hush@{place}")
        (accepted,) = check_redis(settings(REDIS_TLS_VERIFY="false"), f"rediss://:hush@{place}")
    assert finding.sentence.startswith("Redis cannot be reached: its certificate is not trusted: ")
    assert "REDIS_TLS_VERIFY" in finding.sentence
    assert accepted.sentence == "Redis cannot be reached: it closed the connection."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "What REDIS_URL leads to answers, but is no Redis."),
        (
            b"-ERR unknown command 'AUTH', with args beginning with: 'hu%sh'\r\n",
            "Redis refuses: its words are withheld, for they repeat the password.",
        ),
        (b"-ERR value is out of range\r\n", "Redis refuses: value is out of range."),
    ],
)
def test_what_answers_strangely_is_quoted_without_the_password(answer: bytes, expected: str) -> None:
    with answering(answer) as place:
        (finding,) = check_redis(settings(), f"redis://:hu%25sh@{place}")
    assert finding.verdict is CheckStatus.ERROR
    assert finding.sentence == expected


def test_what_redis_itself_refuses_is_said_in_its_words(engine_url: str) -> None:
    (finding,) = check_redis(settings(), engine_url.replace("db=0", "db=99"))
    assert finding.sentence == "Redis refuses: DB index is out of range."


def test_without_a_key_codat_is_not_asked() -> None:
    with respx.mock:
        findings = list(check_codat(settings()))
    assert verdicts(findings) == [CheckStatus.WARNING, CheckStatus.WARNING]
    assert findings[0].sentence == (
        "CODAT_API_KEY is unset: legacy alerts are taken at their word, and bad news is told unchecked."
    )


def asked(answer: httpx.Response | Exception) -> list[CheckResult]:
    """What is found when Codat answers so."""
    effect = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
    with respx.mock:
        route = respx.get("https://api.codat.io/companies", params={"page": 1, "pageSize": 1})
        route.mock(**effect)
        findings = list(check_codat(settings(CODAT_API_KEY=KEY)))
        sent = route.calls.last.request.headers["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == KEY
    assert "hush" not in str(findings)
    return findings


def now(off_s: float = 0) -> dict[str, str]:
    """A ``Date`` header, off by so many seconds."""
    return {"Date": formatdate(time.time() + off_s, usegmt=True)}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, CheckStatus.OK),
        (401, CheckStatus.ERROR),
        (403, CheckStatus.ERROR),
        (404, CheckStatus.ERROR),
        (302, CheckStatus.ERROR),
        (429, CheckStatus.WARNING),
        (503, CheckStatus.WARNING),
    ],
)
def test_codats_answer_tells_whether_the_key_is_right(status: int, expected: CheckStatus) -> None:
    answer = httpx.Response(status, headers=now(), json={"results": [], "pageNumber": 1})
    assert verdicts(asked(answer)) == [expected, CheckStatus.OK]


def test_a_limit_of_the_account_is_no_wrong_address() -> None:
    finding, _ = asked(httpx.Response(402, headers=now()))
    assert finding.verdict is CheckStatus.ERROR
    assert "limit of the account" in finding.sentence
    assert "CODAT_API_URL" not in finding.sentence


@pytest.mark.parametrize("body", [b"", b"<html>hush</html>", b"[]", b"{}", b'{"results": 1}', b"\xff"])
def test_whatever_else_answers_200_does_not_accept_the_key(body: bytes) -> None:
    finding, clock = asked(httpx.Response(200, headers=now(), content=body))
    assert finding.verdict is CheckStatus.ERROR
    assert "CODAT_API_URL" in finding.sentence
    assert clock.verdict is CheckStatus.OK


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.ConnectError("refused")])
def test_codat_out_of_reach_is_an_error_and_the_clock_has_its_line(error: Exception) -> None:
    """One of them was a warning, and the line of the clock was left out."""
    findings = asked(error)
    assert verdicts(findings) == [CheckStatus.ERROR, CheckStatus.WARNING]
    assert [finding.subject for finding in findings] == ["codat", "clock"]


def test_why_codat_is_out_of_reach_is_said() -> None:
    environ = {"CODAT_API_KEY": KEY, "CODAT_API_URL": "http://127.0.0.1:1"}
    findings = list(check_codat(settings(**environ)))
    assert findings[0].sentence.endswith("could not be tried: connection refused: nothing listens there.")


@pytest.mark.parametrize(
    ("off_s", "expected"),
    [
        (0, CheckStatus.OK),
        (-20, CheckStatus.OK),
        (45, CheckStatus.WARNING),
        (-45, CheckStatus.WARNING),
        (120, CheckStatus.WARNING),
        (-120, CheckStatus.WARNING),
        (3600, CheckStatus.ERROR),
        (-3600, CheckStatus.ERROR),
    ],
)
def test_a_clock_that_is_off_is_found(off_s: int, expected: CheckStatus) -> None:
    assert asked(httpx.Response(200, headers=now(off_s)))[1].verdict is expected


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}, {"Date": "Sun, 99 Nov 2026 99:99:99 GMT"}])
def test_an_answer_without_a_time_is_a_warning(headers: dict[str, str]) -> None:
    assert asked(httpx.Response(200, headers=headers))[1].verdict is CheckStatus.WARNING


def test_nobody_being_able_to_use_the_api_is_a_warning() -> None:
    assert verdicts(check_settings(settings())) == [CheckStatus.OK, CheckStatus.WARNING]
    assert verdicts(check_settings(settings(API_KEYS="one"))) == [CheckStatus.OK]


@pytest.fixture
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {row.name for row in rows()} & set(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run_check(**environ: str) -> Result:
    """``codat-processor check`` in such an environment."""
    return CliRunner(env=environ).invoke(main, ["check"])


@pytest.mark.usefixtures("_bare")
def test_the_command_starts_the_engine_prints_a_line_each_and_exits_0() -> None:
    result = run_check(**ENOUGH)
    assert result.exit_code == 0, result.output
    assert [line.split()[:2] for line in result.output.splitlines()] == [
        ["ok", "settings"],
        ["warning", "settings"],
        ["ok", "redis"],
        ["ok", "redis"],
        ["ok", "redis"],
        ["ok", "redis"],
        ["warning", "codat"],
        ["warning", "clock"],
    ]


@pytest.mark.usefixtures("_bare")
def test_the_command_exits_1_on_wrong_settings_and_names_them_all() -> None:
    result = run_check(PORT="no", CODAT_API_KEY="hush-é")
    assert result.exit_code == 1
    assert [line.split()[:3] for line in result.output.splitlines()] == [
        ["error", "settings", "PORT"],
        ["error", "settings", "CODAT_API_KEY"],
        ["error", "settings", "CODAT_WEBHOOK_SECRETS"],
    ]
    assert "hush" not in result.output


@pytest.mark.usefixtures("_bare")
def test_the_command_exits_1_when_redis_or_the_engine_is_away(tmp_path: Path) -> None:
    assert run_check(**ENOUGH, REDIS_URL="redis://127.0.0.1:1").exit_code == 1
    (tmp_path / "file").touch()
    result = run_check(**ENOUGH, DATA_DIR="file")
    assert result.exit_code == 1
    assert "error    redis     The embedded engine cannot use" in result.output


def test_what_is_wrong_with_a_service_that_runs_is_a_warning_with_advice(own_engine: str) -> None:
    """`check` found everything in order while a message lay in quarantine; a release still has to start."""
    assert list(check_conditions(settings(), own_engine)) == []
    with redis.Redis.from_url(own_engine) as client:
        client.zadd(keys.events_of("quarantined"), {"msg_1": 1})
    (found,) = check_conditions(settings(), own_engine)
    assert (found.verdict, found.subject) == (CheckStatus.WARNING, "service")
    assert "1 authentic message is in quarantine" in found.sentence
    assert "Look at what Codat sent" in found.sentence


def test_secrets_that_can_be_guessed_are_named_and_not_shown() -> None:
    weak = settings(
        CODAT_WEBHOOK_SECRETS="whsec_aHVzaA==",
        SECRET_KEY="a-key-that-is-long-enough,hush",
        OPERATOR_PASSWORD="hush",
    )
    found = [str(one) for one in check_settings(weak) if one.verdict is CheckStatus.WARNING]
    for name in ("CODAT_WEBHOOK_SECRETS", "SECRET_KEY", "OPERATOR_PASSWORD"):
        assert any(f"{name} holds a value of less than 16 bytes" in line for line in found)
    assert not any("hush" in line or "aHVzaA" in line for line in found)

    strong = settings(
        CODAT_WEBHOOK_SECRETS="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        SECRET_KEY="a-key-that-is-long-enough",
        OPERATOR_PASSWORD="a-password-that-is-long",
        SMTP_URL="smtp://mail.example",
        PUBLIC_URL="https://pay.example",
        API_KEYS="key",
    )
    (said,) = [one for one in check_settings(strong) if one.verdict is CheckStatus.WARNING]
    assert said.sentence == "MAIL_FROM is unset: e-mails come from no-reply@pay.example."


def test_mails_without_an_address_for_their_links_are_a_warning() -> None:
    """With a mail server and without PUBLIC_URL mails asked to connect again and had no link to do so."""
    found = check_settings(
        settings(API_KEYS="key", SMTP_URL="smtp://mail.example", MAIL_FROM="us@mail.example")
    )
    (said,) = [one for one in found if one.verdict is CheckStatus.WARNING]
    assert said.sentence.startswith("PUBLIC_URL is unset")


@pytest.mark.usefixtures("_bare")
def test_the_command_names_what_looks_like_a_setting() -> None:
    result = run_check(**ENOUGH, REDISURL="redis://somewhere")
    assert "warning  settings  REDISURL is no setting of ours" in result.output
