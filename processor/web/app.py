"""Builds the Flask application."""

import contextlib
from functools import partial
from typing import Any

from flask import Flask
from redis import RedisError
from werkzeug.middleware.proxy_fix import ProxyFix

from processor.codat.json_values import folded
from processor.container import Container, for_web, message_inbox
from processor.reconciliation.baseline import Baseline
from processor.runtime import logs, tracing
from processor.runtime.sentry import report_errors
from processor.settings.definitions import Settings
from processor.settings.loading import load_from_environment
from processor.store import layout
from processor.store.client import close_idle_always
from processor.web import (
    compression,
    dependencies,
    headers,
    health,
    home,
    merchant,
    metrics,
    ops,
    problem_json,
    receiver_portal,
    v1,
    webhooks,
)
from processor.web.canonical_request import CanonicalRequest
from processor.web.dependencies import attach_container, receipt_counter, refusal_log
from processor.web.message_receiver import MessageReceiver
from processor.web.request_bodies import BUDGET_BYTES
from processor.web.rsgi import SMALL_BODY_BYTES, RsgiGateway

THREADS = 4
"""Number of requests that one process handles at a time."""


def create_app(container: Container) -> Flask:
    """The application with the services of ``container``; opens no connection."""
    app = Flask(__name__)
    settings = container.settings
    app.config["MAX_CONTENT_LENGTH"] = (
        SMALL_BODY_BYTES  # the webhook view reads its body itself, with MAX_BODY_BYTES
    )
    attach_container(app, container)
    normalise_requests(app, settings)
    app.after_request(headers.add_security_headers)
    app.after_request(compression.compress)
    problem_json.register(app)
    app.register_blueprint(webhooks.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(home.blueprint)
    app.register_blueprint(problem_json.blueprint)
    app.register_blueprint(metrics.blueprint)
    merchant.register(app)
    ops.register(app)
    app.register_blueprint(receiver_portal.blueprint)
    v1.register(app)
    app.url_value_preprocessor(_fold_ids)
    return app


def normalise_requests(app: Flask, settings: Settings) -> None:
    """Have ``app`` see addresses as TRUSTED_PROXIES and PUBLIC_URL say, and as no settings before said."""
    hops = settings.trusted_proxies
    # X-Forwarded-Host is ignored: Heroku's router passes on the caller's.
    inner = ProxyFix(partial(Flask.wsgi_app, app), x_for=hops, x_proto=0, x_host=0)
    app.wsgi_app = CanonicalRequest(inner, public_url=settings.public_url, hops=hops)  # type: ignore[method-assign]


def _fold_ids(_: str | None, values: dict[str, Any] | None) -> None:
    """Lower-case Codat's GUIDs in addresses; other ids stay as they are."""
    for name in ("company_id", "connection_id"):
        if values and name in values:
            values[name] = folded(values[name])


def create_app_from_environment() -> Flask:
    """The application of this process, configured from its environment, for any WSGI server.

    Notes the store's start time before the first request: companies created at Codat later count as new.
    """
    settings = load_from_environment()
    logs.configure(settings.log_level, settings.secrets())
    report_errors(settings)
    tracing.configure("web")
    container = for_web(settings)
    close_idle_always(container.redis)
    with contextlib.suppress(RedisError):  # the next process that starts notes it
        layout.claim(container.redis, settings.cells)
        Baseline(container.redis).mark_started()
    app = create_app(container)
    with app.app_context():
        receipt_counter().keep_flushing(also=refusal_log().flush)
    return app


def create_gateway_from_environment(*, budget_bytes: int = BUDGET_BYTES) -> RsgiGateway:
    """The application of this process behind the RSGI gateway, for the built-in web server."""
    app = create_app_from_environment()
    with app.app_context():
        container = dependencies.get_container()
        inbox = message_inbox(container.settings)
        return RsgiGateway(
            app,
            threads=THREADS,
            max_body_bytes=container.settings.max_body_bytes,
            receiver=MessageReceiver(container, receipt_counter(), refusal_log(), inbox=inbox),
            count=receipt_counter().refused,
            refusal_log=refusal_log(),
            budget_bytes=budget_bytes,
        )
