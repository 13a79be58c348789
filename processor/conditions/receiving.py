"""Conditions of receiving: refused messages, and clocks that are off. Pure."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from processor.alerts.signature import RefusalReason
from processor.conditions.facts import Facts
from processor.conditions.model import Condition, Severity
from processor.conditions.registry import make
from processor.humanize import date, number, span
from processor.store import clock_skew

STREAK_KEPT = timedelta(hours=12)
"""How long refusals without an authentic message count; Codat's longest pause between retries is 10 h."""

LATELY = timedelta(hours=1)
"""How long refusals beside authentic messages are shown."""

REASONS: Mapping[str, tuple[str, str]] = {
    RefusalReason.SIGNATURE: (
        "no signature matches",
        "Copy the consumer's signing secret from Codat's portal and add it, on the page Access or with"
        " `codat-processor webhooks add-secret`; it counts at once.",
    ),
    RefusalReason.TIMESTAMP: (
        "their timestamp is more than five minutes off",
        "Set this machine's clock by NTP (`codat-processor check` compares it with Codat's).",
    ),
    RefusalReason.AUTHORIZATION: (
        "their Authorization is not an accepted one",
        "Put the Authorization of the rules in Codat's portal into CODAT_ALERT_AUTHORIZATIONS, and restart.",
    ),
    RefusalReason.UNSIGNED: (
        "they carry neither a signature nor an Authorization",
        "Look whether something on the way drops headers, or whether a stranger sends them.",
    ),
    RefusalReason.CLIENT_ID: (
        "their X-Codat-ClientId is not on the allowlist",
        "Compare CODAT_CLIENT_IDS with the client in Codat's portal.",
    ),
    RefusalReason.ADDRESS: (
        "their sender's address is not on the allowlist",
        "Compare CODAT_SENDER_IPS with Codat's addresses, and TRUSTED_PROXIES with the proxies before us.",
    ),
    RefusalReason.HEADERS: (
        "one of their headers came twice",
        "Look whether a proxy on the way adds a header that is there already.",
    ),
    RefusalReason.TOO_LARGE: ("they are larger than MAX_BODY_BYTES", "Raise MAX_BODY_BYTES, and restart."),
}
"""Text and advice for each reason of a refusal."""


def conditions(facts: Facts) -> Iterator[Condition]:
    """Refused messages, and clocks that are off."""
    yield from _refused(facts)
    for skew in facts.skews:
        way = "ahead of" if skew.off_s > 0 else "behind"
        yield make(
            "clock_skew",
            f"The clock of {skew.host} is off by {span(abs(skew.off_s))}: {way} {skew.reference}'s.",
            subject=f"{skew.host} {skew.reference}",
            severity=Severity.ERROR if abs(skew.off_s) >= clock_skew.ERROR_S else Severity.WARNING,
        )


def _refused(facts: Facts) -> Iterator[Condition]:
    receipts = facts.receipts
    if receipts.refused_at is None:
        return
    why, advice = REASONS.get(receipts.last_reason or "", ("of an unknown reason", ""))
    ago = facts.now - receipts.refused_at
    if receipts.streak and ago <= STREAK_KEPT:
        refused = number(receipts.streak, "message was refused", "messages were refused")
        beside = "no authentic one has come yet"
        if receipts.authentic_at:
            beside = f"the last authentic one came at {date(receipts.authentic_at)}"
        yield make(
            "messages_refused",
            f"{refused}, the last because {why}; {beside}.",
            since=receipts.streak_since,
            advice=f"{advice} Codat sends again what was refused.",
        )
    elif ago <= LATELY:
        yield make(
            "messages_refused",
            f"Messages were refused, the last at {date(receipts.refused_at)} because {why};"
            " authentic ones came beside them.",
            since=receipts.refused_at,
            severity=Severity.INFO,
            advice="Somebody else may send them. If Codat does: " + advice,
        )
