"""Operators with names: signing in, sessions, roles."""

from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from redis import Redis
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from processor.cli import main
from processor.errors import SettingsError
from processor.settings.loading import load
from processor.settings.people import Role
from processor.store import keys
from processor.web.ops import permissions
from processor.web.ops.auth import KNOWN_ACTIONS
from tests.processor.web.ops.operating import PASSWORD, SEAL, Operator, basic
from tests.processor.web.v1.filling import Filling

SECRET = "a long pass phrase, with: colons"
HASH = generate_password_hash(SECRET, "pbkdf2:sha256:1")
"""A cheap hash; that of the command is checked once."""

OPERATORS = ",".join(f"{role.label}s-name:{role.label}:{HASH}" for role in Role)
METHODS = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def named(redis_url: str):
    """A store with operators of every role, named after it."""
    filling = Filling(redis_url, OPERATORS=OPERATORS, ALLOW_PRIVATE_SUBSCRIBERS="true")
    yield filling
    filling.close()


def sign_in(
    client: FlaskClient, name: str = "viewers-name", password: str = SECRET, **kwargs: str
) -> TestResponse:
    """The answer to the form of the sign-in page."""
    base = {"base_url": kwargs.pop("base_url", "http://localhost")}
    seal = SEAL.search(client.get("/ops/sign-in", **base).text)
    assert seal is not None
    return client.post(
        "/ops/sign-in", data={"seal": seal[1], "name": name, "password": password, **kwargs}, **base
    )


def signed_in(filling: Filling, name: str) -> Operator:
    """An operator with a session."""
    operator = Operator(filling)
    operator.headers = {}
    assert sign_in(operator.http, name).status_code == 303
    return operator


def test_an_operator_signs_in_and_out_by_name(named: Filling) -> None:
    client = named.app.test_client()
    refused = client.get("/ops/events?status=dead", headers={"Accept": "text/html"})
    assert refused.status_code == 303
    assert refused.headers["Location"] == "/ops/sign-in?next=/ops/events?status%3Ddead"
    assert client.get("/ops/events", headers={"Accept": "application/json"}).status_code == 401
    answer = sign_in(client, next="/ops/events?status=dead")
    assert answer.headers["Location"] == "/ops/events?status=dead"
    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith("operator="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    page = client.get("/ops")
    assert "Signed in as <bdi>viewers-name</bdi>, viewer." in page.text
    seal = SEAL.search(page.text)
    assert seal is not None
    token = client.get_cookie("operator", path="/ops")
    assert client.post("/ops/sign-out", data={"seal": seal[1]}).status_code == 303
    client.set_cookie("operator", token.value, path="/ops")
    assert client.get("/ops").status_code == 401


def test_over_https_cookies_belong_to_this_host_alone(redis_url: str) -> None:
    filling = Filling(redis_url, OPERATORS=OPERATORS, PUBLIC_URL="https://service.example")
    client = filling.app.test_client()
    answer = sign_in(client, base_url="https://service.example")
    assert answer.status_code == 303
    lines = answer.headers.getlist("Set-Cookie")
    assert lines
    for line in lines:
        assert line.startswith("__Host-")
        assert "Secure" in line
        assert "Path=/;" in f"{line};"
        assert "Domain" not in line
    assert client.get("/ops", base_url="https://service.example").status_code == 200
    filling.close()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("viewers-name", "a guess"),
        ("nobody", SECRET),
        ("", ""),
        ("operator", SECRET),
        ("viewers-name", "x" * 9_999),
    ],
)
def test_wrong_credentials_open_no_session(named: Filling, name: str, password: str) -> None:
    client = named.app.test_client()
    answer = sign_in(client, name, password)
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert client.get_cookie("operator", path="/ops") is None
    if password:
        assert password not in answer.text


def test_guessing_is_slowed_also_on_the_sign_in_page(named: Filling) -> None:
    client = named.app.test_client()
    answers = [sign_in(client, password="x").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert sign_in(client).status_code == 429


def test_a_form_of_another_site_signs_nobody_in(named: Filling) -> None:
    answer = named.app.test_client().post("/ops/sign-in", data={"name": "viewers-name", "password": SECRET})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        *("//evil.example/ops", "https://evil.example/ops", "//[", "/opsx", "/v1", "/ops\\@evil"),
        *("/ops\n/x", ""),
    ],
)
def test_signing_in_leads_to_these_pages_alone(named: Filling, path: str) -> None:
    client = named.app.test_client()
    assert client.get("/ops/sign-in", query_string={"next": path}).status_code == 200
    assert sign_in(client, next=path).headers["Location"] == "/ops"


def test_the_password_of_the_setting_signs_in_as_admin(filling: Filling) -> None:
    client = filling.app.test_client()
    assert sign_in(client, "operator", PASSWORD).status_code == 303
    assert "admin." in client.get("/ops").text
    assert client.get("/ops", headers={"Authorization": basic()}).status_code == 200


def test_a_session_ends_by_time_by_revocation_and_with_its_account(
    named: Filling, redis_url: str, store: Redis
) -> None:
    operator, other = signed_in(named, "viewers-name"), signed_in(named, "admins-name")
    (id_, *_) = store.zrange(keys.operator_sessions(), 0, -1)
    assert 0 < store.ttl(keys.operator_session(id_.decode())) <= 3600
    assert named.container.operator_sessions.revoke(name="admins-name") == 1
    assert other.open("/ops").status_code == 401
    named.now += timedelta(hours=11, minutes=59)
    assert operator.open("/ops").status_code == 200
    changed = Filling(
        redis_url, OPERATORS=OPERATORS.replace(HASH, generate_password_hash("x", "pbkdf2:sha256:1"))
    )
    assert changed.container.operator_sessions.all() == []
    removed = Filling(redis_url, OPERATORS=OPERATORS.rpartition(",")[2])
    assert removed.container.operator_sessions.all() == []
    promoted = Filling(redis_url, OPERATORS=OPERATORS.replace(":viewer:", ":operator:"))
    assert [session.role for session in promoted.container.operator_sessions.all()] == [Role.OPERATOR]
    named.now += timedelta(minutes=1)
    assert operator.open("/ops").status_code == 401
    for service in (changed, removed, promoted):
        service.close()


