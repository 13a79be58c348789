"""What callers write into path, scheme and host does not decide where our links lead."""

from typing import Any

import pytest

from processor.alerts.signature import MAX_SIGNATURES_BYTES
from processor.web.canonical_request import canonical_path, forwarded_scheme
from tests.support import messages
from tests.support.messages import signed
from tests.support.serving import ADDRESS, PROBLEM, serving

KEY = "a-key-of-the-api-0123456789"
CALL = {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    "path",
    ["/webhooks//codat", "//webhooks/codat", "/webhooks/codat//", "///webhooks///codat", "/webhooks/codat"],
)
def test_a_message_is_taken_however_many_slashes_its_address_has(redis_url: str, path: str) -> None:
    """``/webhooks//codat``, as an address with a slash at its end makes it, was answered with a redirect."""
    body = messages.other()
    answer = serving(redis_url).post(data=body, headers=signed(body), environ_overrides={"PATH_INFO": path})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "path", ["/", "//", "/connect//x", "//evil.example/", "/webhook//codat", "/v1//events"]
)
def test_other_paths_stay_as_they_are(path: str) -> None:
    assert canonical_path(path) == path


@pytest.mark.parametrize(
    ("header", "hops", "scheme"),
    [
        ("https", 0, None),
        ("https", 1, "https"),
        ("https", 2, "https"),
        ("http, https", 1, "https"),
        ("https, http", 2, "https"),
        ("https, http, http", 2, "http"),
        ("javascript", 1, None),
        ("javascript, https", 2, "https"),
        ("HTTPS ", 1, "https"),
        ("", 1, None),
    ],
)
def test_the_scheme_is_what_a_trusted_proxy_says(header: str, hops: int, scheme: str | None) -> None:
    """``javascript`` came into ``connect_url``; with two hops and one value the links were http."""
    assert forwarded_scheme(header, hops) == scheme


def test_no_scheme_but_http_and_https_comes_into_an_answer(redis_url: str) -> None:
    """``X-Forwarded-Proto: javascript`` ended up in ``connect_url``."""
    caller = serving(redis_url, API_KEYS=KEY, TRUSTED_PROXIES="1")
    answer = caller.get("/v1//stats", headers={**CALL, "X-Forwarded-Proto": "javascript"})
    assert answer.status_code == 308
    assert "javascript" not in answer.headers["Location"]


def test_a_redirect_leads_to_public_url_whatever_the_host(redis_url: str) -> None:
    """With PUBLIC_URL set redirects followed ``Host``, which anybody may make up."""
    caller = serving(redis_url, PUBLIC_URL="https://us.example")
    answer = caller.get("/connect//x", headers={"Host": "evil.example"})
    assert answer.status_code == 308
    assert "evil" not in answer.headers["Location"]


def test_behind_https_by_public_url_alone_cookies_are_secure(redis_url: str) -> None:
    """With an https PUBLIC_URL and no TRUSTED_PROXIES there was neither Secure nor HSTS."""
    answer = serving(redis_url, PUBLIC_URL="https://us.example").get("/return")
    assert answer.headers["Strict-Transport-Security"]
    assert all("Secure" in cookie for cookie in answer.headers.getlist("Set-Cookie"))


def test_answers_of_the_api_are_kept_by_no_cache(redis_url: str) -> None:
    """Answers under ``/v1`` came without ``Cache-Control``; a proxy might have shown them to others."""
    caller = serving(redis_url, API_KEYS=KEY)
    for headers, status in ((CALL, 200), ({}, 401)):
        answer = caller.get("/v1/stats", headers=headers)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (status, "no-store")


@pytest.mark.parametrize("path", ["/v1/events", "/return", "/connect/x", "/ops", "/readyz", ADDRESS])
@pytest.mark.parametrize("query", ["\u00e9", "limit=\u00e9", "\xff", "%FF", "\x00"])
def test_no_query_is_a_fault_of_ours(redis_url: str, path: str, query: str) -> None:
    """``/v1/events?\u00e9`` was 500, and on ``/return?\u00e9`` the error page itself raised."""
    caller = serving(redis_url, API_KEYS=KEY, OPERATOR_PASSWORD="long enough")
    answer = caller.open(path, headers=CALL, environ_overrides={"QUERY_STRING": query})
    assert answer.status_code < 500


def test_an_error_page_that_raises_is_answered_as_a_problem(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page that told of an error raised itself, and its caller got the server's bare 500."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("the template is broken")

    caller = serving(redis_url)
    monkeypatch.setitem(caller.application.jinja_env.globals, "static_url", broken)
    answer = caller.get("/connect/not-a-token")
    assert (answer.status_code, answer.content_type) == (404, PROBLEM)


def test_a_signature_header_is_read_up_to_a_length(redis_url: str) -> None:
    """One of 300 KB, six thousand signatures to compare, cost a tenth of a second of computing."""
    body = messages.other()
    headers = signed(body)
    right = headers["webhook-signature"]
    caller = serving(redis_url)

    def status(signatures: str) -> int:
        return caller.post(
            ADDRESS, data=body, headers={**headers, "webhook-signature": signatures}
        ).status_code

    other = "v1," + "A" * 43 + "= "
    assert status(other * (MAX_SIGNATURES_BYTES // len(other) + 1) + right) == 401
    assert status(other * 10 + right) == 202
