"""In which order a run goes through the tests: what takes long begins first.

pytest-xdist gives each of its workers an equal part of the tests, in their order, and takes half of what is
left from the end of a long queue for a worker that has nothing to do. A long test that begins last is waited
for by all others, and a file of which a part is taken away starts its service twice.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

LONG: tuple[tuple[int, tuple[str, ...]], ...] = (
    (95, ("faults/test_reliability.py",)),
    (
        125,
        (
            "browser/test_choosing.py",
            "browser/test_everybody.py",
            "browser/test_following.py",
            "browser/test_journey.py",
            "browser/test_whole_life.py",
            "browser/test_embedded.py",
            "browser/test_languages.py",
        ),
    ),
    (120, ("browser/",)),
    (60, ("stories/",)),
    (55, ("browser/test_demo_by_clicking.py",)),
    (50, ("faults/test_hung.py",)),
    (45, ("faults/test_connections.py",)),
    (40, ("faults/test_kill.py",)),
    (40, ("attack/test_strangers.py",)),
    (40, ("processor/journey/test_document.py",)),
    (30, ("workers/delivery/test_processes.py",)),
    (25, ("processor/web/ops/test_runbook.py",)),
    (20, ("workers/test_process.py",)),
    (20, ("workers/reconciliation/test_poller.py",)),
    (20, ("processor/reconciliation/test_rebuild.py",)),
    (20, ("faults/test_http.py",)),
    (20, ("processor/cli/test_demo.py",)),
    (15, ("processor/cli/test_processes.py",)),
    (15, ("processor/cli/test_engines.py",)),
    (15, ("processor/store/test_cluster.py",)),
    (10, ("test_house.py",)),
    (10, ("workers/reconciliation/test_reminders.py",)),
    (10, ("workers/delivery/test_final_reply.py",)),
    (10, ("processor/runtime/test_web_server.py",)),
    (10, ("processor/alerts/test_webhook_secrets.py",)),
    (10, ("processor/web/merchant/test_watching.py",)),
    (10, ("processor/codat/test_rate_limit.py",)),
)
"""What one worker goes through, because it shares a service or a browser, or waits: seconds at a desk, files.

A folder means those of its files that stand nowhere else.
"""


def workers() -> int:
    """How many workers share this run."""
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def ordered(items: Sequence[T], path_of: Callable[[T], str], hands: int) -> list[T]:
    """All items in as many equal parts as there are hands; each begins with its share of the long ones.

    ``path_of`` gives the path of a test's file below ``tests/``.
    """
    group_of = {place: group for group, (_, places) in enumerate(LONG) for place in places}
    folders = tuple(place for place in group_of if place.endswith("/"))
    long: list[list[T]] = [[] for _ in LONG]
    quick: list[T] = []
    for item in items:
        path = path_of(item)
        place = (
            path if path in group_of else next((folder for folder in folders if path.startswith(folder)), "")
        )
        (long[group_of[place]] if place else quick).append(item)
    parts: list[list[T]] = [[] for _ in range(hands)]
    loads = [0] * hands
    for (seconds, _), share in sorted(zip(LONG, long, strict=True), key=lambda pair: -pair[0][0]):
        lightest = loads.index(min(loads))
        parts[lightest] += share
        loads[lightest] += seconds
    result: list[T] = []
    rest = iter(quick)
    for number, part in enumerate(parts):
        size = (len(items) - len(result)) // (hands - number)  # as pytest-xdist divides them
        result += [*part, *itertools.islice(rest, max(0, size - len(part)))]
    return [*result, *rest]
