"""The audit trail: what is recorded, that nothing changes it, and that a change is seen."""

import io
import json
import logging
from collections import Counter
from datetime import timedelta

import pytest
from redis import Redis

from processor.access import audit as audit_module
from processor.access.audit import ActorKind, AuditedAction, AuditTrail, forget_targets
from processor.runtime import logs
from processor.store import keys
from tests.processor.web.ops.operating import SEAL, Operator
from tests.processor.web.ops.test_people import OPERATORS, SECRET, sign_in, signed_in
from tests.processor.web.v1.filling import Filling

MINE = AuditedAction(ActorKind.OPERATOR, "anna", "ops handle", "event-1", "done", "192.0.2.1")


@pytest.fixture
def trail(filling: Filling) -> AuditTrail:
    """An empty trail."""
    return filling.container.audit


def rows(trail: AuditTrail) -> list[tuple[str, str, str | None, str]]:
    """Who did what to what, and how it ended, oldest first."""
    items = trail.entries(limit=200).items
    return [(row["actor"], row["action"], row["target"], row["outcome"]) for row in reversed(items)]


def test_a_time_before_1970_is_a_time(operator: Operator) -> None:
    """Redis refused the id that was made of it, and the answer was 503."""
    for words in ({"until": "1969-12-31T23:59:59Z"}, {"since": "0001-01-01T00:00:00Z"}):
        assert operator.open("/ops/audit", **words).status_code == 200


def test_what_operators_do_is_recorded_and_what_they_read_is_not(redis_url: str) -> None:
    filling = Filling(redis_url, OPERATORS=OPERATORS, ALLOW_PRIVATE_SUBSCRIBERS="true")
    filling.let_die()
    admin = signed_in(filling, "admins-name")
    admin.send("/ops/events/broken")
    admin.send("/ops/events/broken", action="discard; DROP")
    seal = SEAL.search(admin.open("/ops").text)[1]
    added = admin.send("/ops/subscribers", seal=seal, url="http://127.0.0.1:9/?token=hush-hush")
    assert added.status_code == 200
    signed_in(filling, "viewers-name").http.post("/ops/conditions", data={"action": "wake"})
    seen = rows(filling.container.audit)
    assert seen[:2] == [
        ("admins-name", "ops sign_in password", None, "done"),
        ("admins-name", "ops handle", "broken", "done"),
    ]
    assert seen[3:] == [
        ("admins-name", "ops add_subscriber", None, "done"),
        ("viewers-name", "ops sign_in password", None, "done"),
        ("viewers-name", "ops condition_action wake", None, "refused 403"),
    ]
    page = admin.read("/ops/audit", actor="admins-name")
    assert "ops add_subscriber" in page
    assert "viewers-name" not in page
    for secret in ("hush-hush", SECRET, seal, "DROP"):
        assert secret not in json.dumps(filling.container.audit.entries(limit=200).items)
    assert filling.container.audit.verify().faults == ()
    filling.close()


