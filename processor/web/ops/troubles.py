"""What is wrong now, worst first, each with what to do. Pure.

The sentences are those of ``/readyz`` and of the operators' alerts; docs/operations.md lists the advice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from processor.web.ops.words import LANES, date, number, span

WAITS_LONG_S = 60
"""The inbox is empty within moments; a message that waited so long, in seconds, tells of a trouble."""

ADVICE: tuple[tuple[str, str], ...] = (
    ("Redis is loading its data", "Wait: it has just been started, and goes on by itself."),
    (
        "Redis is a replica",
        "After a failover REDIS_URL still names the old server: make it name the primary, and restart.",
    ),
    (
        "Redis is full",
        "Give it more memory now; Codat sends again what we refuse. Then look what grew:"
        " EVENT_RETENTION_DAYS decides how long messages are kept.",
    ),
    ("Redis refuses a write", "The words behind the colon are Redis's own; its log says more."),
    (
        "no worker was seen",
        "Start a worker (`codat-processor worker`; on Heroku `heroku ps:scale worker=1`), or look into its"
        " log why it ends. Nothing is lost meanwhile.",
    ),
    (
        "no clock was seen",
        "Start the clock (`codat-processor clock`; on Heroku `heroku ps:scale clock=1`). Without it failed"
        " messages are not tried again.",
    ),
)
"""How a sentence of ``/readyz`` begins, and what to do; sentences about Codat say that themselves."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: what, what to do, since when, and the view that shows more."""

    tone: str
    sentence: str
    advice: str = ""
    since: str | None = None
    view: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)


def headline(reasons: Sequence[str], troubles: Sequence[Trouble]) -> tuple[str, str, str]:
    """Is it broken? Tone, answer, and what that means."""
    if reasons:
        return "bad", "Messages cannot be kept", "Codat is told to send them again later."
    if troubles:
        return (
            "wait",
            "It works, and something needs you",
            "Messages are taken and kept. What is wrong stands here, with what to do.",
        )
    return "good", "All is well", "Messages are taken, handled and told."


def found(
    reasons: Iterable[str], warnings: Iterable[str], stats: Mapping[str, Any], last_seen: Mapping[str, str]
) -> list[Trouble]:
    """Everything that is wrong; ``last_seen`` is when the last process of a role was seen."""
    since = {one["sentence"]: one["since"] for one in stats["codat"]["warnings"]}
    since |= {f"no {role} was seen": at for role, at in last_seen.items()}
    troubles = [Trouble("bad", reason, _advice(reason)) for reason in reasons]
    troubles += [Trouble("wait", text, _advice(text), _since(text, since)) for text in warnings]
    return troubles + _inbox(stats) + _left_over(stats) + _lanes(stats["lanes"]) + _codat(stats["codat"])


def _inbox(stats: Mapping[str, Any]) -> list[Trouble]:
    depth, age_s = stats["inbox"]["depth"], stats["inbox"]["age_s"]
    if not depth or age_s < WAITS_LONG_S:
        return []
    waiting = number(depth, "message waits", "messages wait")
    return [
        Trouble(
            "wait",
            f"{waiting} in the inbox, the oldest for {span(age_s)}.",
            "Workers that were seen lately are busy, or fail: look into their log. They are not lost.",
            view="events",
            query={"status": "pending"},
        )
    ]


def _left_over(stats: Mapping[str, Any]) -> list[Trouble]:
    events = stats["events"]
    kinds = (
        (
            events["dead"],
            "message could not be handled (dead letter).",
            "messages could not be handled (dead letters).",
            "Look at the error, mend its cause, and replay: one by one, or all with"
            " `codat-processor dead-letters replay --all`.",
            ("events", "dead"),
        ),
        (
            events["quarantined"],
            "authentic message is in quarantine: nobody understands it.",
            "authentic messages are in quarantine: nobody understands them.",
            "Look at what Codat sent; replay after an update that understands it.",
            ("events", "quarantined"),
        ),
        (
            stats["dead_deliveries"],
            "delivery failed to the last attempt.",
            "deliveries failed to the last attempt.",
            "When the receiver is well again, send them again: one by one, or all with"
            " `codat-processor notifications redeliver --dead`.",
            ("notifications", "dead"),
        ),
    )
    return [
        Trouble("wait", number(count, one, many), advice, view=view, query={"status": status})
        for count, one, many, advice, (view, status) in kinds
        if count
    ]


def _lanes(lanes: Iterable[Mapping[str, Any]]) -> list[Trouble]:
    return [
        Trouble(
            LANES[lane["status"]].tone,
            f"Deliveries to {lane['id']}: {lane['status']}, {lane['waiting']:,} wait.",
            LANES[lane["status"]].advice,
            lane["failing_since"],
            view="subscribers",
        )
        for lane in lanes
        if lane["status"] in ("slow", "paused", "gone")
    ]


def _codat(codat: Mapping[str, Any]) -> list[Trouble]:
    troubles = []
    until = codat["polling_paused_until"]
    if until:
        troubles.append(
            Trouble(
                "wait",
                f"Nothing is asked of Codat in the background until {date(until)}: its quota is used up.",
                "Messages are handled as always. Ask Codat for a larger quota if this comes often.",
            )
        )
    until = codat["told_to_wait_until"]
    if until:
        troubles.append(
            Trouble("wait", f"Codat answered 429 and wants no requests until {date(until)}.", "It passes.")
        )
    return troubles


def _advice(sentence: str) -> str:
    return next((advice for start, advice in ADVICE if sentence.startswith(start)), "")


def _since(sentence: str, known: Mapping[str, str]) -> str | None:
    return next((at for start, at in known.items() if sentence.startswith(start)), None)
