"""How the service stands."""

from handlers.state import State
from processor.clock import to_iso, to_ms, utc_now
from processor.store import keys
from tests.processor.web.v1.conftest import Get
from tests.processor.web.v1.filling import Filling

EMPTY = {"depth": 0, "age_s": 0.0}


def test_an_empty_store_counts_nothing(get: Get) -> None:
    stats = get("/v1/stats")
    assert [condition["code"] for condition in stats.pop("conditions")] == ["no_worker", "no_clock"]
    assert stats == {
        "connections": {state.value: 0 for state in State},
        "events": dict.fromkeys(("pending", "processed", "failed", "dead", "quarantined", "discarded"), 0),
        "inbox": {**EMPTY, "lanes": {"new": EMPTY, "replays": EMPTY}},
        "lanes": [],
        "dead_letters": 0,
        "dead_deliveries": 0,
        "uncertain_deliveries": 0,
        "questions": 0,
        "companies": 0,
        "notifications": 0,
        "codat": {
            "missed_messages": 0,
            "missing_now": 0,
            "last_message_at": None,
            "last_walk_at": None,
            "warnings": [],
            "watched": 0,
            "calls": {
                "by_status": {},
                "seconds_by_status": {},
                "last_answer_at": None,
                "failing_since": None,
                "key_refused_since": None,
            },
            "refused": {"by_reason": {}, "last_at": None, "last_authentic_at": None},
            "quota": None,
            "told_to_wait_until": None,
            "polling_paused_until": None,
        },
        "counters": {},
        "last_commit_at": None,
    }


def test_what_happened_is_counted(filling: Filling, get: Get) -> None:
    filling.make_ready()
    filling.let_die()
    filling.accept(b"not understood")
    filling.tell("connection.created", "stripe")
    stats = get("/v1/stats")
    assert stats["connections"]["ready"] == sum(stats["connections"].values()) == 1
    assert stats["events"] == {
        "pending": 1,
        "processed": 3,
        "failed": 0,
        "dead": 1,
        "quarantined": 1,
        "discarded": 0,
    }
    assert stats["inbox"]["depth"] == 1
    assert stats["inbox"]["age_s"] >= 0
    assert stats["dead_letters"] == 1
    assert (stats["companies"], stats["notifications"]) == (1, 2)
    assert stats["counters"]["told:initial_sync.completed"] == 1
    assert "last_commit_ms" not in stats["counters"]
    assert stats["last_commit_at"] <= to_iso(filling.now)


def test_a_quota_without_a_limit_is_as_the_document_describes_it(filling: Filling, get: Get) -> None:
    """It promised a number, and `null` came where Codat had not said how many requests there are."""
    resets_ms = to_ms(max(filling.now, utc_now())) + 3_600_000
    filling.container.redis.hset(keys.quota(), mapping={"remaining": 7, "resets_ms": resets_ms})
    quota = get("/v1/stats")["codat"]["quota"]
    assert (quota["limit"], quota["remaining"]) == (None, 7)
    limit = get("/openapi.json")["components"]["schemas"]["Quota"]["properties"]["limit"]
    assert limit["type"] == ["integer", "null"]