def test_who_may_only_read_cannot_fill_the_trail(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    filling = Filling(redis_url, OPERATORS=OPERATORS)
    viewer, admin = signed_in(filling, "viewers-name"), signed_in(filling, "admins-name")
    for _ in range(13):
        assert viewer.http.post("/ops/conditions", data={"action": "wake"}).status_code == 403
    admin.send("/ops/conditions", action="wake")
    counted = Counter((name, outcome) for name, _, _, outcome in rows(filling.container.audit))
    assert counted["viewers-name", "refused 403"] == 10
    assert counted["admins-name", "done"] == 2
    assert [record.message for record in caplog.records].count(
        "refusals of one actor were not kept in the audit trail"
    ) == 1
    filling.close()


def test_an_id_that_names_nothing_or_an_erased_company_is_not_recorded(redis_url: str, store: Redis) -> None:
    filling = Filling(redis_url, OPERATORS=OPERATORS)
    filling.make_ready()
    admin = signed_in(filling, "admins-name")
    seal = SEAL.search(admin.open("/ops").text)[1]
    admin.send("/ops/events/a-stranger", seal=seal)
    admin.send("/ops/companies/c1/links", seal=seal)
    store.set(keys.erased("c1"), "2026-01-01T00:00:00Z")
    admin.send("/ops/companies/c1/links", seal=seal)
    seen = [(action, target) for _, action, target, _ in rows(filling.container.audit)][1:]
    assert [target for _, target in seen] == [None, "c1", None], seen
    filling.close()


def test_an_entry_is_a_line_of_the_log_whatever_its_level(redis_url: str) -> None:
    filling, stream = Filling(redis_url, OPERATORS=OPERATORS), io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure("ERROR", filling.container.settings.secrets(), stream)
        sign_in(filling.app.test_client())
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logs.configure("INFO")
        root.handlers[:] = handlers
        root.setLevel(level)
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    (entry,) = filling.container.audit.entries(limit=1).items
    assert line["message"] == "an action was recorded"
    assert (line["audit_actor"], line["audit_hash"]) == ("viewers-name", entry["hash"])
    filling.close()


def test_no_address_of_the_service_changes_the_trail(filling: Filling) -> None:
    methods = {
        rule.rule: (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
        for rule in filling.app.url_map.iter_rules()
        if "audit" in rule.rule
    }
    assert methods
    assert not any(methods.values())


CHAIN = {
    "changed": lambda store, ids: _rewrite(store, ids[1], lambda entry: entry | {"actor": "ben"}),
    "changed with its hash": lambda store, ids: _rewrite(
        store, ids[1], lambda entry: _hashed(entry | {"actor": "ben"})
    ),
    "removed": lambda store, ids: store.xdel(keys.audit(), ids[1]),
    "newest removed": lambda store, ids: store.xdel(keys.audit(), ids[-1]),
    "oldest removed": lambda store, ids: store.xdel(keys.audit(), ids[0]),
    "all removed": lambda store, _: store.delete(keys.audit()),
    "target changed": lambda store, _: store.hset(
        keys.audit_targets(), "2", json.dumps(["x" * 32, "event-9"])
    ),
}


def _hashed(entry):
    return entry | {"hash": audit_module._hash_of(entry)}


def _rewrite(store, id_, change):
    """Put another entry in the place of one, and all later ones after it as they were."""
    kept = store.xrange(keys.audit())
    store.delete(keys.audit())
    for row, fields in kept:
        entry = json.loads(fields[b"entry"])
        store.xadd(keys.audit(), {"entry": json.dumps(change(entry) if row == id_ else entry)}, id=row)


@pytest.mark.parametrize("how", CHAIN)
def test_a_change_in_the_store_is_seen(trail: AuditTrail, store: Redis, how: str) -> None:
    for _ in range(4):
        trail.append(MINE)
    assert trail.verify().faults == ()
    ids = [id_ for id_, _ in store.xrange(keys.audit())]
    CHAIN[how](store, ids)
    assert trail.verify().faults != ()


def test_old_entries_go_and_the_chain_stays_whole(
    filling: Filling, trail: AuditTrail, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "MAX_ENTRIES", 5)
    for _ in range(8):
        trail.append(MINE)
    assert [row["number"] for row in trail.entries(limit=9).items] == [8, 7, 6, 5, 4]
    assert sorted(map(int, store.hkeys(keys.audit_targets()))) == [4, 5, 6, 7, 8]
    assert trail.verify().faults == ()
    server_ms = int(store.time()[0]) * 1000
    filling.now += timedelta(milliseconds=server_ms) - timedelta(seconds=filling.now.timestamp())
    filling.now += timedelta(days=filling.container.settings.audit_days + 1)
    trail.append(MINE)
    result = trail.verify()
    assert (result.entries, result.faults) == (1, ())


def test_an_entry_costs_the_same_however_long_the_trail_is(
    trail: AuditTrail, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each entry drops one, the numbers of all were read."""
    monkeypatch.setattr(audit_module, "MAX_ENTRIES", 40)
    for _ in range(45):
        trail.append(MINE)
    store.config_resetstat()
    read = store.info("stats")["total_net_output_bytes"]
    trail.append(MINE)
    assert store.info("stats")["total_net_output_bytes"] - read < 12_000
    assert "cmdstat_hkeys" not in store.info("commandstats")
    assert sorted(map(int, store.hkeys(keys.audit_targets()))) == list(range(7, 47))


def test_an_erased_company_leaves_the_chain_whole_and_no_id(trail: AuditTrail, store: Redis) -> None:
    trail.append(MINE)
    trail.append(AuditedAction(ActorKind.API_KEY, "billing", "v1 unlink_connection", "c-77 conn-9", "done"))
    assert forget_targets(store, ["c-77", "conn-9"]) == 1
    for name in (keys.audit(), keys.audit_targets()):
        assert b"c-77" not in (store.dump(name) or b"")
    result = trail.verify()
    assert (result.entries, result.faults, result.forgotten) == (2, (), 1)


def test_the_list_is_paged_and_filtered(trail: AuditTrail) -> None:
    for number in range(5):
        trail.append(AuditedAction(ActorKind.COMMAND, f"user-{number % 2}", "wake", f"t{number}", "done"))
    first = trail.entries(limit=3)
    second = trail.entries(limit=3, cursor=first.next_cursor)
    assert [row["number"] for row in [*first.items, *second.items]] == [5, 4, 3, 2, 1]
    assert second.next_cursor is None
    assert [row["number"] for row in trail.entries(limit=9, actor="user-1").items] == [4, 2]
    assert [row["number"] for row in trail.entries(limit=9, target="t0").items] == [1]


def test_a_cursor_of_another_list_is_refused(operator: Operator) -> None:
    for cursor in ("é", "99999999999999999999999-0", f"1-{2**64}", "1", "-1-0"):
        assert operator.open("/ops/audit", cursor=cursor).status_code == 422
