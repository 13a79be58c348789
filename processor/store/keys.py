"""Every key in Redis: one function each, with its type and lifetime.

All keys begin with ``codat:``. Nothing else in the project spells a key.
"""

import hashlib
import zlib

from processor.store.namespace import Prefix

PREFIX = Prefix("codat:")


def shard_of(company_id: str | None, shards: int) -> int:
    """The shard of a company: a stable hash, so a company is always drained by one.

    News without a company goes to shard 0.
    """
    return zlib.crc32(company_id.encode("utf-8", "surrogatepass")) % shards if company_id else 0


def shards_in_use(ever: bytes | None, shards: int) -> int:
    """How many shards may hold messages: ``shards`` now, or as many as there ever were (as stored)."""
    return max(shards, int(ever or 0))


# Messages


def event(event_id: str) -> str:
    """Hash: one message, its body and what became of it. EVENT_RETENTION_DAYS."""
    return f"{PREFIX}event:{event_id}"


def seen(event_id: str) -> str:
    """String "1": this message was kept once. DEDUPE_DAYS."""
    return f"{PREFIX}seen:{event_id}"


def events() -> str:
    """Sorted set: event ids by time of arrival (ms). Trimmed with EVENT_RETENTION_DAYS."""
    return f"{PREFIX}events"


def events_of(status: str) -> str:
    """Sorted set: event ids with this status, by time of arrival (ms). Trimmed like ``events``."""
    return f"{PREFIX}events:{status}"


def inbox(shard: int) -> str:
    """Stream, field ``id``: event ids that wait to be handled. An entry is deleted when handled."""
    return f"{PREFIX}inbox:{shard}"


def wake(shard: int) -> str:
    """String: a drain of this shard runs or was asked for. Expires within seconds unless renewed."""
    return f"{PREFIX}wake:{shard}"


def cursor(shard: int) -> str:
    """Integer: how many batches of this shard were committed. Watched by commits. For ever."""
    return f"{PREFIX}cursor:{shard}"


def shards_ever() -> str:
    """Integer: the most INBOX_SHARDS that ever was, so that no shard is forgotten. For ever."""
    return f"{PREFIX}shards-ever"


def retries() -> str:
    """Sorted set: event ids whose handling raised, by the time of the next attempt (ms)."""
    return f"{PREFIX}retries"


# Connections and companies


def connection(connection_id: str) -> str:
    """String, JSON: one connection. Until its company is erased."""
    return f"{PREFIX}connection:{connection_id}"


def connections() -> str:
    """Sorted set: connection ids by the time we first heard of them (ms)."""
    return f"{PREFIX}connections"


def connections_in(state: str) -> str:
    """Sorted set: connection ids in this public state, by the time we first heard of them (ms)."""
    return f"{PREFIX}connections:{state}"


def timeline(connection_id: str) -> str:
    """Stream, field ``entry``: the timeline of a connection as JSON, newest last, about 1,000 entries."""
    return f"{PREFIX}timeline:{connection_id}"


def company(company_id: str) -> str:
    """Hash: what we know of a company, ``given_name`` and ``contact_email`` from us alone. Until erased."""
    return f"{PREFIX}company:{company_id}"


def companies() -> str:
    """Sorted set: company ids by the time we first heard of them (ms)."""
    return f"{PREFIX}companies"


def company_connections(company_id: str) -> str:
    """Sorted set: connection ids of the company, by the time we first heard of them (ms)."""
    return f"{PREFIX}company-connections:{company_id}"


def merchant_companies(merchant_id: str) -> str:
    """Sorted set: company ids with this id of our caller's, by the time we first heard of them (ms)."""
    return f"{PREFIX}merchant-companies:{merchant_id}"


def company_events(company_id: str) -> str:
    """Sorted set: ids of a company's messages, by time of arrival (ms). EVENT_RETENTION_DAYS."""
    return f"{PREFIX}company-events:{company_id}"


def erased(company_id: str) -> str:
    """String, ISO time: a company was erased then; its id is not in here, only a hash of it. For ever."""
    return f"{PREFIX}erased:{hashlib.sha256(company_id.encode('utf-8', 'surrogatepass')).hexdigest()}"


# Notifications


def stream() -> str:
    """Stream, field ``notification``: the public road out for consumers. About STREAM_LENGTH entries."""
    return f"{PREFIX}notifications"


