"""Who may use which address: one row for each method of each route, written by hand.

It says what the service promises, and not how it is checked: it repeats no table of the service.
"""

from enum import Enum


class Access(Enum):
    """Whose request is let in."""

    PUBLIC = "everybody"
    SIGNED = "Codat, by signature or by the configured value of Authorization"
    FORM = "everybody with a form that this browser was given"
    LINK = "the holder of a merchant's link"
    OLD_LINK = "the holder of a merchant's link, also of one that has expired"
    REMINDER = "the reader of a reminder, whose mail program sends no cookie"
    RECEIVER = "the holder of a receiver's link"
    READ = "API keys with the scope read"
    WRITE = "API keys with the scope write"
    ADMIN = "API keys with the scope admin"
    VIEWER = "every operator"
    OPERATOR = "operators and admins"
    OPERATORS_ADMIN = "operators who are admins"


RULES: dict[Access, str] = {
    Access.PUBLIC: """
        GET /
        GET /brand/<key>/<name>
        GET /connect
        GET /embed.js
        GET /connect/<token>/<path:_rest>
        GET /healthz
        GET /metrics
        GET /openapi.json
        GET /ops/sign-in
        GET /ops/sign-in/callback
        GET /problems
        GET /problems/<code>
        GET /readyz
        GET /return
        GET /static/<path:filename>
    """,
    Access.SIGNED: """
        POST /webhooks/codat
        PUT /webhooks/codat
    """,
    Access.FORM: """
        POST /ops/sign-in
        POST /ops/sign-in/sso
    """,
    Access.LINK: """
        GET /connect/<token>
        GET /connect/<token>/connections
        POST /connect/<token>/connections
        GET /connect/<token>/connections/<connection_id>
        GET /connect/<token>/connections/<connection_id>/<any(unlink,delete):change>
        GET /connect/<token>/connections/<connection_id>/account
        POST /connect/<token>/connections/<connection_id>/account
        POST /connect/<token>/connections/<connection_id>/delete
        GET /connect/<token>/connections/<connection_id>/link
        POST /connect/<token>/connections/<connection_id>/link
        GET /connect/<token>/connections/<connection_id>/live
        GET /connect/<token>/connections/<connection_id>/read
        POST /connect/<token>/connections/<connection_id>/read
        POST /connect/<token>/connections/<connection_id>/unlink
        GET /connect/<token>/found
        GET /connect/<token>/live
        GET /connect/<token>/manage
        GET /connect/<token>/manage/live
        GET /connect/<token>/not-listed
        GET /connect/<token>/platform-requests
        POST /connect/<token>/platform-requests
        GET /connect/<token>/skip
        POST /connect/<token>/skip
    """,
    Access.OLD_LINK: """
        POST /connect/<token>/new-link
    """,
    Access.REMINDER: """
        GET /reminders/<token>
        POST /reminders/<token>
    """,
    Access.RECEIVER: """
        GET /receivers/<token>
        POST /receivers/<token>
    """,
    Access.READ: """
        GET /v1/companies
        GET /v1/companies/<company_id>
        GET /v1/companies/<company_id>/connections
        GET /v1/companies/<company_id>/consents
        GET /v1/companies/<company_id>/journey
        GET /v1/companies/<company_id>/people
        GET /v1/companies/<company_id>/platform-requests
        GET /v1/companies/<company_id>/products
        GET /v1/companies/<company_id>/sync
        GET /v1/connections
        GET /v1/connections/<connection_id>
        GET /v1/connections/<connection_id>/facts
        GET /v1/connections/<connection_id>/timeline
        GET /v1/events
        GET /v1/events/<event_id>
        GET /v1/funnel
        GET /v1/integrations
        GET /v1/notifications
        GET /v1/notifications/<notification_id>
        GET /v1/stats
        GET /v1/subscribers
        GET /v1/subscribers/<subscriber_id>
    """,
    Access.WRITE: """
        POST /v1/companies
        PATCH /v1/companies/<company_id>
        POST /v1/companies/<company_id>/connections
        POST /v1/companies/<company_id>/people
        DELETE /v1/companies/<company_id>/people/<person_id>
        POST /v1/companies/<company_id>/platform-requests
        PUT /v1/companies/<company_id>/products/<product>
        DELETE /v1/companies/<company_id>/products/<product>
        POST /v1/companies/<company_id>/read
        DELETE /v1/connections/<connection_id>
        POST /v1/connections/<connection_id>/link
        POST /v1/connections/<connection_id>/unlink
        POST /v1/events/<event_id>/discard
        POST /v1/events/<event_id>/replay
        POST /v1/notifications/<notification_id>/redeliver
        POST /v1/subscribers/<subscriber_id>/test
    """,
    Access.ADMIN: """
        GET /v1/audit
        DELETE /v1/companies/<company_id>
        POST /v1/companies/<company_id>/links/revoke
        POST /v1/subscribers
        PATCH /v1/subscribers/<subscriber_id>
        DELETE /v1/subscribers/<subscriber_id>
        POST /v1/subscribers/<subscriber_id>/rotate
    """,
    Access.VIEWER: """
        GET /ops
        GET /ops/access
        GET /ops/<path:_rest>
        GET /ops/audit
        GET /ops/companies/<id_>
        GET /ops/connections
        GET /ops/connections/<id_>
        GET /ops/events
        GET /ops/events/<id_>
        GET /ops/funnel
        GET /ops/live
        GET /ops/migration
        GET /ops/notifications
        GET /ops/notifications/<id_>
        GET /ops/search
        GET /ops/subscribers
        GET /ops/subscribers/<id_>
        POST /ops/sign-out
    """,
    Access.OPERATOR: """
        POST /ops/companies/<id_>
        POST /ops/conditions
        POST /ops/connections/<id_>
        POST /ops/connections/<id_>/link
        POST /ops/connections/<id_>/read
        POST /ops/connections/<id_>/replay
        POST /ops/connections/<id_>/verify
        POST /ops/events
        POST /ops/events/<id_>
        POST /ops/notifications/<id_>
    """,
    Access.OPERATORS_ADMIN: """
        POST /ops/access/api-keys
        POST /ops/access/api-keys/<id_>
        POST /ops/access/people/<id_>
        POST /ops/access/sessions/<id_>
        POST /ops/access/webhook-secrets
        POST /ops/access/webhook-secrets/<id_>
        POST /ops/companies/<id_>/links
        POST /ops/connections/<id_>/unlink
        POST /ops/subscribers
        POST /ops/subscribers/<id_>
    """,
}


def declared() -> dict[tuple[str, str], Access]:
    """The access by method and rule. Raises ``ValueError`` for a row that stands there twice."""
    rows: dict[tuple[str, str], Access] = {}
    for access, text in RULES.items():
        for line in text.split("\n"):
            if not line.strip():
                continue
            method, rule = line.split()
            if (method, rule) in rows:
                raise ValueError(f"declared twice: {method} {rule}")
            rows[method, rule] = access
    return rows
