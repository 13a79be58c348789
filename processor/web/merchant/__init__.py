"""The merchants' pages: the journey, and the way back from Codat's Link."""

import hashlib
from pathlib import Path

from flask import Flask, Response, request, url_for
from werkzeug.exceptions import NotFound

from processor import errors as processor_errors
from processor.clock import to_iso
from processor.languages import current
from processor.languages.catalogues import SOURCE
from processor.web import brand_files, html_errors, problem_json
from processor.web.merchant import (
    choosing,
    embedding,
    language_choice,
    managing,
    opting_out,
    pages,
    returning,
    watching,
)

MAX_FORM_BYTES = 16_384
STATIC_MAX_AGE_S = 31_536_000

API_PREFIXES = ("/v1/", "/webhooks/")
"""Paths that are answered with problems, also to browsers."""

SUBJECTS = (choosing, watching, managing, opting_out, returning)


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
    app.register_blueprint(embedding.blueprint)
    current.translate_templates(app.jinja_env)
    app.jinja_env.filters["moment"] = current.moment
    app.jinja_env.filters["percent"] = current.percent
    app.jinja_env.filters["iso"] = to_iso

    @app.before_request
    def limit_form() -> None:
        if request.blueprint in blueprints:
            request.max_content_length = MAX_FORM_BYTES

    @app.before_request
    def choose_language() -> None:
        if request.blueprint in translated:
            language_choice.choose_for_request()

    @app.teardown_request
    def forget_language(_: BaseException | None) -> None:
        current.choose(SOURCE)

    @app.errorhandler(404)
    def not_found(error: NotFound) -> Response:
        """An unknown address: a page for browsers, a problem for other clients."""
        if request.path.startswith(API_PREFIXES) or not html_errors.wants_page():
            response = problem_json.of_http(error)
        else:
            response = pages.error_page(processor_errors.NotFound())
            response.headers["Cache-Control"] = "no-store"
        response.vary.add("Accept")
        return response

    blueprints = {subject.blueprint.name for subject in SUBJECTS}
    translated = {*blueprints, "home", None}  # None: an unknown address


def _static_versions(folder: Path) -> dict[str, str]:
    """A short hash of each static file by its relative path, so that browsers can cache it for long."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
