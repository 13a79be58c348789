"""The merchants' pages: the journey, and the way back from Codat's Link."""

import hashlib
from pathlib import Path

from flask import Flask, Response, request, url_for
from werkzeug.exceptions import NotFound

from processor import errors as processor_errors
from processor.clock import to_iso
from processor.web import brand_files, problem_json
from processor.web.merchant import choosing, managing, pages, returning, watching
from processor.web.merchant.copy import terms

MAX_FORM_BYTES = 16_384
STATIC_MAX_AGE_S = 31_536_000

API_PREFIXES = ("/v1/", "/webhooks/")
"""Paths that are answered with problems, also to browsers."""

SUBJECTS = (choosing, watching, managing, returning)


def register(app: Flask) -> None:
    """Add the pages to ``app``."""
    for subject in SUBJECTS:
        app.register_blueprint(subject.blueprint)
    versions = _static_versions(Path(app.static_folder or ""))
    app.config.setdefault("SEND_FILE_MAX_AGE_DEFAULT", STATIC_MAX_AGE_S)

    def static_url(name: str) -> str:
        return url_for("static", filename=name, v=versions.get(name))

    app.jinja_env.globals["static_url"] = static_url
    app.jinja_env.globals["brand_url"] = brand_files.brand_url
    app.register_blueprint(brand_files.blueprint)
    app.jinja_env.filters["moment"] = terms.moment
    app.jinja_env.filters["iso"] = to_iso

    @app.before_request
    def limit_form() -> None:
        if request.blueprint in blueprints:
            request.max_content_length = MAX_FORM_BYTES

    @app.errorhandler(404)
    def not_found(error: NotFound) -> Response:
        """An unknown address: a page for browsers, a problem for other clients."""
        if request.path.startswith(API_PREFIXES) or not pages.wants_page():
            response = problem_json.of_http(error)
        else:
            response = pages.error_page(processor_errors.NotFound())
            response.headers["Cache-Control"] = "no-store"
        response.vary.add("Accept")
        return response

    blueprints = {subject.blueprint.name for subject in SUBJECTS}


def _static_versions(folder: Path) -> dict[str, str]:
    """A short hash of each static file by its relative path, so that browsers can cache it for long."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
