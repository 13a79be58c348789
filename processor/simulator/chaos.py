"""How the way from Codat to the product is disturbed on demand."""

import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from processor.simulator.entities import SimulatorRefusal
from processor.simulator.platforms import JsonObject

SHUFFLE_WINDOW_S = 0.5
_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class DeliveryMode(StrEnum):
    """How the messages of one single change are to go, whatever the chaos says."""

    NORMAL = "normal"
    HOLD = "hold"
    DROP = "drop"


class Chaos(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares are 0 to 1; ``delay_s`` is the least and the greatest delay of a message in seconds.

    ``drop``: never sent at all. ``duplicate``: sent twice, as the same message. ``hold``: kept back until
    released. ``shuffle``: released in another order; without ``hold``, delayed by up to half a second more.
    ``seed`` repeats the random decisions; ``None``: they are others each time.
    """

    drop: _Share = 0.0
    duplicate: _Share = 0.0
    delay_s: tuple[_Seconds, _Seconds] = (0.0, 0.0)
    shuffle: bool = False
    hold: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.delay_s[0] > self.delay_s[1]:
            raise ValueError("the least delay is greater than the greatest")

    def changed(self, wanted: Mapping[str, object]) -> "Chaos":
        """A copy with the given fields of a JSON object; refused (400) where one cannot be."""
        try:
            return msgspec.convert({**self.as_json(), **wanted}, Chaos)
        except msgspec.ValidationError as error:
            sentence = f"Not a setting, or not a value that it can have: {error}"
            raise SimulatorRefusal(400, sentence) from None

    def as_json(self) -> JsonObject:
        """All fields, as the control API shows them."""
        return {**msgspec.structs.asdict(self), "delay_s": list(self.delay_s)}


class _SimulatorRandom(random.Random):
    """Chance for a game, which may repeat itself; nothing secret is made from it."""


class ChaosSampler:
    """The random decisions about messages under one ``Chaos``. Not safe for threads."""

    def __init__(self, chaos: Chaos) -> None:
        self._chaos = chaos
        self._random = _SimulatorRandom(chaos.seed)

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
        self._random.shuffle(parcels)
