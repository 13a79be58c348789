"""What is wrong now, worst first, each with what to do. Pure.

The sentences are those of ``/readyz`` and of the operators' alerts; docs/operations.md lists the advice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from processor.store.interruptions import Interruption
from processor.times import to_iso
from processor.web.ops.words import LANES, date, number, span

WAITS_LONG_S = 60
"""The inbox is empty within moments; a message that waited so long, in seconds, tells of a trouble."""

MOST_BEFORE = 4
"""So many interruptions before the last one are told."""

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
    """One thing that is wrong, or good to know: what, what to do, since when, and the view that shows more.

    ``subscriber`` is the one that it is about, if any.
    """

    tone: str
    sentence: str
    advice: str = ""
    since: str | None = None
    view: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    subscriber: str | None = None


def headline(
    reasons: Sequence[str], troubles: Sequence[Trouble], off: Sequence[Trouble] = ()
) -> tuple[str, str, str]:
    """Is it broken? Tone, answer, and what that means; ``off`` is what was switched off on purpose."""
    if reasons:
        return "bad", "Messages cannot be kept", "Codat is told to send them again later."
    if troubles:
        return (
            "wait",
            "It works, and something needs you",
            "Messages are taken and kept. What is wrong stands here, with what to do.",
        )
    if off:
        return (
            "good",
            "It works, and something is switched off",
            "Messages are taken, handled and told, but not to whom an operator disabled.",
        )
    return "good", "All is well", "Messages are taken, handled and told."


def found(
    reasons: Iterable[str],
    warnings: Iterable[str],
    stats: Mapping[str, Any],
    last_seen: Mapping[str, str],
    names: Mapping[str, str],
) -> list[Trouble]:
    """Everything that is wrong; ``last_seen`` is when the last process of a role was seen.

    ``names`` are those of the subscribers, by id.
    """
    since = {one["sentence"]: one["since"] for one in stats["codat"]["warnings"]}
    since |= {f"no {role} was seen": at for role, at in last_seen.items()}
    troubles = [Trouble("bad", reason, _advice(reason)) for reason in reasons]
    troubles += [Trouble("wait", text, _advice(text), _since(text, since)) for text in warnings]
    troubles += _inbox(stats) + _left_over(stats)
    return troubles + _lanes(stats["lanes"], names) + _codat(stats["codat"])


def switched_off(
    lanes: Iterable[Mapping[str, Any]], since: Mapping[str, str], names: Mapping[str, str]
) -> list[Trouble]:
    """The lanes that somebody disabled, and may have forgotten; ``since`` when, where that is known."""
    return [
        Trouble(
            "calm",
            f"Nothing is sent to {_name(lane['id'], names)}: it is disabled.",
            _until_enabled(lane["id"], lane["waiting"], since.get(lane["id"], "TIME")),
            since.get(lane["id"]),
            subscriber=lane["id"] if lane["id"] in names else None,
        )
        for lane in lanes
        if lane["status"] == "disabled"
    ]


def away(interruptions: Sequence[Interruption]) -> list[Trouble]:
    """That Redis was away, the newest interruption first; nothing where it was not."""
    if not interruptions:
        return []
    last, *before = interruptions
    what = "refused what was asked of it" if last.refused else "was away"
    sentence = f"Redis {what} {_spell(last)}."
    advice = "It is over. What Codat sent meanwhile was answered 503, and Codat sends it again by itself."
    if before:
        told = "; ".join(_spell(one) for one in before[:MOST_BEFORE])
        rest = len(before) - MOST_BEFORE
        advice += f" Before that: {told}{f'; and {rest} times more' if rest > 0 else ''}."
    return [Trouble("calm", sentence, advice)]


def _spell(one: Interruption) -> str:
    seconds = (one.ended_at - one.began_at).total_seconds()
    return f"from {date(to_iso(one.began_at))} to {date(to_iso(one.ended_at))} ({span(seconds)})"


def _until_enabled(lane_id: str, waiting: int, since: str) -> str:
    stay = number(waiting, "delivery from before waits", "deliveries from before wait")
    missed = f"--since {since} --undelivered --subscriber {lane_id}"
    return (
        f"What is decided meanwhile does not wait for it.{f' {stay} until it is enabled.' if waiting else ''}"
        " Once it is enabled again, what it missed is sent by"
        f" `codat-processor notifications redeliver {missed}`."
    )


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


def _lanes(lanes: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> list[Trouble]:
    return [
        Trouble(
            LANES[lane["status"]].tone,
            f"Deliveries to {_name(lane['id'], names)}: {lane['status']}, {lane['waiting']:,} wait.",
            LANES[lane["status"]].advice,
            lane["failing_since"],
            subscriber=lane["id"] if lane["id"] in names else None,
        )
        for lane in lanes
        if lane["status"] in ("slow", "paused", "gone")
    ]


def _name(lane_id: str, names: Mapping[str, str]) -> str:
    return names.get(lane_id, lane_id)


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
