"""A lender's page on another site, with a strict policy, whose link opens the journey in a panel or popup."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Flask, Response, render_template_string, request
from flask.typing import ResponseReturnValue

from tests.browser.serving_thread import served

PAGE = """<!doctype html><html lang="en"><head><title>Lender</title>
<script src="/heard.js"></script><script src="{{ service }}/embed.js" defer></script></head>
<body><main><h1>Your loan</h1><p><a id="connect"
  href="{{ link }}" data-journey="{{ mode }}">Connect your accounts</a></p>
<button id="other">Something else</button></main></body></html>
"""

HEARD = """
window.heard = [];
window.messages = [];
for (const type of ["opened", "left", "connected", "ready"]) {
  addEventListener(`journey:${type}`, ({ target, detail }) =>
    heard.push([type, target.id, detail.connection_id || ""]));
}
addEventListener("message", ({ data }) => messages.push(data));
"""


@dataclass(frozen=True, slots=True)
class Lender:
    """The running page. ``listed`` is its origin on the list; at ``unlisted`` the same server answers."""

    port: int

    @property
    def listed(self) -> str:
        """Another site than the service's address."""
        return f"http://localhost:{self.port}"

    @property
    def unlisted(self) -> str:
        """The service's host at another port."""
        return f"http://127.0.0.1:{self.port}"

    def page(self, link: str, mode: str = "panel", *, origin: str | None = None) -> str:
        """The address of the page with this link."""
        return f"{origin or self.listed}/?{urlencode({'link': link, 'mode': mode})}"


@contextlib.contextmanager
def lender() -> Iterator[Lender]:
    """Run it."""
    app = Flask(__name__)

    @app.get("/")
    def show() -> ResponseReturnValue:
        link = request.args["link"]
        service = link.partition("/connect/")[0]
        policy = f"default-src 'none'; script-src 'self' {service}; frame-src {service}"
        page = render_template_string(PAGE, link=link, mode=request.args["mode"], service=service)
        return Response(page, headers={"Content-Security-Policy": policy})

    @app.get("/heard.js")
    def heard() -> ResponseReturnValue:
        return Response(HEARD, mimetype="text/javascript")

    with served(app) as port:
        yield Lender(port)
