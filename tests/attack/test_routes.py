"""Every route, every method, every kind of credential: who is let in is what ``route_rules`` declares.

The rows come from the application's route table, so a new route without a rule fails.
"""

import base64
import hashlib
import hmac
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import Any

import pytest
from redis import Redis
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from processor.access import operators
from processor.access.operators import Operator
from processor.settings.people import Role
from tests.attack.route_rules import Access, declared
from tests.processor.web.v1.filling import Filling
from tests.support import messages
from tests.support.effort import IN_CI

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X")
KEYS = {"read": "key-of-a-reader", "write": "key-of-a-writer", "admin": "key-of-an-admin"}
PASSWORD = "the password of the setting"
BROWSER = "nonce-of-a-browser"
API = (Access.READ, Access.WRITE, Access.ADMIN)
PAGES = (Access.VIEWER, Access.OPERATOR, Access.OPERATORS_ADMIN)
LINKS = (Access.LINK, Access.OLD_LINK)
IDS = {
    "company_id": "c1",
    "connection_id": "xero",
    "event_id": "msg_1",
    "id_": "xero",
    "any(unlink,delete):change": "unlink",
    "path:_rest": "nowhere",
    "path:filename": "pages.css",
}
"""What stands in an address; ``none`` for all else."""

STRANGERS = 1 if IN_CI else 3
"""Every so-many-th credential is tried at a route, other ones at the next: all in continuous integration."""


@dataclass(frozen=True)
class Credential:
    """What a caller sends. ``opens`` is what it opens; with ``form_key`` forms carry a valid token."""

    name: str
    opens: frozenset[Access] = frozenset()
    authorization: str | None = None
    session: str | None = None
    link: str = "none"
    form_key: str | None = None
    signs: bool = False

    def headers(self, body: bytes) -> dict[str, str]:
        """The headers of a request with this body."""
        headers = {"Accept": "application/json"}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        cookies = {"browser": BROWSER} if self.form_key is not None else {}
        cookies |= {"operator": self.session} if self.session is not None else {}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return {**headers, **(messages.signed(body) if self.signs else {})}

    def form(self) -> dict[str, str]:
        """The fields of a form."""
        if self.form_key is None:
            return {}
        return {"seal": hmac.new(self.form_key.encode(), BROWSER.encode(), hashlib.sha256).hexdigest()}