def notification(notification_id: str) -> str:
    """Hash: one notification, its body and its connection. Until its company is erased; tests a week."""
    return f"{PREFIX}notification:{notification_id}"


def outbox() -> str:
    """Sorted set: notification ids by the time of the decision (microseconds)."""
    return f"{PREFIX}outbox"


def outbox_of(connection_id: str) -> str:
    """Sorted set: notification ids of a connection, by the time of the decision (microseconds)."""
    return f"{PREFIX}outbox-of:{connection_id}"


# Deliveries


def fan_out() -> str:
    """List: notification ids that were decided and not yet divided among the lanes, oldest first."""
    return f"{PREFIX}fan-out"


def subscribers() -> str:
    """Sorted set: subscriber ids by the time they were added (ms)."""
    return f"{PREFIX}subscribers"


def subscriber(subscriber_id: str) -> str:
    """Hash: a subscriber as it was set up, with its secrets. Until it is removed."""
    return f"{PREFIX}subscriber:{subscriber_id}"


def lane(lane_id: str) -> str:
    """Sorted set: notification ids that wait in this lane, by the time of the next attempt (ms)."""
    return f"{PREFIX}lane:{lane_id}"


def lane_flight(lane_id: str) -> str:
    """Sorted set: ``id token`` of the attempts under way in this lane, by the end of their lease (ms)."""
    return f"{PREFIX}lane-flight:{lane_id}"


def lane_state(lane_id: str) -> str:
    """Hash: how this lane stands: its mode, its failures in a row, its counts. Until it is removed."""
    return f"{PREFIX}lane-state:{lane_id}"


def deliveries(notification_id: str) -> str:
    """Hash: what became of a notification in each lane, with every attempt. As long as the notification."""
    return f"{PREFIX}deliveries:{notification_id}"


def outbox_with(status: str) -> str:
    """Sorted set: notification ids with this delivery status, by the time of the decision (microseconds)."""
    return f"{PREFIX}outbox:{status}"


def dead_deliveries() -> str:
    """Sorted set: ``notification id lane`` of dead letters, by the time of the decision (microseconds)."""
    return f"{PREFIX}dead-deliveries"


def delivering() -> str:
    """String: a look at the lanes was asked for. Expires within seconds."""
    return f"{PREFIX}delivering"


# Questions to Codat


def questions() -> str:
    """Sorted set: questions that wait to be asked, by the earliest time (ms)."""
    return f"{PREFIX}questions"


def question_details() -> str:
    """Hash: question to JSON with its deadline and reason; goes with the question."""
    return f"{PREFIX}question-details"


def questions_again() -> str:
    """Hash: question to JSON of when and until when it is wished for; newer than the one under way."""
    return f"{PREFIX}questions-again"


def asking() -> str:
    """String: a job that asks Codat runs or was asked for. Expires within seconds unless renewed."""
    return f"{PREFIX}asking"


def polling_paused() -> str:
    """String, ISO time: background questions wait until then. Expires then."""
    return f"{PREFIX}polling-paused"


# The journey


def told_to_read(company_id: str) -> str:
    """String "1": Codat was told to read this company's data a moment ago. Expires within a minute."""
    return f"{PREFIX}told-to-read:{company_id}"


def link_mailed(company_id: str) -> str:
    """String "1": a fresh link was mailed to the company's contact. Expires after an hour."""
    return f"{PREFIX}link-mailed:{company_id}"


def signing_up(merchant: str) -> str:
    """String: somebody signs this merchant (a hash of its id) up now. Expires within two minutes."""
    return f"{PREFIX}signing-up:{merchant}"


def connecting(company_id: str) -> str:
    """String: somebody chooses a platform for this company now. Expires within two minutes."""
    return f"{PREFIX}connecting:{company_id}"


def asked_again(company_id: str) -> str:
    """String "1": Codat was asked about this company a moment ago. Expires within seconds."""
    return f"{PREFIX}asked-again:{company_id}"


def platforms(account: str) -> str:
    """String, JSON: the platforms of a Codat account, with their pictures. Expires after 30 days."""
    return f"{PREFIX}platforms:{account}"


def reading_platforms(account: str) -> str:
    """String: somebody reads the platforms of the account from Codat now. Expires within minutes."""
    return f"{PREFIX}reading-platforms:{account}"


def signing_key() -> str:
    """String: signs the links of the journey where SECRET_KEY is unset. For ever."""
    return f"{PREFIX}signing-key"


# Visitors


