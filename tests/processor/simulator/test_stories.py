"""The stories and their runner, against a stand-in for the product."""

from collections.abc import Callable, Iterator

import pytest

from processor.simulator import (
    STORIES,
    ProductClient,
    SimulatorClient,
    SimulatorServer,
    Story,
    play,
    story_named,
)
from processor.simulator.stories import Change, Expect, Release
from tests.processor.simulator.pretending import API_KEY, Mistake, PretendedProduct

MakeServer = Callable[..., SimulatorServer]
Perform = Callable[..., tuple[bool, str]]


@pytest.fixture
def perform(make_server: MakeServer) -> Iterator[Perform]:
    """Plays a story with a product that may make a mistake; the result, and what was said."""
    products: list[PretendedProduct] = []

    def run(
        story: Story,
        mistake: Mistake | None = None,
        *,
        timeout_s: float = 30.0,
        settle_s: float = 20.0,
        api_key: str = API_KEY,
    ) -> tuple[bool, str]:
        product = PretendedProduct(mistake)
        products.append(product)
        server = make_server(webhook_url=f"{product.url}/webhooks/codat", auto_sync=True)
        product.simulation = server.simulation
        lines: list[str] = []
        with SimulatorClient(server.url) as simulator, ProductClient(product.url, api_key) as client:
            before = simulator.settings(), simulator.chaos()
            result = play(story, simulator, client, lines.append, timeout_s, quiet_s=0.15, settle_s=settle_s)
            assert (simulator.settings(), simulator.chaos()) == before
        return result, "\n".join(lines)

    yield run
    for product in products:
        product.stop()


def test_the_named_stories_are_there() -> None:
    assert [story.name for story in STORIES] == [
        "happy",
        "cancelled",
        "partial-sync",
        "failed-sync",
        "revoked-and-back",
        "shuffled",
        "both-generations",
        "legacy-only",
        "lossy",
    ]
    with pytest.raises(KeyError):
        story_named("unknown")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_waits_for_nothing_that_it_does_not_expect_in_the_end(story: Story) -> None:
    awaited = [step.type for step in story.steps if isinstance(step, Expect)]
    assert sorted(awaited) == sorted(story.expected)
    assert story.summary
    assert any(isinstance(step, Change) for step in story.steps)
    assert any(isinstance(step, Release) for step in story.steps) == bool(story.chaos.get("hold"))


def test_access_is_given_again_only_after_its_end_was_told() -> None:
    steps = list(story_named("revoked-and-back").steps)
    names = [step.name if isinstance(step, Change) else getattr(step, "type", "") for step in steps]
    assert names.index("deauthorize") < names.index("connection.deauthorized") < names.index("reauthorize")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_product_without_mistakes_passes_every_story(perform: Perform, story: Story) -> None:
    result, text = perform(story)
    assert result, text
    assert story.summary in text
    for type_ in story.expected:
        assert f"told:  {type_}" in text
    assert text.endswith(f"{story.name}: as expected")


@pytest.mark.parametrize(
    ("mistake", "name", "complaint"),
    [
        (Mistake.TELLS_NOTHING, "happy", "not told: connection.authorized"),
        (Mistake.TELLS_TWICE, "happy", "told too much: connection.authorized"),
        (Mistake.TELLS_TWICE, "revoked-and-back", "told twice: "),
        (Mistake.TELLS_TOO_MUCH, "cancelled", "told too much: connection.unlinked"),
        (Mistake.FORGETS_FAILED, "partial-sync", "failed data types are [], not ['bills', 'payments']"),
        (Mistake.SHOWS_WRONG_STATE, "happy", "state is pending, not ready"),
        (Mistake.NEVER_FINISHES, "happy", "waited in vain until it has dealt with every message"),
        (Mistake.LISTS_TWICE, "happy", "listed twice"),
    ],
)
def test_a_product_with_a_mistake_fails_and_hears_why(
    perform: Perform, mistake: Mistake, name: str, complaint: str
) -> None:
    timeout_s = 0.3 if mistake is Mistake.TELLS_NOTHING else 30.0
    result, text = perform(story_named(name), mistake, timeout_s=timeout_s, settle_s=0.2)
    assert result is False
    assert complaint in text
    assert "not as expected" in text


def test_a_product_that_does_not_let_us_in_fails(perform: Perform) -> None:
    result, text = perform(story_named("happy"), api_key="wrong", timeout_s=0.5)
    assert result is False
    assert "401" in text


def test_a_simulator_that_is_away_fails(make_server: MakeServer) -> None:
    server = make_server()
    server.stop()
    lines: list[str] = []
    with SimulatorClient(server.url) as simulator, ProductClient(server.url, API_KEY) as product:
        assert play(story_named("happy"), simulator, product, lines.append, 1.0) is False
    assert "the simulator does not answer" in lines[-1]