class Callers:
    """A service with a company, and everybody who may or may not call it."""

    def __init__(self, redis_url: str) -> None:
        hashed = generate_password_hash("x", "pbkdf2:sha256:1")
        self.filling = Filling(
            redis_url,
            api_keys=",".join(f"{scope}er:{scope}:{key}" for scope, key in KEYS.items()),
            OPERATOR_PASSWORD=PASSWORD,
            OPERATORS=",".join(f"{role.label}s-name:{role.label}:{hashed}" for role in Role),
            CODAT_WEBHOOK_SECRETS=messages.SECRET,
            ALLOW_PRIVATE_SUBSCRIBERS="true",
        )
        self.filling.make_ready()
        self._addresses = itertools.count(1)
        self._client = self.filling.app.test_client(use_cookies=False)
        self.credentials = tuple(self._credentials())

    def close(self) -> None:
        self.filling.close()

    def rows(self) -> set[tuple[str, str]]:
        """Method and rule of every route of the application."""
        return {
            (method, rule.rule)
            for rule in self.filling.app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }

    def call(self, method: str, rule: str, credential: Credential, *, sealed: bool = True) -> TestResponse:
        """The answer to a request; each comes from an address of its own, for wrong ones are counted."""
        number = next(self._addresses)
        is_form = method == "POST" and not rule.startswith(("/v1/", "/webhooks/"))
        body = messages.other() if rule.startswith("/webhooks/") else b"{}"
        sent: dict[str, Any] = {"data": body, "content_type": "application/json"}
        if is_form:
            sent = {"data": credential.form() if sealed else {}}
        return self._client.open(
            self._path(rule, credential),
            method=method,
            headers=credential.headers(body),
            environ_base={"REMOTE_ADDR": f"198.51.{number // 250}.{number % 250}"},
            **sent,
        )

    def is_routed(self, method: str, rule: str) -> bool:
        """Whether some route takes this method at an address of this rule."""
        try:
            self.filling.app.url_map.bind("localhost").match(self._path(rule, self.credentials[0]), method)
        except (MethodNotAllowed, NotFound):
            return False
        return method != "OPTIONS"

    def _path(self, rule: str, credential: Credential) -> str:
        return re.sub(r"<([^>]+)>", lambda name: self._value(name[1], credential), rule)

    def _value(self, name: str, credential: Credential) -> str:
        return credential.link if name == "token" else IDS.get(name, "none")

    def _credentials(self) -> Iterator[Credential]:
        container = self.filling.container
        basic = "Basic " + _base64(f"operator:{PASSWORD}")
        yield Credential("none", form_key="sign-in")
        yield Credential("a guessed key", authorization="Bearer guess")
        yield Credential(
            "a wrong password", authorization="Basic " + base64.b64encode(b"operator:x").decode()
        )
        yield Credential("an authorization without a scheme", authorization=KEYS["admin"])
        yield Credential("a digest for a key", authorization=f"Bearer {_digest(KEYS['admin'])}")
        yield Credential("the password for a key", authorization=f"Bearer {PASSWORD}")
        yield Credential("a guessed session", session="guess", form_key="guess")
        _, revoked = container.api_keys.add("revoked", ["admin"])
        container.api_keys.revoke("revoked")
        yield Credential("a revoked key", authorization=f"Bearer {revoked}")
        for number, (scope, key) in enumerate(KEYS.items(), 1):
            opens = frozenset(API[:number])
            yield Credential(f"a key with the scope {scope}", opens, f"Bearer {key}", form_key="sign-in")
        yield Credential(
            "a key for a password", authorization="Basic " + _base64(f"operator:{KEYS['admin']}")
        )

        form_key = operators.form_key(PASSWORD)
        yield Credential("the password", frozenset(PAGES), basic, form_key=form_key)
        for role in Role:
            session = self._session(role)
            opens = frozenset(PAGES[: role.value])
            yield Credential(f"a session as {role.label}", opens, session=session, form_key=session)
        ended = self._session(Role.ADMIN)
        container.operator_sessions.end(ended)
        yield Credential("a session that was signed out", session=ended, form_key=ended)
        self.filling.now -= timedelta(hours=12)
        old = self._session(Role.ADMIN)
        self.filling.now += timedelta(hours=12)
        yield Credential("a session of yesterday", session=old, form_key=old)

        link = container.journey.tokens.make
        lane = container.subscribers.add(url="http://127.0.0.1:9/hook").id
        portal = container.portal_tokens.make
        yield _with_link("a link", link("c1"), Access.LINK, Access.OLD_LINK)
        yield _with_link("an expired link", link("c1", lifetime_s=-60), Access.OLD_LINK)
        yield _with_link("a revoked link", link("c1", generation=7))
        yield _with_link("a link whose end was changed", link("c1")[:-2] + "xx")
        yield _with_link("a receiver's link", portal(lane), Access.RECEIVER)
        yield _with_link("a receiver's expired link", portal(lane, lifetime_s=-60))
        reminder = container.journey.opt_out.tokens.make("c1", holder="of the contact")
        yield _with_link("a reminder's link", reminder, Access.REMINDER)
        yield _with_link("a link that names a subscriber", link(lane))
        yield _with_link("a receiver's link that names a company", portal("c1"))
        yield Credential("Codat's signature", frozenset({Access.SIGNED}), signs=True)

    def _session(self, role: Role) -> str:
        operator = Operator(f"{role.label}s-name", role)
        return self.filling.container.operator_sessions.open(operator, operators.PASSWORD)


def _with_link(name: str, token: str, *opens: Access) -> Credential:
    return Credential(name, frozenset(opens), link=token, form_key=token)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def callers(redis_url: str) -> Iterator[Callers]:
    callers = Callers(redis_url)
    yield callers
    callers.close()


def refusals(access: Access, credential: Credential) -> tuple[int, ...]:
    """The statuses of a request that is not let in."""
    if access in API:
        return (403,) if credential.opens & set(API) else (401,)
    if access in PAGES:
        return (403,) if credential.opens & set(PAGES) else (401,)
    if access in LINKS:
        return (403, 404, 410)
    if access in (Access.RECEIVER, Access.REMINDER):
        return (404,)
    return (401,) if access is Access.SIGNED else (403,)


