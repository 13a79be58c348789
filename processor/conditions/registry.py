"""All condition codes with severity, title and advice. A code never changes its meaning."""

from dataclasses import asdict
from datetime import datetime

from processor.conditions.model import Condition, Definition, Severity

_CRITICAL, _ERROR, _WARNING, _INFO = Severity

DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "redis_unreachable",
        _CRITICAL,
        "Redis does not answer",
        "Look whether it runs and whether REDIS_URL leads to it. Meanwhile Codat is answered 503 and sends"
        " again.",
        alert_after_s=10,
    ),
    Definition(
        "redis_loading",
        _CRITICAL,
        "Redis is loading its data",
        "Wait: it has just been started, and goes on by itself.",
        alert_after_s=60,
    ),
    Definition(
        "redis_read_only",
        _CRITICAL,
        "Redis is a replica",
        "After a failover REDIS_URL still names the old server: make it name the primary, and restart."
        " Where it names a service that moves to the new primary, wait: connections follow by themselves.",
    ),
    Definition(
        "redis_full",
        _CRITICAL,
        "Redis is full",
        "Give it more memory now, or have it forget handled messages (`codat-processor events forget"
        " --older-than DAYS`); Codat sends again what we refuse. Then look what grew: EVENT_RETENTION_DAYS"
        " decides how long messages are kept.",
    ),
    Definition(
        "redis_refuses_writes",
        _CRITICAL,
        "Redis refuses a write",
        "The words behind the colon are Redis's own; its log says more.",
    ),
    Definition(
        "redis_not_replicated",
        _CRITICAL,
        "Too few replicas have what Redis keeps",
        "ACK_REPLICAS replicas must follow the primary. Meanwhile Codat is answered 503 and sends again,"
        " and new notifications wait; a lower ACK_REPLICAS accepts at once, and a failover can then lose what"
        " was accepted just before.",
    ),
    Definition(
        "redis_connections_low",
        _WARNING,
        "Redis is near its connection limit",
        "Raise `maxclients` or take a larger plan; docs/operations.md says how many each process uses.",
        alert_after_s=10,
    ),
    Definition(
        "record_unreadable",
        _WARNING,
        "A stored record cannot be read",
        "Run `codat-processor connections repair ID`: a connection is made again from kept messages, or from"
        " Codat.",
    ),
    Definition(
        "codat_unreachable",
        _ERROR,
        "Codat does not answer",
        "See https://status.codat.io, and whether this machine reaches CODAT_API_URL. Merchants cannot"
        " connect meanwhile; messages are handled as always. Codat is asked again every minute.",
    ),
    Definition(
        "codat_key_refused",
        _ERROR,
        "Codat refuses our key",
        "Put a valid key from Codat's portal into CODAT_API_KEY, and restart. Merchants cannot connect"
        " meanwhile, and nothing is checked with Codat.",
    ),
    Definition(
        "codat_account_limited",
        _ERROR,
        "Codat's account is limited",
        "The portal or Codat's support says which limit of the account is reached.",
    ),
    Definition(
        "messages_refused",
        _ERROR,
        "Messages are refused",
        "The sentence says why. Compare the secrets, allowlists and the clock with Codat's portal.",
        alert_after_s=60,
    ),
    Definition(
        "clock_skew",
        _WARNING,
        "A machine's clock is off",
        "Set it by NTP. From five minutes on genuine messages are refused.",
        alert_after_s=10,
    ),
    Definition(
        "no_worker",
        _ERROR,
        "No worker runs",
        "Start a worker (`codat-processor worker`; on Heroku `heroku ps:scale worker=1`), or look into its"
        " log why it ends. Nothing is lost meanwhile.",
        alert_after_s=30,
    ),
    Definition(
        "no_clock",
        _WARNING,
        "No clock runs",
        "Start the clock (`codat-processor clock`; on Heroku `heroku ps:scale clock=1`). A worker stands in"
        " for it within half a minute; without either, failed messages are not tried again.",
        alert_after_s=30,
    ),
    Definition(
        "worker_hangs",
        _WARNING,
        "A worker process hangs",
        "The supervisor kills it and starts another within a minute; look into the log if it comes again.",
        alert_after_s=120,
    ),
    Definition(
        "deliveries_stalled",
        _WARNING,
        "Deliveries are due and nobody makes them",
        "Look into the log of the worker process `deliver`, and restart the worker if it goes on.",
        alert_after_s=60,
    ),
    Definition(
        "inbox_stalled",
        _WARNING,
        "Messages wait in the inbox",
        "Workers that were seen lately are busy, or fail: look into their log. They are not lost.",
    ),
    Definition(
        "message_retrying",
        _WARNING,
        "Handling a message fails",
        "Look at the error and mend its cause. It is tried again by itself for nine hours; a replay tries at"
        " once.",
    ),
    Definition(
        "messages_dead",
        _WARNING,
        "Messages could not be handled",
        "Look at the error, mend its cause, and replay: one by one, or all with"
        " `codat-processor dead-letters replay --all`.",
    ),
    Definition(
        "messages_quarantined",
        _WARNING,
        "Messages are in quarantine",
        "Look at what Codat sent; replay after an update that understands it, or discard it: on the page,"
        " or with `codat-processor events discard`.",
    ),
    Definition(
        "deliveries_dead",
        _WARNING,
        "Deliveries failed for good",
        "When the receiver is well again, send them again: one by one, or all with"
        " `codat-processor notifications redeliver --dead`.",
    ),
    Definition(
        "deliveries_uncertain",
        _WARNING,
        "Deliveries are uncertain",
        "An e-mail or chat message whose answer was lost is not sent again by itself. Ask the reader, or send"
        " it again and risk a copy: `codat-processor notifications redeliver ID`.",
    ),
    Definition(
        "receiver_failing",
        _WARNING,
        "A receiver fails",
        "Look at the last attempt, and tell whoever runs the receiver. It recovers by itself.",
    ),
    Definition(
        "receiver_paused",
        _WARNING,
        "Deliveries are paused",
        "When the receiver is well again, enable it: what waits is sent.",
    ),
    Definition(
        "receiver_gone", _WARNING, "A subscriber is gone", "Enable it if that was a mistake, or remove it."
    ),
    Definition(
        "receiver_disabled",
        _INFO,
        "A subscriber is disabled",
        "What is decided meanwhile does not wait for it. Once it is enabled again, what it missed is sent by"
        " `codat-processor notifications redeliver --since TIME --undelivered --subscriber ID`.",
    ),
    Definition(
        "mail_refused",
        _WARNING,
        "The mail server takes no e-mails",
        "Look at the last attempt, and compare SMTP_URL and MAIL_FROM with the mail server. What waits is"
        " sent by itself.",
    ),
    Definition(
        "operators_unreachable",
        _WARNING,
        "Alerts do not arrive",
        "Look at the last attempt, and compare OPERATOR_ALERT_URLS with your chat or pager.",
    ),
    Definition(
        "public_url_missing",
        _WARNING,
        "E-mails carry no links",
        "Set PUBLIC_URL to the address at which the world reaches this service, and restart.",
    ),
    Definition(
        "questions_overdue",
        _WARNING,
        "Questions to Codat are due and not asked",
        "Look into the log of the worker process `poll`, and restart the worker if it goes on. News that"
        " waits for an answer of Codat's is told late.",
        alert_after_s=60,
    ),
    Definition(
        "codat_quota_exhausted",
        _WARNING,
        "Codat's quota is used up",
        "Messages are handled as always. Ask Codat for a larger quota if this comes often.",
    ),
    Definition("codat_throttled", _INFO, "Codat wants no requests for a while", "It passes."),
    Definition(
        "codat_silent",
        _ERROR,
        "Codat's messages stay away",
        "See in Codat's portal what its attempts were answered, and let Codat replay what failed.",
    ),
    Definition(
        "webhooks_missing",
        _ERROR,
        "Codat's webhook consumer is off, missing or incomplete",
        "Look with `codat-processor webhooks list` whether the consumer is there, enabled and complete.",
    ),
    Definition(
        "redis_was_away",
        _INFO,
        "Redis was away lately",
        "It is over. What Codat sent meanwhile was answered 503, and Codat sends it again by itself.",
    ),
)

BY_CODE = {definition.code: definition for definition in DEFINITIONS}


def make(
    code: str,
    sentence: str,
    *,
    since: datetime | None = None,
    subject: str = "",
    severity: Severity | None = None,
    advice: str | None = None,
) -> Condition:
    """A condition of the kind ``code``; ``severity`` and ``advice`` override the definition's."""
    overrides = {"severity": severity, "advice": advice}
    fields = asdict(BY_CODE[code]) | {name: value for name, value in overrides.items() if value is not None}
    return Condition(**fields, sentence=sentence, since=since, subject=subject)
