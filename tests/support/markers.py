"""Which markers a test has, by the path of its file below ``tests/``."""

from collections.abc import Iterator

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
        "docs/test_operations.py",
        "faults/",
        "processor/cli/test_demo.py",
        "processor/cli/test_processes.py",
        "processor/runtime/test_supervisor.py",
        "processor/runtime/test_web_server.py",
        "processor/simulator/test_process.py",
        "stories/",
        "workers/delivery/test_processes.py",
        "workers/test_process.py",
    ),
    "browser": ("browser/",),
    "durability": ("faults/test_kill.py", "processor/runtime/test_embedded_engine.py"),
}
"""Marker to files and folders. A folder ends with a slash."""


def markers_of(path: str) -> Iterator[str]:
    """Names of the markers of the test file ``path``."""
    for marker, places in MARKERS.items():
        if any(path.startswith(place) if place.endswith("/") else path == place for place in places):
            yield marker