def test_nothing_that_opens_a_session_is_kept(named: Filling, store: Redis) -> None:
    operator = signed_in(named, "viewers-name")
    token = operator.http.get_cookie("operator", path="/ops").value
    for name in store.scan_iter():
        value = store.hgetall(name) if store.type(name) == b"hash" else store.dump(name)
        assert token.encode() not in name
        assert token not in str(value)
        assert SECRET not in str(value)


def changing_rules(filling: Filling) -> list[tuple[str, str]]:
    """Method and path of every address under /ops that may change something, from the route table."""
    rules = []
    for rule in filling.app.url_map.iter_rules():
        if rule.endpoint.startswith("ops.") and rule.endpoint not in (
            "ops.sign_in",
            "ops.sso",
            "ops.sign_out",
        ):
            path = rule.rule.replace("<id_>", "xero").replace("<path:_rest>", "nowhere")
            rules += [(method, path) for method in METHODS if method in (rule.methods or ())]
    return rules


def test_a_viewer_can_change_nothing(named: Filling, store: Redis) -> None:
    named.make_ready()
    named.let_die()
    viewer = signed_in(named, "viewers-name")
    seal = SEAL.search(viewer.open("/ops").text)
    rules = changing_rules(named)
    assert len(rules) > 12

    def kept() -> dict[bytes, bytes | None]:
        """All but the trail, and the count of what was refused."""
        names = (name for name in store.scan_iter() if b"{access}" not in name and b":attempts:" not in name)
        return {name: store.dump(name) for name in names}

    before = kept()
    for method, path in rules:
        for action in ("", *sorted(KNOWN_ACTIONS)):
            answer = viewer.http.open(path, method=method, data={"seal": seal[1], "action": action})
            assert answer.status_code == 403, (method, path)
            assert "Your role does not allow this" in answer.text
    assert kept() == before


def test_an_operator_does_nothing_that_the_table_leaves_to_admins(named: Filling) -> None:
    """Every address that changes something, with every action that a form names."""
    person = signed_in(named, "operators-name")
    seal = SEAL.search(person.open("/ops").text)[1]
    refused = set()
    for method, path in changing_rules(named):
        endpoint, _ = named.app.url_map.bind("").match(path, method)
        for action in ("", *sorted(KNOWN_ACTIONS)):
            if permissions.needed_role(method, endpoint.removeprefix("ops."), action) is Role.ADMIN:
                answer = person.http.open(path, method=method, data={"seal": seal, "action": action})
                assert answer.status_code == 403, (path, action)
                assert "requires the role admin" in answer.text
                refused.add(endpoint)
    assert {"ops.unlink", "ops.add_webhook_secret", "ops.revoke_links", "ops.condition_action"} <= refused


def test_a_viewer_reads_every_page(named: Filling) -> None:
    named.make_ready()
    viewer = signed_in(named, "viewers-name")
    for path in ("/ops", "/ops/connections", "/ops/connections/xero", "/ops/events", "/ops/subscribers"):
        assert viewer.open(path).status_code == 200


def test_an_operator_mends_and_an_admin_alone_changes_who_is_told(named: Filling) -> None:
    named.let_die()
    operator, admin = signed_in(named, "operators-name"), signed_in(named, "admins-name")
    assert operator.send("/ops/events/broken").status_code == 303
    seal = SEAL.search(operator.open("/ops/events/broken").text)[1]
    fields = {"url": "http://127.0.0.1:9/hook"}
    assert operator.send("/ops/subscribers", seal=seal, **fields).status_code == 403
    assert admin.send("/ops/subscribers", **fields).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        *("scrypt:3:8:1$salt$00", "scrypt:1:8:1$salt$00", "scrypt:2:8$salt$00", "scrypt:2:0:1$salt$00"),
        *("pbkdf2:sha256:0$salt$00", "pbkdf2:md4:1$salt$00", "pbkdf2:sha256:x$salt$00", "scrypt:$$", "$a$b"),
        "pbkdf2:sha256:1$salt$",
    ],
)
def test_a_hash_that_cannot_be_checked_stops_the_start(wrong: str) -> None:
    """It was an error of the sign-in page, for whoever tried that name."""
    with pytest.raises(SettingsError, match="OPERATORS"):
        load({"OPERATORS": f"anna:viewer:{wrong}"}, inbound=False)


def test_every_role_of_the_table_belongs_to_a_view(named: Filling) -> None:
    views = {rule.endpoint.removeprefix("ops.") for rule in named.app.url_map.iter_rules()}
    assert {entry.partition(" ")[0] for entry in permissions.NEEDED} <= views


def test_the_command_makes_a_hash_that_signs_in(redis_url: str) -> None:
    result = CliRunner().invoke(main, ["operators", "hash"], input=f"{SECRET}\n")
    assert result.exit_code == 0
    assert SECRET not in result.output
    filling = Filling(redis_url, OPERATORS=f"anna:operator:{result.output.strip()}")
    assert sign_in(filling.app.test_client(), "anna").status_code == 303
    filling.close()
    assert CliRunner().invoke(main, ["operators", "hash"], input="short\n").exit_code == 2
