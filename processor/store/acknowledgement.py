"""Waiting until replicas have what a pipeline wrote, in the round trip of the pipeline itself."""

from dataclasses import dataclass
from typing import Any

from redis import RedisError, ResponseError
from redis.client import Pipeline

from processor.settings.definitions import Settings
from processor.store.cluster_pipelines import NodesPipeline


class NotReplicated(ResponseError):
    """Too few replicas had a write in time. It is stored, and may be lost with the primary."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """How many replicas must have a write, within which time (``ACK_REPLICAS``, ``ACK_TIMEOUT_MS``).

    WAIT covers what its connection wrote before. A script that finds a duplicate therefore writes as well.
    """

    replicas: int = 0
    timeout_ms: int = 500

    @classmethod
    def of(cls, settings: Settings) -> "Acknowledgement":
        """What the settings require."""
        return cls(settings.ack_replicas, settings.ack_timeout_ms)

    def execute(self, pipe: "Pipeline[Any]") -> list[Any]:
        """Execute ``pipe``; the replies, errors among them: ``NotReplicated`` for what is not confirmed.

        Of a cluster, also the error of each node that cannot be reached.
        """
        wait = ("WAIT", self.replicas, self.timeout_ms) if self.replicas else ()
        if isinstance(pipe, NodesPipeline):
            return pipe.execute_each(wait, self.checked) if wait else pipe.execute_each()
        if not wait:
            return list(pipe.execute(raise_on_error=False))
        pipe.execute_command(*wait)  # type: ignore[no-untyped-call]
        *replies, confirmed = pipe.execute(raise_on_error=False)
        return [self.checked(reply, confirmed) for reply in replies]

    def checked(self, reply: Any, confirmed: Any) -> Any:
        """``reply`` if so many replicas ``confirmed`` it, else the error."""
        if isinstance(reply, RedisError):
            return reply
        if isinstance(confirmed, RedisError):
            return confirmed
        if confirmed >= self.replicas:
            return reply
        return NotReplicated(
            f"NOREPLICAS {confirmed} of {self.replicas} replicas had the write within {self.timeout_ms} ms"
        )


NONE = Acknowledgement()
"""The primary alone is enough."""