def kept(client: "Redis[Any]") -> dict[bytes, bytes | None]:
    """The whole store but the audit trail and counts of what was refused."""
    return {
        name: client.dump(name)
        for name in client.scan_iter(count=1_000)
        if not any(part in name for part in (b"{access}", b":attempts:", b"metrics", b"receipts"))
    }


def test_every_route_has_a_rule_and_every_rule_a_route(callers: Callers) -> None:
    """A new route needs a row in ``route_rules``: somebody must say who may use it."""
    assert set(declared()) == callers.rows()


def test_who_is_not_let_in_gets_nothing_and_changes_nothing(callers: Callers, redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        before, refused = kept(client), 0
        for place, ((method, rule), access) in enumerate(declared().items()):
            for credential in callers.credentials[place % STRANGERS :: STRANGERS]:
                if access is Access.PUBLIC or access in credential.opens:
                    continue
                if access is Access.FORM and credential.form_key == "sign-in":
                    continue
                answer = callers.call(method, rule, credential)
                assert answer.status_code in refusals(access, credential), (method, rule, credential.name)
                assert b"xero" not in answer.data.lower(), (method, rule, credential.name)
                refused += 1
        assert kept(client) == before
    assert refused > 1_000 // STRANGERS


def test_no_form_is_taken_without_the_token_that_this_browser_was_given(
    callers: Callers, redis_url: str
) -> None:
    with Redis.from_url(redis_url) as client:
        before = kept(client)
        for (method, rule), access in declared().items():
            if method == "GET" or access in (*API, Access.SIGNED, Access.REMINDER):
                continue
            for credential in callers.credentials:
                if access in credential.opens or access is Access.FORM:
                    answer = callers.call(method, rule, credential, sealed=False)
                    assert answer.status_code == 403, (method, rule, credential.name)
        assert kept(client) == before


def test_who_may_is_let_in(callers: Callers) -> None:
    """A service that refuses everybody passes every other test here."""
    rows = sorted(declared().items(), key=lambda row: row[0][1] == "/ops/sign-out")  # which ends the session
    for (method, rule), access in rows:
        for number, credential in enumerate(callers.credentials):
            if access not in credential.opens and (access is not Access.PUBLIC or number % 6):
                continue
            answer = callers.call(method, rule, credential)
            refused = (401, 403, 500) if access is Access.PUBLIC else (401, 403, 410, 500)
            assert answer.status_code not in refused, (method, rule, credential.name)
            if access in (*LINKS, Access.RECEIVER):
                assert "link is not valid" not in answer.text, (method, rule, credential.name)


def test_no_method_that_a_route_does_not_declare_does_anything(callers: Callers, redis_url: str) -> None:
    rows = declared()
    stranger, *others = callers.credentials
    with Redis.from_url(redis_url) as client:
        before = kept(client)
        for rule, accesses in itertools.groupby(sorted(rows, key=itemgetter(1)), key=itemgetter(1)):
            opens = {rows[row] for row in accesses}
            strongest = [credential for credential in others if credential.opens >= opens][-1:]
            for method in METHODS:
                if callers.is_routed(method, rule):
                    continue  # to this rule, or to another one
                for credential in (stranger, *strongest):
                    answer = callers.call(method, rule, credential)
                    allowed = (401, 403, 404, 405) + ((200,) if method == "OPTIONS" else ())
                    assert answer.status_code in allowed, (method, rule, credential.name)
        assert kept(client) == before


def test_unknown_addresses_below_a_guarded_one_are_guarded_too(callers: Callers) -> None:
    stranger = callers.credentials[0]
    for path in ("/v1/nowhere", "/v1", "/v1/", "/ops/nowhere", "/ops/", "/v1/../v1/stats", "/ops//events"):
        for method in ("GET", "POST", "DELETE"):
            assert callers.call(method, path, stranger).status_code in (401, 403, 404, 405), (method, path)
    assert callers.call("GET", "/v1/nowhere", stranger).status_code == 401
    assert callers.call("GET", "/ops/nowhere", stranger).status_code == 401
