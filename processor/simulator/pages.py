"""What all pages of the simulator have in common: headers, and a page for what is refused."""

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from processor.simulator.entities import SimulatorRefusal

# Chrome applies form-action to redirects as well, so it stays away: the way back leads to another site.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def protect(pages: Blueprint, *, refusal: str, way_home: bool = False) -> None:
    """Add the headers where a page has none of its own, and a page called ``refusal`` for refusals."""

    @pages.after_request
    def add_headers(answer: Response) -> Response:
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    @pages.errorhandler(SimulatorRefusal)
    def refuse(refused: SimulatorRefusal) -> ResponseReturnValue:
        text = refused.sentence
        page = render_template("simulator/message.html", title=refusal, text=text, way_home=way_home)
        return page, refused.status
