"""An operator at the pages: logged in, without JavaScript, on a store that is filled the real way."""

import base64
import re
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from redis import Redis
from werkzeug.test import TestResponse

from processor.store import heartbeats
from tests.processor.web.v1.filling import KEY, Filling
from tests.support.visiting import Place

OWN_SCRIPT = '<script src="/static/ops/'
PASSWORD = "a pässword: with colons"
SEAL = re.compile(r'name="seal" value="([0-9a-f]{64})"')


def basic(user: str = "operator", password: str = PASSWORD) -> str:
    """The value of ``Authorization`` for a name and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Operator:
    """Opens pages and sends their forms. Follows no redirects unless told to."""

    def __init__(self, filling: Filling | Place, authorization: str | None = None) -> None:
        self.filling = filling
        self.http: FlaskClient = filling.app.test_client()
        self.headers = {"Authorization": authorization or basic()}

    def open(self, path: str, **query: str) -> TestResponse:
        """The answer to a GET."""
        return self.http.get(path, query_string=query or None, headers=self.headers)

    def read(self, path: str, **query: str) -> str:
        """The page, which must be there, as text with one blank for every run of blanks and tags."""
        answer = self.open(path, **query)
        assert answer.status_code == 200, answer.text
        return text_of(answer)

    def send(self, path: str, *, seal: str | None = None, **fields: str | list[str]) -> TestResponse:
        """Send a form of the page at ``path``, with its seal unless another is given."""
        if seal is None:
            match = SEAL.search(self.open(path).text)
            assert match is not None, "there is no form on the page"
            seal = match[1]
        return self.http.post(path, data={"seal": seal, **fields}, headers=self.headers)

    def seal(self) -> str:
        """The seal of this browser's forms, from a page that always has one."""
        assert isinstance(self.filling, Filling)
        self.filling.accept(b"no JSON", "sealed")
        match = SEAL.search(self.open("/ops/events/sealed").text)
        assert match is not None
        return match[1]

    def follow(self, answer: TestResponse) -> str:
        """The page to which an action led, as text."""
        assert answer.status_code == 303, answer.text
        return self.read(answer.headers["Location"])


def text_of(answer: TestResponse) -> str:
    """What a page says."""
    body = answer.text.partition("<main")[2].partition("<footer")[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body.partition(">")[2])).split())


def forms(answer: TestResponse) -> list[str]:
    """The forms of a page's content that change something."""
    content = answer.text.partition("<main")[2].partition("<footer")[0]
    return re.findall(r'<form[^>]*method="post".*?</form>', content, re.DOTALL)


def add_subscriber(
    filling: Filling, url: str = "http://127.0.0.1:9/hook?<b>", *, description: str = ""
) -> str:
    """A subscriber, added as the API does; its id."""
    answer = filling.app.test_client().post(
        "/v1/subscribers",
        json={"url": url, "description": description},
        headers={"Authorization": f"Bearer {KEY}"},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json and answer.json["id"])


def told_of(filling: Filling) -> str:
    """The id of the newest notification."""
    page = filling.container.reader.list_notifications(connection_id=None, limit=1, cursor=None)
    return str(page.items[0]["body"]["id"])


def everybody_lives(store: "Redis[Any]") -> None:
    """A worker and a clock were seen just now."""
    for role in heartbeats.ROLES:
        heartbeats.record(store, role, f"{role}-1")
