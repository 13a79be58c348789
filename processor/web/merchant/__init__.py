"""The pages for the people whose data is shared: the journey, and the way back from Codat's Link."""

import hashlib
from pathlib import Path

from flask import Flask, Response, request, url_for
from werkzeug.exceptions import NotFound

from processor import errors as processor_errors
from processor.clock import to_iso
from processor.web import problem_json
from processor.web.merchant import choosing, link_session, managing, returning, watching
from processor.web.merchant.copy import terms

LARGEST_FORM_BYTES = 16_384
STATIC_LASTS_S = 31_536_000

MACHINES = ("/v1/", "/webhooks/")
"""Where no people go."""

PAGES = (choosing, watching, managing, returning)


def register(app: Flask) -> None:
    """Let ``app`` show the pages."""
    for subject in PAGES:
        app.register_blueprint(subject.blueprint)
    versions = _versions(Path(app.static_folder or ""))
    app.config.setdefault("SEND_FILE_MAX_AGE_DEFAULT", STATIC_LASTS_S)

    def static_url(name: str) -> str:
        return url_for("static", filename=name, v=versions.get(name))

    app.jinja_env.globals["static_url"] = static_url
    app.jinja_env.filters["moment"] = terms.moment
    app.jinja_env.filters["iso"] = to_iso

    @app.before_request
    def bound() -> None:
        if request.blueprint in names:
            request.max_content_length = LARGEST_FORM_BYTES

    @app.errorhandler(404)
    def nowhere(error: NotFound) -> Response:
        """An address that leads nowhere: a page for a browser, a problem for all others."""
        if request.path.startswith(MACHINES) or not link_session.wants_page():
            answer = problem_json.of_http(error)
        else:
            answer = link_session.failed(processor_errors.NotFound())
            answer.headers["Cache-Control"] = "no-store"
        answer.vary.add("Accept")
        return answer

    names = {subject.blueprint.name for subject in PAGES}


def _versions(folder: Path) -> dict[str, str]:
    """A short name of the contents of each static file, so that browsers may keep it for ever."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
