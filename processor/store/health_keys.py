"""The keys of what is known of the service's health: one function each, as in ``keys``."""

from processor.store.keys import PREFIX


def conditions() -> str:
    """Hash: a condition's code and subject to JSON of since when it holds and who was told. Until it ends."""
    return f"{PREFIX}conditions"


def codat_calls() -> str:
    """Hash: calls to Codat by status, time taken, and since when they fail. For ever."""
    return f"{PREFIX}codat-calls"


def clocks() -> str:
    """Hash: ``reference host`` to how far the clock of a machine is off (s). Expires within minutes."""
    return f"{PREFIX}clocks"


def receipts() -> str:
    """Hash: messages that were refused, by reason, and when one was authentic. For ever."""
    return f"{PREFIX}receipts"


def failures() -> str:
    """Hash: reference to a failure that somebody was shown, as JSON. The newest 1,000, for two weeks."""
    return f"{PREFIX}failures"


def failure_times() -> str:
    """Sorted set: references of ``failures`` by when they were shown (ms)."""
    return f"{PREFIX}failure-times"
