"""Which markers a test has, by the path of its file below ``tests/``."""

import functools

MARKERS = {
    "fast": (
        "handlers/",
        "processor/store/",
        "processor/web/",
        "processor/alerts/",
        "processor/resources/",
        "test_house.py",
    ),
    "processes": (
        "attack/test_strangers.py",
        "docs/test_operations.py",
        "faults/",
        "processor/cli/test_demo.py",
        "processor/cli/test_processes.py",
        "processor/journey/test_document.py",
        "processor/runtime/test_supervisor.py",
        "processor/runtime/test_web_server.py",
        "processor/simulator/test_process.py",
        "processor/web/ops/test_runbook.py",
        "stories/",
        "workers/delivery/test_processes.py",
        "workers/test_process.py",
    ),
    "sampled": (
        "handlers/test_every_history.py",
        "handlers/test_every_lag.py",
        "handlers/test_long_histories.py",
        "processor/alerts/test_truth_table.py",
        "processor/store/test_growth.py",
        "processor/web/merchant/test_languages.py",
        "processor/web/ops/test_hostile_input.py",
        "processor/web/v1/test_openapi.py",
    ),
    "browser": ("browser/",),
    "durability": (
        "faults/test_kill.py",
        "processor/cli/test_engines.py",
        "processor/runtime/test_embedded_engine.py",
        "processor/store/test_cluster.py",
        "processor/store/test_sentinel.py",
    ),
}
"""Marker to files and folders. A folder ends with a slash; a test that has another marker is not fast.

A fast test that starts a process of ours fails: ``tests/conftest.py`` listens for it.
"""


@functools.cache
def markers_of(path: str) -> list[str]:
    """Names of the markers of the test file ``path``."""
    markers = [marker for marker, places in MARKERS.items() if any(_is_in(path, place) for place in places)]
    return markers if len(markers) < 2 else [marker for marker in markers if marker != "fast"]


def _is_in(path: str, place: str) -> bool:
    return path.startswith(place) if place.endswith("/") else path == place
