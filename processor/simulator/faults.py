"""Faults of the API on request: errors, delays, broken JSON, a wrong clock."""

import threading
from collections.abc import Mapping

import msgspec

from processor.simulator.entities import SimulatorRefusal
from processor.simulator.platforms import JsonObject

SENTENCES: Mapping[int, str] = {
    401: "Unauthorized",
    402: "The limit of connections of this account has been reached",
    403: "This account may not do that",
    404: "Not found",
    409: "The data is not ready yet",
    429: "Too many requests were made; try again later",
    500: "Something went wrong on our side",
    503: "The service is being maintained; try again later",
}


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to the next ``count`` calls (``method`` and ``path``, a part of it: only to such calls).

    ``status``: that error instead of an answer. ``hang_s``: so many seconds pass first. ``broken_json``: the
    body ends in the middle. They may be combined; with none of them the call goes through.
    """

    count: int = 1
    status: int | None = None
    retry_after_s: int | None = None
    hang_s: float = 0.0
    broken_json: bool = False
    method: str | None = None
    path: str | None = None

    def concerns(self, method: str, path: str) -> bool:
        """Whether it is meant for such a call and not used up."""
        is_method = self.method is None or self.method.upper() == method
        return self.count > 0 and is_method and (self.path is None or self.path in path)


class Faults:
    """The faults that are still to happen, in their order; ``stopping`` ends every hanging call."""

    def __init__(self) -> None:
        self.date_offset_s = 0.0
        self.lag_s = 0.0
        self.stopping = threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def plan(self, wanted: object) -> None:
        """Add a fault, or set ``date_offset_s`` or ``lag_s``, from a JSON object.

        ``lag_s`` is how old the statuses are that the API shows. Refused (400) if it cannot be read.
        """
        try:
            fields = msgspec.convert(wanted, dict[str, object])
            numbers = {name: fields.pop(name) for name in ("date_offset_s", "lag_s") if name in fields}
            fault = msgspec.convert(fields, Fault)
            for name, value in msgspec.convert(numbers, dict[str, float]).items():
                setattr(self, name, value)
        except msgspec.ValidationError as error:
            sentence = f"Not a part of a fault, or not a value that it can have: {error}"
            raise SimulatorRefusal(400, sentence) from None
        if fields:
            with self._lock:
                self._faults.append(fault)

    def clear(self) -> None:
        """Forget every fault, the wrong clock too."""
        with self._lock:
            self._faults.clear()
        self.date_offset_s = self.lag_s = 0.0

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this call meets, counted; ``None``: it goes through."""
        with self._lock:
            for fault in self._faults:
                if fault.concerns(method, path):
                    fault.count -= 1
                    self._faults = [fault for fault in self._faults if fault.count > 0]
                    return fault
        return None

    def as_json(self) -> JsonObject:
        """What is still to happen, as the control API shows it."""
        with self._lock:
            faults = [msgspec.structs.asdict(fault) for fault in self._faults]
        return {"faults": faults, "date_offset_s": self.date_offset_s, "lag_s": self.lag_s}
