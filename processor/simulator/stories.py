"""The named stories: what happens at Codat, and which notifications the product has to send.

They are data; ``player.play`` drives a simulator through them and watches the product.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from processor.simulator.config import Generation
from processor.simulator.platforms import JsonObject, platform_of

AUTHORIZED = "connection.authorized"
AUTHORIZATION_FAILED = "connection.authorization_failed"
DEAUTHORIZED = "connection.deauthorized"
REAUTHORIZED = "connection.reauthorized"
SYNC_COMPLETED = "initial_sync.completed"
SYNC_FAILED = "initial_sync.failed"

PLATFORM_KEY = "gbol"


@dataclass(frozen=True, slots=True)
class Change:
    """Something happens at Codat: a change of the control API, with its options, and how it is announced."""

    name: str
    description: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expect:
    """The story goes on when the product has told this, once for each time the story expected it so far."""

    type: str


@dataclass(frozen=True, slots=True)
class Release:
    """What the simulator held back is sent."""


Step = Change | Expect | Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happens to one new connection, and how it has to end.

    ``expected`` are the types of all notifications, in any order, each as often as it is due. ``failed`` are
    the data types that the last ``initial_sync.completed`` lists as failed. ``authorization`` is the number
    of the last one; ``None``: there was none, and what is shown does not matter.
    """

    name: str
    summary: str
    steps: tuple[Step, ...]
    expected: tuple[str, ...]
    state: str
    authorization: int | None = 1
    generations: frozenset[Generation] = frozenset({Generation.CURRENT})
    chaos: JsonObject = field(default_factory=dict)
    failed: frozenset[str] = frozenset()


def _authorize(name: str = "authorize", **options: object) -> Change:
    description = "the user gives access" if name == "authorize" else "the user gives access again"
    if options.get("deliver") == "drop":
        description += ", and nobody hears of it"
    return Change(name, description, {"auto_sync": False, **options})


_PLATFORM = platform_of(PLATFORM_KEY)
_DATA_TYPES = _PLATFORM.data_types if _PLATFORM else ()
_START = Change("start-sync", "Codat begins to read")
_COMPLETE = Change("complete-sync", "Codat has read every data type")
_PARTLY_FAILED = frozenset({"bills", "payments"})
_COMPLETE_PARTLY = Change(
    "complete-sync",
    "Codat has read most data types, but not bills and payments",
    {"outcomes": {name: "FetchError" if name in _PARTLY_FAILED else "Complete" for name in _DATA_TYPES}},
)
_FAIL_SYNC = Change(
    "complete-sync",
    "Codat could not read any data type",
    {"outcomes": dict.fromkeys(_DATA_TYPES, "FetchError")},
)
_REVOKE = Change("deauthorize", "the user revokes access at the platform")
_HAPPY_STEPS: tuple[Step, ...] = (_authorize(), Expect(AUTHORIZED), _START, _COMPLETE, Expect(SYNC_COMPLETED))
_HAPPY_END = (AUTHORIZED, SYNC_COMPLETED)
_TWICE = (AUTHORIZED, SYNC_COMPLETED, REAUTHORIZED, SYNC_COMPLETED)

STORIES: tuple[Story, ...] = (
    Story(
        name="happy",
        summary="A user gives access and the first sync completes.",
        steps=_HAPPY_STEPS,
        expected=_HAPPY_END,
        state="ready",
    ),
    Story(
        name="cancelled",
        summary="A user cancels on the Link page.",
        steps=(Change("fail", "the user cancels", {"status_code": 403}), Expect(AUTHORIZATION_FAILED)),
        expected=(AUTHORIZATION_FAILED,),
        state="authorization_failed",
        authorization=None,
    ),
    Story(
        name="partial-sync",
        summary="Some data types cannot be read; the others are there.",
        steps=(_authorize(), Expect(AUTHORIZED), _START, _COMPLETE_PARTLY, Expect(SYNC_COMPLETED)),
        expected=_HAPPY_END,
        state="ready",
        failed=_PARTLY_FAILED,
    ),
    Story(
        name="failed-sync",
        summary="No data type can be read.",
        steps=(_authorize(), Expect(AUTHORIZED), _START, _FAIL_SYNC, Expect(SYNC_FAILED)),
        expected=(AUTHORIZED, SYNC_FAILED),
        state="sync_failed",
    ),
    Story(
        name="revoked-and-back",
        summary="Access is revoked at the platform, and given again later.",
        steps=(
            *_HAPPY_STEPS,
            _REVOKE,
            Expect(DEAUTHORIZED),
            _authorize("reauthorize"),
            Expect(REAUTHORIZED),
            _START,
            _COMPLETE,
            Expect(SYNC_COMPLETED),
        ),
        expected=(*_TWICE, DEAUTHORIZED),
        state="ready",
        authorization=2,
    ),
    Story(
        name="shuffled",
        summary="Every message comes late, twice and in no order.",
        steps=(_authorize(), _START, _COMPLETE, Release(), Expect(AUTHORIZED), Expect(SYNC_COMPLETED)),
        expected=_HAPPY_END,
        state="ready",
        chaos={"hold": True, "shuffle": True, "duplicate": 1.0},
    ),
    Story(
        name="both-generations",
        summary="Every change is told by both generations, as during a migration.",
        steps=_HAPPY_STEPS,
        expected=_HAPPY_END,
        state="ready",
        generations=frozenset({Generation.CURRENT, Generation.LEGACY}),
    ),
    Story(
        name="legacy-only",
        summary="Legacy alerts alone, which carry no time: the product asks Codat.",
        steps=_HAPPY_STEPS,
        expected=_HAPPY_END,
        state="ready",
        generations=frozenset({Generation.LEGACY}),
    ),
    Story(
        name="lossy",
        summary="The messages of the first authorisation and of its end are lost for good.",
        steps=(
            _authorize(deliver="drop"),
            _COMPLETE,
            Expect(AUTHORIZED),
            Expect(SYNC_COMPLETED),
            Change(_REVOKE.name, f"{_REVOKE.description}, and nobody hears of it", {"deliver": "drop"}),
            _authorize("reauthorize"),
            Expect(REAUTHORIZED),
            _COMPLETE,
            Expect(SYNC_COMPLETED),
        ),
        expected=_TWICE,
        state="ready",
        authorization=2,
    ),
)


def story_named(name: str) -> Story:
    """The story with that name; ``KeyError`` without one."""
    return {story.name: story for story in STORIES}[name]