def watched(connection_id: str) -> str:
    """String, JSON: how often Codat was asked for those who look at it, and when next. 15 minutes."""
    return f"{PREFIX}watched:{connection_id}"


def returns(company_id: str) -> str:
    """Integer: how often Codat was asked at once because somebody came back from its Link. 15 minutes."""
    return f"{PREFIX}returns:{company_id}"


def attempts(kind: str, address: str) -> str:
    """Integer: how many credentials of this kind were refused to an address. Expires within a minute."""
    return f"{PREFIX}attempts:{kind}:{address}"


# Operation


def counters() -> str:
    """Hash: what happened how often, since ever."""
    return f"{PREFIX}counters"


def alive(role: str) -> str:
    """Sorted set: processes of this role by when they were last seen (ms)."""
    return f"{PREFIX}alive:{role}"


def interruptions() -> str:
    """Sorted set: ``from until refused`` of times without Redis, by when it was back (ms). A week."""
    return f"{PREFIX}interruptions"


def unreadable() -> str:
    """Hash: stored records that could not be read, as ``kind id``, with when that was first noticed (ms)."""
    return f"{PREFIX}unreadable"


# Health of the service


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


# Questions and comparisons with Codat


def pace() -> str:
    """Hash: the requests that may be made at once, and until when Codat wants none. Expires after a day."""
    return f"{PREFIX}pace"


def quota() -> str:
    """Hash: Codat's quota of the day as the newest answer showed it. Expires when it is full again."""
    return f"{PREFIX}quota"


def looks() -> str:
    """Sorted set: company ids by when Codat is asked next how they stand (ms)."""
    return f"{PREFIX}looks"


def look_pauses() -> str:
    """Hash: company id to the pause between two looks while its first sync is watched (s)."""
    return f"{PREFIX}look-pauses"


def repairs() -> str:
    """Sorted set: connections that were changed by a look and not yet by a message, by when (ms)."""
    return f"{PREFIX}repairs"


def erasures() -> str:
    """Sorted set: company ids that are to be erased, by when that became known (ms); 0: without grace."""
    return f"{PREFIX}erasures"


def slots(company_id: str) -> str:
    """Sorted set: requests about a company that are under way, by the end of their lease (ms). Expires."""
    return f"{PREFIX}slots:{company_id}"


def looked() -> str:
    """Hash: company id to when Codat was last asked how it stands (ms). Until the company is erased."""
    return f"{PREFIX}looked"


def look_reasons() -> str:
    """Hash: company id to why the next look is wanted in any case, as JSON. Goes with that look."""
    return f"{PREFIX}look-reasons"


def first_syncs() -> str:
    """Hash: company id to the authorisations whose first sync we started, as JSON. Until it is erased."""
    return f"{PREFIX}first-syncs"


def of_companies() -> tuple[str, ...]:
    """The hashes that have a field for each company."""
    return (look_pauses(), looked(), look_reasons(), first_syncs())


def shown() -> str:
    """Set: hashes of the ids of companies that Codat showed to our key. Until they are erased."""
    return f"{PREFIX}shown"


def shown_as(company_id: str) -> str:
    """The member that stands for a company in ``shown``."""
    return hashlib.sha256(f"shown {company_id}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def not_shown() -> str:
    """Sorted set: companies that Codat says it does not know and never showed us, by when (ms).

    Until Codat shows them or they are erased.
    """
    return f"{PREFIX}not-shown"


def foreign() -> str:
    """Set: hashes, as in ``shown``, of the companies of CODAT_FOREIGN_CLIENT_IDS. Until they are erased."""
    return f"{PREFIX}foreign"


def polling(what: str) -> str:
    """String: a job of this kind runs or was asked for. Expires within seconds unless renewed."""
    return f"{PREFIX}polling:{what}"


def sweep() -> str:
    """Hash: when the parts of the sweep are due next (ms), since when this store is, its walk. For ever."""
    return f"{PREFIX}sweep"


def warnings() -> str:
    """Hash: what is wrong with Codat's messages, as JSON by its kind. Until it is right again."""
    return f"{PREFIX}warnings"


def consumers() -> str:
    """Hash: addresses of ours at which Codat was seen to send messages, to when (ms). For ever."""
    return f"{PREFIX}consumers"


def rebuild() -> str:
    """String: of how many companies a rebuild is that was not seen to end. Until one ends.

    What is left of it are the quiet reasons in ``look_reasons``, nothing else.
    """
    return f"{PREFIX}rebuild"
