"""Sends messages, signed or with a password, retries them, and disturbs them on request."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

import httpx
from standardwebhooks import Webhook

from processor.simulator.agenda import Agenda
from processor.simulator.chaos import Chaos, ChaosSampler, DeliveryMode
from processor.simulator.clients import http_client
from processor.simulator.config import Generation, SimulatorConfig
from processor.simulator.messages import Message
from processor.simulator.platforms import JsonObject
from processor.simulator.retries import ReceiverAnswer, next_delay_s, parse_retry_after
from processor.simulator.times import Clock, codat_time

_LOG_LENGTH = 1_000


class DeliveryOutcome(StrEnum):
    """The outcome of one attempt, or of a message without an attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given up"
    DROPPED = "dropped"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A line of the log.

    ``attempt`` 0 means that nothing was sent, ``next_in_s`` ``None`` that nothing will be sent.
    """

    number: int
    at: str
    event_type: str
    generation: str
    url: str
    company_id: str
    connection_id: str | None
    webhook_id: str | None
    attempt: int
    outcome: DeliveryOutcome
    status: int | None = None
    error: str | None = None
    next_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class _PendingDelivery:
    message: Message
    url: str


class Delivery:
    """Sends messages from an agenda of its own; everything else only touches memory under ``lock``.

    ``receivers`` gives, for a message, the addresses that get it.
    """

    def __init__(
        self,
        config: SimulatorConfig,
        clock: Clock,
        lock: threading.RLock,
        receivers: Callable[[Message], Sequence[str]],
    ) -> None:
        self._config = config
        self._clock = clock
        self._lock = lock
        self._receivers = receivers
        self._signer = Webhook(config.webhook_secret)
        self._agenda = Agenda("simulator-sender", config.senders)
        self._http = http_client(timeout_s=config.answer_timeout_s)
        self.chaos = Chaos()
        self._sampler = ChaosSampler(self.chaos)
        self._mode: DeliveryMode | None = None
        self._held: list[_PendingDelivery] = []
        self._records: deque[Record] = deque(maxlen=_LOG_LENGTH)
        self._numbers = itertools.count(1)

    def disturb(self, wanted: Mapping[str, object]) -> Chaos:
        """Change the disturbance by a JSON object of its fields; its random decisions begin anew."""
        with self._lock:
            self.chaos = self.chaos.changed(wanted)
            self._sampler = ChaosSampler(self.chaos)
            return self.chaos

    @contextmanager
    def with_mode(self, mode: DeliveryMode | None) -> Iterator[None]:
        """Have the messages of what changes inside go in this mode; ``None``: as the disturbance says."""
        with self._lock:
            before, self._mode = self._mode, mode
            try:
                yield
            finally:
                self._mode = before

    def submit(self, messages: Sequence[Message]) -> None:
        """Send messages now or later, hold them back, or lose them."""
        with self._lock:
            for message in messages:
                for url in dict.fromkeys(self._receivers(message)):
                    self._dispatch(_PendingDelivery(message, url))

    def release(self, *, shuffle: bool | None = None) -> int:
        """Send what was held back, in another order where wanted (``None``: as the disturbance says).

        Returns how many were sent.
        """
        with self._lock:
            parcels, self._held = self._held, []
            if self.chaos.shuffle if shuffle is None else shuffle:
                self._sampler.shuffle(parcels)
            for parcel in parcels:
                self._agenda.add(partial(self._attempt, parcel, 1))
            return len(parcels)

    def records(self) -> list[Record]:
        """The newest lines of the log, newest first."""
        with self._lock:
            return list(reversed(self._records))

    def as_json(self) -> JsonObject:
        """The log and how much is still to be sent, as the control API shows it."""
        with self._lock:
            records = [asdict(record) for record in self.records()]
            return {"deliveries": records, "pending": self._agenda.size(), "held": len(self._held)}

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is to be sent any more; ``False`` when the time is over before."""
        return self._agenda.wait_until_idle(timeout_s)

    def stop(self) -> None:
        self._agenda.stop(timeout_s=2.0)
        self._http.close()

    def _dispatch(self, parcel: _PendingDelivery) -> None:
        if self._mode is DeliveryMode.DROP or (self._mode is None and self._sampler.drops()):
            self._record(parcel, 0, DeliveryOutcome.DROPPED)
            return
        if self._mode is DeliveryMode.NORMAL:
            self._agenda.add(partial(self._attempt, parcel, 1))
            return
        held = self._mode is DeliveryMode.HOLD or self.chaos.hold
        for _ in range(self._sampler.copies()):
            if held:
                self._held.append(parcel)
                self._record(parcel, 0, DeliveryOutcome.HELD)
            else:
                self._agenda.add(partial(self._attempt, parcel, 1), in_s=self._sampler.delay_s())

    def _attempt(self, parcel: _PendingDelivery, attempt: int) -> None:
        answer = self._post(parcel)
        generation, scale = parcel.message.generation, self._config.retry_scale
        delay_s = next_delay_s(generation, attempt, answer, scale)
        if answer.is_success:
            outcome = DeliveryOutcome.DELIVERED
        else:
            outcome = DeliveryOutcome.GIVEN_UP if delay_s is None else DeliveryOutcome.FAILED
        self._record(parcel, attempt, outcome, answer, delay_s)
        if delay_s is not None:
            self._agenda.add(partial(self._attempt, parcel, attempt + 1), in_s=delay_s)

    def _post(self, parcel: _PendingDelivery) -> ReceiverAnswer:
        headers = self._headers(parcel.message)
        try:
            response = self._http.post(parcel.url, content=parcel.message.body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return ReceiverAnswer(None, type(error).__name__)
        now = datetime.fromtimestamp(self._clock(), tz=UTC)
        asked_s = parse_retry_after(response.headers.get("Retry-After"), now)
        return ReceiverAnswer(response.status_code, retry_after_s=asked_s)

    def _headers(self, message: Message) -> Mapping[str, str]:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Codat-Simulator"}
        if message.generation is not Generation.CURRENT:
            headers["Authorization"] = self._config.alert_authorization
            headers["X-Codat-ClientId"] = self._config.client_id
        if message.generation is not Generation.LEGACY:
            now = datetime.fromtimestamp(self._clock(), tz=UTC)
            headers["webhook-id"] = message.webhook_id
            headers["webhook-timestamp"] = str(int(now.timestamp()))
            headers["webhook-signature"] = self._signer.sign(message.webhook_id, now, message.body.decode())
        return headers

    def _record(
        self,
        parcel: _PendingDelivery,
        attempt: int,
        outcome: DeliveryOutcome,
        answer: ReceiverAnswer | None = None,
        next_in_s: float | None = None,
    ) -> None:
        message = parcel.message
        is_legacy = message.generation is Generation.LEGACY
        with self._lock:
            record = Record(
                number=next(self._numbers),
                at=codat_time(datetime.fromtimestamp(self._clock(), tz=UTC)),
                event_type=message.event_type,
                generation=message.generation.value,
                url=parcel.url,
                company_id=message.company_id,
                connection_id=message.connection_id,
                webhook_id=None if is_legacy else message.webhook_id,
                attempt=attempt,
                outcome=outcome,
                status=answer.status if answer else None,
                error=answer.error if answer else None,
                next_in_s=next_in_s,
            )
            self._records.append(record)
