"""How the way from Codat to the product is disturbed on demand."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from processor.simulator.entities import SimulatorRefusal
from processor.simulator.platforms import JsonObject

SHUFFLE_WINDOW_S = 0.5


class Deliver(StrEnum):
    """How the messages of one single change are to go, whatever the chaos says."""

    NORMAL = "normal"
    HOLD = "hold"
    DROP = "drop"


@dataclass(frozen=True, kw_only=True)
class Chaos:
    """Shares are 0 to 1; ``delay_s`` is the least and the greatest delay of a message in seconds.

    ``drop``: never sent at all. ``duplicate``: sent twice, as the same message. ``hold``: kept back until
    released. ``shuffle``: released in another order; without ``hold``, delayed by up to half a second more.
    ``seed`` makes the dice fall alike every time; ``None``: as they like.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    delay_s: tuple[float, float] = (0.0, 0.0)
    shuffle: bool = False
    hold: bool = False
    seed: int | None = None

    def changed(self, wanted: object) -> "Chaos":
        """A copy with the given fields of a JSON object; refused (400) where one cannot be."""
        if not isinstance(wanted, Mapping):
            raise SimulatorRefusal(400, "Not an object of settings")
        fields: dict[str, object] = {}
        for name, value in wanted.items():
            match name, value:
                case "drop" | "duplicate", float() | int() if 0 <= value <= 1:
                    fields[name] = float(value)
                case "delay_s", [float() | int() as least, float() | int() as most] if 0 <= least <= most:
                    fields[name] = (float(least), float(most))
                case "shuffle" | "hold", bool():
                    fields[name] = value
                case "seed", int() | None:
                    fields[name] = value
                case _:
                    raise SimulatorRefusal(400, f"Not a setting, or not a value that it can have: {name}")
        return replace(self, **fields)  # type: ignore[arg-type]

    def as_json(self) -> JsonObject:
        """All fields, as the control API shows them."""
        return {**asdict(self), "delay_s": list(self.delay_s)}


class _Chance(random.Random):
    """Chance for a game, which may repeat itself; nothing secret is made from it."""


class Dice:
    """The random decisions about messages under one ``Chaos``. Not safe for threads."""

    def __init__(self, chaos: Chaos) -> None:
        self._chaos = chaos
        self._random = _Chance(chaos.seed)

    def drops(self) -> bool:
        """Whether the next message is lost."""
        return self._random.random() < self._chaos.drop

    def copies(self) -> int:
        """How often the next message is sent."""
        return 2 if self._random.random() < self._chaos.duplicate else 1

    def delay_s(self) -> float:
        """How long the next message is under way before it is first tried."""
        least, most = self._chaos.delay_s
        extra = self._random.uniform(0, SHUFFLE_WINDOW_S) if self._chaos.shuffle else 0.0
        return self._random.uniform(least, most) + extra

    def shuffle(self, parcels: list[Any]) -> None:
        """Bring parcels into another order."""
        self._random.shuffle(parcels)
