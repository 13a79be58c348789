"""What a process knows of the places of lanes: where something is due, and how much is under way. No I/O."""

from collections import Counter
from collections.abc import Iterable

from processor.store import keys

Place = tuple[str, int]
"""A lane's part in a cell: the lane's id and the cell."""


def keys_of(place: Place) -> list[str]:
    """The keys of a place."""
    lane_id, cell = place
    return [keys.lane(cell, lane_id), keys.lane_flight(cell, lane_id)]


class LanePlaces:
    """The knowledge of one process, as of its newest look at each place.

    ``ready`` are the places at which the next look is.
    """

    def __init__(self) -> None:
        self.ready: set[Place] = set()
        self._due_ms: dict[Place, float] = {}
        self._under_way: Counter[Place] = Counter()

    @property
    def next_due_ms(self) -> float | None:
        """When something is due next, as far as is known."""
        return min(self._due_ms.values(), default=None)

    def reset(self, places: Iterable[Place]) -> None:
        """Be ready everywhere: there may be other lanes."""
        self.ready, self._due_ms = set(places), {}

    def note_time(self, now_ms: int) -> None:
        """Be ready where something is due now; without room, the end of an attempt leads to the next look."""
        for place in [place for place, due_ms in self._due_ms.items() if due_ms <= now_ms]:
            del self._due_ms[place]
            self.ready.add(place)

    def note_peek(self, place: Place, under_way: int, later_ms: float | None, *, more: bool) -> None:
        """Note the result of a look: ``more``: not all that is due was read."""
        self._under_way[place] = under_way
        self.ready.discard(place)
        self.forget_due(place)
        if later_ms is not None:
            self._due_ms[place] = later_ms
        if more:
            self.ready.add(place)

    def note_left(self, place: Place, again_ms: float | None) -> None:
        """Note that something due was left: for a time, or until there is room."""
        if again_ms is None:
            self.ready.add(place)
        else:
            self.ready.discard(place)
            self.note_due(place, again_ms)

    def note_due(self, place: Place, at_ms: float) -> None:
        """Note that something is due at this time, if not earlier."""
        self._due_ms[place] = min(at_ms, self._due_ms.get(place, at_ms))

    def forget_due(self, place: Place) -> None:
        """Note that nothing is due."""
        self._due_ms.pop(place, None)

    def note_claim(self, place: Place, until_ms: int) -> None:
        """Note that a delivery was leased until then."""
        self._under_way[place] += 1
        self.note_due(place, until_ms)

    def under_way(self, lane_id: str) -> int:
        """The number of attempts that are under way in a lane, in all cells and processes."""
        return sum(self._under_way[lane_id, cell] for cell in keys.cells())
