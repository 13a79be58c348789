"""The webhook consumers that a client registered through the API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from processor.simulator.config import Generation
from processor.simulator.entities import SimulatorRefusal, new_id
from processor.simulator.messages import Message
from processor.simulator.platforms import JsonObject

MAX_CONSUMERS = 50


@dataclass(frozen=True, slots=True)
class Consumer:
    """A receiver of messages of the current service; empty ``event_types`` and ``company_tags`` mean all."""

    url: str
    event_types: tuple[str, ...] = ()
    company_tags: tuple[str, ...] = ()
    disabled: bool = False
    id: str = field(default_factory=new_id)

    def wants(self, message: Message) -> bool:
        """Whether the consumer gets a message. Tags are written ``key:value``; one match is enough."""
        if self.disabled or message.generation is not Generation.CURRENT:
            return False
        tags = {f"{key}:{value}" for key, value in message.tags}
        has_tag = not self.company_tags or bool(tags.intersection(self.company_tags))
        return has_tag and (not self.event_types or message.event_type in self.event_types)

    def as_json(self) -> JsonObject:
        """The consumer as the API shows it."""
        return {
            "id": self.id,
            "url": self.url,
            "disabled": self.disabled,
            "eventTypes": list(self.event_types),
            "companyTags": list(self.company_tags),
        }


class Consumers:
    """All consumers; the caller holds the lock of the world.

    ``configured`` is the URL of a consumer that was created in the portal; ``None`` without one.
    """

    def __init__(self, configured: str | None = None) -> None:
        self._consumers: dict[str, Consumer] = {}
        self._configured = configured
        self._portal = None if configured is None else Consumer(configured)

    def switch_configured(self, *, on: bool) -> None:
        """Codat switches the configured consumer off, or on again; refused (404) where there is none."""
        if self._portal is None:
            raise SimulatorRefusal(404, "There is no configured webhook consumer", "WebhooksApi")
        self._portal = replace(self._portal, disabled=not on)

    def add(self, fields: Mapping[str, object]) -> Consumer:
        """Register one from the body of ``POST /webhooks``; refused (400) where it makes no sense."""
        url = fields.get("url")
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            raise SimulatorRefusal(
                400, "The URL of the webhook consumer is missing or is none", "WebhooksApi"
            )
        if len(self._consumers) >= MAX_CONSUMERS:
            raise SimulatorRefusal(400, f"There are at most {MAX_CONSUMERS} webhook consumers", "WebhooksApi")
        types, tags = _texts(fields, "eventTypes"), _texts(fields, "companyTags")
        consumer = Consumer(url, types, tags, fields.get("disabled") is True)
        self._consumers[consumer.id] = consumer
        return consumer

    def remove(self, consumer_id: str) -> None:
        """Forget one; refused (404) where there is none."""
        if self._portal is not None and self._portal.id == consumer_id:
            self._portal = None
        elif self._consumers.pop(consumer_id, None) is None:
            raise SimulatorRefusal(404, f"There is no webhook consumer {consumer_id}", "WebhooksApi")

    def all(self) -> list[Consumer]:
        """The consumers in the order in which they came."""
        built_in = [] if self._portal is None else [self._portal]
        return [*built_in, *self._consumers.values()]

    def urls_for(self, message: Message) -> Sequence[str]:
        """The addresses that get a message; legacy alerts go to the configured one by rules of their own."""
        is_configured = message.generation is Generation.LEGACY or (
            self._portal and not self._portal.disabled
        )
        configured = [self._configured] if self._configured and is_configured else []
        return configured + [consumer.url for consumer in self._consumers.values() if consumer.wants(message)]


def _texts(fields: Mapping[str, object], name: str) -> tuple[str, ...]:
    texts = fields.get(name)
    if texts is None:
        return ()
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise SimulatorRefusal(400, f"{name} is not a list of texts", "WebhooksApi")
    return tuple(texts)
