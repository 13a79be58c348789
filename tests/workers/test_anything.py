"""Whatever was understood ends as processed, on the timeline of each connection that it names."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from handlers.events import UnhandledEvent
from handlers.registry import Policy
from processor.alerts.dialects import Unrecognised
from processor.store import serialization
from tests.support import messages
from tests.support.anything import BODIES
from tests.support.effort import examples
from tests.support.workbench import Workbench

POLICIES = st.sampled_from([Policy(), Policy(can_ask=True), Policy(can_ask=True, patience_s=0)])


@settings(max_examples=examples(100))
@given(bodies=st.lists(BODIES, min_size=1, max_size=8), policy=POLICIES)
def test_whatever_is_understood_is_processed(engine_url, bodies, policy):
    with Redis.from_url(engine_url) as client:
        client.flushall()
        _process(Workbench(client, policy=policy), bodies)


def _process(bench, bodies):
    events = []
    for body in bodies:
        try:
            event = messages.understood(body, received_at=bench.clock())
        except Unrecognised:
            continue
        bench.inbox.accept(event, body)
        events.append(event)

    bench.drain_all()

    for event in events:
        row = bench.event(event.event_id)
        assert row["status"] == "processed", row.get("error")
        for connection_id in event.connection_ids:
            stored = bench.reader.connection(connection_id)
            if stored is None:
                assert isinstance(event, UnhandledEvent)
                continue
            assert serialization.load(serialization.dump(stored.connection)) == stored.connection
            lines = [line["event_id"] for line in bench.timeline(connection_id)]
            assert lines.count(event.event_id) == 1 or isinstance(event, UnhandledEvent)
    for told in bench.told():
        assert json.loads(json.dumps(told)) == told
