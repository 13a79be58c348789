"""Every key in Redis: one function per key, with the type of its value, its members and its lifetime.

All keys begin with ``codat:``. No other module spells a key. Times are Unix times in the unit given.
The keys of a cell, and other keys that one step uses together, have a hash tag in common.
"""

import hashlib
from binascii import crc32, crc_hqx
from itertools import count, product
from string import ascii_lowercase

from handlers.state import State
from processor.store.namespace import Prefix, current

PREFIX = Prefix("codat:")


SLOTS = 16_384
"""Hash slots of a Redis cluster. https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/"""

DEFAULT_CELLS = 16


def _tags(number: int) -> tuple[str, ...]:
    """The hash tags of so many cells, as keys have them: each has its slot in its own part of the slots.

    A cluster of two or more nodes, each with a range of the slots, so has about as many cells on each node.
    """

    def tag(cell: int) -> str:
        suffixes = (
            "".join(letters) for length in count() for letters in product(ascii_lowercase, repeat=length)
        )
        names = (f"c{cell:02}{suffix}" for suffix in suffixes)
        return next(name for name in names if crc_hqx(name.encode(), 0) % SLOTS * number // SLOTS == cell)

    return tuple(f"{{{tag(cell)}}}:" for cell in range(number))


_cell_tags = _tags(DEFAULT_CELLS)


def use_cells(number: int) -> None:
    """Set the number of cells of the store that this process serves (``CELLS``)."""
    global _cell_tags
    if number != len(_cell_tags):
        _cell_tags = _tags(number)


def cells() -> range:
    """The numbers of all cells."""
    return range(len(_cell_tags))


def cell_of(company_id: str | None) -> int:
    """The cell of a company, by a stable hash; 0 for a message without a company."""
    return crc32(company_id.encode("utf-8", "surrogatepass")) % len(_cell_tags) if company_id else 0


def _in(cell: int) -> str:
    """The beginning of the keys of a cell. In a cluster one node holds all keys with the same tag."""
    return PREFIX + current() + _cell_tags[cell]


def layout() -> str:
    """String: version of the layout and number of cells, written when the store is first used. Permanent."""
    return f"{PREFIX}layout"


def importing() -> str:
    """Hash: id of the file that is being imported, and the number of its frames that are done."""
    return f"{PREFIX}importing"


def of_old_layout() -> tuple[str, ...]:
    """Keys that a store had before there were cells."""
    return tuple(f"{PREFIX}{name}" for name in ("events", "connections", "companies", "shards-ever"))


def nothing(cell: int) -> str:
    """String: a key that a script gets instead of one that does not apply. Never written."""
    return f"{_in(cell)}nothing"


# Messages


def messages(cell: int) -> str:
    """Hash: event id to the message, its body and its outcome (see ``message_records``).

    Trimmed with EVENT_RETENTION_DAYS.
    """
    return f"{_in(cell)}messages"


def repeats(cell: int) -> str:
    """Hash: event id to the number of its repetitions. Trimmed like ``messages``."""
    return f"{_in(cell)}repeats"


def seen(cell: int, event_id: str) -> str:
    """String "1": a message with this id was accepted. Kept for DEDUPE_DAYS, if messages are kept shorter."""
    return f"{_in(cell)}seen:{event_id}"


def events(cell: int) -> str:
    """Sorted set: event ids by time of arrival (ms). Trimmed with EVENT_RETENTION_DAYS."""
    return f"{_in(cell)}events"


def events_of(cell: int, status: str) -> str:
    """Sorted set: ids of events with this status by time of arrival (ms). Trimmed like ``events``.

    Only of messages that an operator may have to look at: failed, dead, quarantined and discarded.
    """
    return f"{_in(cell)}events:{status}"


def company_events(company_id: str) -> str:
    """Sorted set: ids of a company's events by time of arrival (ms). Trimmed like ``events``."""
    return f"{_in(cell_of(company_id))}company-events:{company_id}"


def inbox(cell: int) -> str:
    """Stream, field ``id``: ids of events to be handled. An entry is deleted once its event is handled."""
    return f"{_in(cell)}inbox"


def replays(cell: int) -> str:
    """Stream like ``inbox``: ids of events that were old when they came, or that are handled again."""
    return f"{_in(cell)}replays"


def inboxes(cell: int) -> tuple[str, str]:
    """Both lanes of the inbox: new messages, and replays."""
    return inbox(cell), replays(cell)


def wake(cell: int) -> str:
    """String: the drain of this cell, or that one was requested. Expires after 2 s unless renewed."""
    return f"{_in(cell)}wake"


def cursor(cell: int) -> str:
    """Integer: number of committed batches of this cell, watched by every commit. Permanent."""
    return f"{_in(cell)}cursor"


def retries(cell: int) -> str:
    """Sorted set: ids of events whose handling raised by time of the next attempt (ms)."""
    return f"{_in(cell)}retries"


# Connections and companies


def connection(cell: int, connection_id: str) -> str:
    """String, one row (see ``records``): one connection. Kept until its company is erased."""
    return f"{_in(cell)}connection:{connection_id}"


def connections_in(cell: int, state: str) -> str:
    """Sorted set: ids of connections in this public state by time when first heard of (ms)."""
    return f"{_in(cell)}connections:{state}"


def connections(cell: int) -> tuple[str, ...]:
    """The indexes of all connections: each is in one of them."""
    return tuple(connections_in(cell, state) for state in State)


def timeline(cell: int, connection_id: str) -> str:
    """List: entries (``timelines``) of a timeline, newest last. Up to 1,000 entries."""
    return f"{_in(cell)}timeline:{connection_id}"


def company(company_id: str) -> str:
    """Hash: fields of a company, and one for each connection (``records.MEMBER``). Kept until erased."""
    return f"{_in(cell_of(company_id))}company:{company_id}"


def companies(cell: int) -> str:
    """Sorted set: company ids by time when each was first heard of (ms)."""
    return f"{_in(cell)}companies"


def merchant_companies(cell: int, merchant_id: str) -> str:
    """Sorted set: ids of a merchant's companies by time when first heard of (ms)."""
    return f"{_in(cell)}merchant-companies:{merchant_id}"


def visit_steps(cell: int, step: str) -> str:
    """Sorted set: companies or connections whose visitor took a step first, by its time (ms). 400 days."""
    return f"{_in(cell)}visit-steps:{step}"


# Erasure


def erasures(cell: int) -> str:
    """Sorted set: ids of companies to erase by time when the grace period began (ms); 0: no grace period."""
    return f"{_in(cell)}erasures"


def erased(company_id: str) -> str:
    """String, ISO time: when this company was erased; the key holds a hash of its id. Permanent."""
    digest = hashlib.sha256(company_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_in(cell_of(company_id))}erased:{digest}"


# Notifications


def stream() -> str:
    """Stream, field ``notification``: notifications for consumers. About STREAM_LENGTH entries."""
    return f"{PREFIX}notifications"


def published(cell: int) -> str:
    """Sorted set: ids of the cell's newest notifications on ``stream``, numbered. 500 are kept."""
    return f"{PREFIX}published:{{{stream()}}}:{_cell_tags[cell][:-1]}"


def notification(cell: int, notification_id: str) -> str:
    """String: one notification (see ``records``). Kept until its company is erased; tests a week."""
    return f"{_in(cell)}notification:{notification_id}"


def outbox(cell: int) -> str:
    """Sorted set: notification ids by time of the decision (µs)."""
    return f"{_in(cell)}outbox"


def outbox_of(cell: int, connection_id: str) -> str:
    """Sorted set: ids of a connection's notifications by time of the decision (µs)."""
    return f"{_in(cell)}outbox-of:{connection_id}"


def outbox_with(cell: int, status: str) -> str:
    """Sorted set: ids of notifications with this delivery status by time of the decision (µs)."""
    return f"{_in(cell)}outbox:{status}"


# Deliveries

UNLISTED = 0
"""The cell of messages that are about no company: alerts for operators, and tests."""


def fan_out(cell: int) -> str:
    """Stream, field ``id``: ids of notifications that are not yet on ``stream`` and in lanes."""
    return f"{_in(cell)}fan-out"


def lane(cell: int, lane_id: str) -> str:
    """Sorted set: ids of notifications that wait in this lane by time of the next attempt (ms)."""
    return f"{_in(cell)}lane:{lane_id}"


def lane_flight(cell: int, lane_id: str) -> str:
    """Sorted set: ``id token`` of running attempts of this lane by end of the lease (ms)."""
    return f"{_in(cell)}lane-flight:{lane_id}"


def closed_lanes(cell: int) -> str:
    """Set: lanes whose subscriber is removed or gone. Expires an hour after the last one."""
    return f"{_in(cell)}closed-lanes"


def deliveries(cell: int, notification_id: str) -> str:
    """Hash: status and attempts of a notification by lane. Kept as long as the notification."""
    return f"{_in(cell)}deliveries:{notification_id}"


def dead_deliveries(cell: int) -> str:
    """Sorted set: ``notification-id lane`` of dead letters by time of the decision (µs)."""
    return f"{_in(cell)}dead-deliveries"


def subscribers() -> str:
    """Sorted set: subscriber ids by time when each was added (ms)."""
    return f"{PREFIX}{{lanes}}:subscribers"


def subscriber(subscriber_id: str) -> str:
    """Hash: settings of a subscriber with its secrets. Kept until the subscriber is removed."""
    return f"{PREFIX}{{lanes}}:subscriber:{subscriber_id}"


def subscribers_version() -> str:
    """Integer: number of changes of subscribers, for processes that remember them. Permanent."""
    return f"{PREFIX}{{lanes}}:subscribers-version"


def lane_state(lane_id: str) -> str:
    """Hash: mode, consecutive failures and counts of this lane. Kept until the lane is removed."""
    return f"{PREFIX}{{lanes}}:lane-state:{lane_id}"


def delivering() -> str:
    """String: a run over the lanes was requested. Expires after 2 s."""
    return f"{PREFIX}delivering"


# Questions to Codat


def questions(cell: int) -> str:
    """Sorted set: questions by earliest time to ask (ms)."""
    return f"{_in(cell)}questions"


def question_details(cell: int) -> str:
    """Hash: question to JSON with its deadline and reason. Removed with the question."""
    return f"{_in(cell)}question-details"


def questions_again(cell: int) -> str:
    """Hash: question to JSON of a repeated request, newer than the question being asked."""
    return f"{_in(cell)}questions-again"


def asking() -> str:
    """String: a run that asks Codat is active or was requested. Expires after 2 s unless renewed."""
    return f"{PREFIX}asking"


def polling_paused() -> str:
    """String, ISO time: background requests pause until then. Expires then."""
    return f"{PREFIX}{{rate}}:polling-paused"


def pace() -> str:
    """Hash: tokens for requests to Codat, and the end of a block by Codat. Expires after a day."""
    return f"{PREFIX}{{rate}}:pace"


def quota() -> str:
    """Hash: Codat's daily quota as of its newest response. Expires when the quota resets."""
    return f"{PREFIX}{{rate}}:quota"


def slots(company_id: str) -> str:
    """Sorted set: running requests about a company by end of the lease (ms). Expires with the last lease."""
    return f"{PREFIX}{{rate}}:slots:{company_id}"


# Reconciliation


def looks(cell: int) -> str:
    """Sorted set: company ids by time of the next poll (ms)."""
    return f"{_in(cell)}looks"


def look_pauses(cell: int) -> str:
    """Hash: company id to the polling interval while its first sync runs (s)."""
    return f"{_in(cell)}look-pauses"


def looked(cell: int) -> str:
    """Hash: company id to time of the last poll (ms). Kept until the company is erased."""
    return f"{_in(cell)}looked"


def look_reasons(cell: int) -> str:
    """Hash: company id to the reason of an unconditional next poll, as JSON. Removed with that poll."""
    return f"{_in(cell)}look-reasons"


def first_syncs(cell: int) -> str:
    """Hash: company id to authorizations whose first sync was started here, as JSON. Kept until erased."""
    return f"{_in(cell)}first-syncs"


def nameless(cell: int) -> str:
    """Hash: company id to connection and time of the company data that named no business.

    Kept until newer data name none, or the company is erased.
    """
    return f"{_in(cell)}nameless"


def of_companies(cell: int) -> tuple[str, ...]:
    """The hashes that have one field per company."""
    return (look_pauses(cell), looked(cell), look_reasons(cell), first_syncs(cell), nameless(cell))


def repairs(cell: int) -> str:
    """Sorted set: connections changed by a poll and not confirmed by a message, by time (ms)."""
    return f"{_in(cell)}repairs"


def shown(cell: int) -> str:
    """Set: ``shown_as`` of companies that Codat has shown to this API key. Kept until they are erased."""
    return f"{_in(cell)}shown"


def shown_as(company_id: str) -> str:
    """The member of ``shown`` and ``foreign`` that stands for a company."""
    return hashlib.sha256(f"shown {company_id}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def not_shown(cell: int) -> str:
    """Sorted set: companies that Codat answered it does not know and never showed, by time (ms).

    Kept until Codat shows them or they are erased.
    """
    return f"{_in(cell)}not-shown"


def foreign(cell: int) -> str:
    """Set: ``shown_as`` of companies of CODAT_FOREIGN_CLIENT_IDS. Kept until they are erased."""
    return f"{_in(cell)}foreign"


def polling(what: str) -> str:
    """String: a job of this kind runs or was requested. Expires after 30 s unless renewed."""
    return f"{PREFIX}polling:{what}"


def sweep() -> str:
    """Hash: times of the next maintenance tasks (ms), start of this store, last listing scan. Permanent."""
    return f"{PREFIX}sweep"


def warnings() -> str:
    """Hash: kind of a problem with Codat's messages to JSON. Removed when the problem is over."""
    return f"{PREFIX}warnings"


def consumers() -> str:
    """Hash: address of this service to time when Codat was seen to send there (ms). Permanent."""
    return f"{PREFIX}consumers"


def rebuild() -> str:
    """String: number of companies of a rebuild that has not ended. Kept until one ends.

    Its remaining work is the quiet reasons in ``look_reasons``.
    """
    return f"{PREFIX}rebuild"


# Journey


def told_to_read(company_id: str) -> str:
    """String "1": a read of this company's data was just requested from Codat. Expires within a minute."""
    return f"{_in(cell_of(company_id))}told-to-read:{company_id}"


CONTACT = "contact"
"""Stands for a company's contact in the place of a person's id."""


def link_mailed(company_id: str, holder: str) -> str:
    """String "1": a fresh link was sent to this person, or the contact. Expires after an hour."""
    return f"{_in(cell_of(company_id))}link-mailed:{company_id}:{holder}"


def people(company_id: str) -> str:
    """Hash: id of a person of the company to JSON of name and address. At most 20; kept like ``consents``."""
    return f"{_in(cell_of(company_id))}people:{company_id}"


def link_returns(company_id: str) -> str:
    """Hash: connection id to JSON of the way back of its newest link. Kept until the company is erased."""
    return f"{_in(cell_of(company_id))}link-returns:{company_id}"


def confirmed_accounts(company_id: str) -> str:
    """Hash: connection id to the account that its user confirmed after a change. Kept like ``consents``."""
    return f"{_in(cell_of(company_id))}confirmed-accounts:{company_id}"


def company_group(group: str) -> str:
    """Set: ids of companies that were put into a group. Members are removed when they left it."""
    return f"{PREFIX}company-group:{group}"


def platform_requests(company_id: str) -> str:
    """Hash: id to JSON of a note about a missing platform. At most 20; kept like ``consents``."""
    return f"{_in(cell_of(company_id))}platform-requests:{company_id}"


def reminders(cell: int) -> str:
    """Sorted set: company ids by time when their next reminders are decided (ms)."""
    return f"{_in(cell)}reminders"


def reminded(company_id: str) -> str:
    """Hash: ``type connection`` of a reminder to ISO time of what it was about. Kept like ``consents``."""
    return f"{_in(cell_of(company_id))}reminded:{company_id}"


def consents(company_id: str) -> str:
    """Stream, field ``consent``: JSON of consents with their texts. Kept until the company is erased."""
    return f"{_in(cell_of(company_id))}consents:{company_id}"


def consented(company_id: str) -> str:
    """Hash: ``connection hash`` of an agreed text to the authorization. Kept like ``consents``."""
    return f"{_in(cell_of(company_id))}consented:{company_id}"


def consenters(company_id: str) -> str:
    """Hash: id of a consent to the name of the person whose link was used. Kept like ``consents``."""
    return f"{_in(cell_of(company_id))}consenters:{company_id}"


def signing_up(merchant: str) -> str:
    """String: lock of the sign-up of a merchant (hash of its id). Expires within two minutes."""
    return f"{PREFIX}signing-up:{merchant}"


def connecting(company_id: str) -> str:
    """String: lock of choosing a platform for a company. Expires within two minutes."""
    return f"{_in(cell_of(company_id))}connecting:{company_id}"


def asked_again(company_id: str) -> str:
    """String "1": Codat was just asked about this company. Expires within seconds."""
    return f"{_in(cell_of(company_id))}asked-again:{company_id}"


def platforms(account: str) -> str:
    """String, JSON: platforms of a Codat account with their pictures. Expires after 30 days."""
    return f"{PREFIX}platforms:{account}"


def reading_platforms(account: str) -> str:
    """String: lock of reading an account's platforms from Codat. Expires within minutes."""
    return f"{PREFIX}reading-platforms:{account}"


def signing_key() -> str:
    """String: key that signs links of the journey if SECRET_KEY is unset. Permanent."""
    return f"{PREFIX}signing-key"


def watched(connection_id: str) -> str:
    """String, JSON: count and next time of polls for viewers of a connection. Expires after 15 minutes."""
    return f"{PREFIX}watched:{connection_id}"


def returns(company_id: str) -> str:
    """Integer: polls caused by returns from Link to this company. Expires after 15 minutes."""
    return f"{_in(cell_of(company_id))}returns:{company_id}"


def attempts(kind: str, address: str) -> str:
    """Integer: refused credentials of this kind from an address. Expires within a minute."""
    return f"{PREFIX}attempts:{kind}:{address}"


# Access


def operator_session(session_id: str) -> str:
    """Hash: a session of an operator, by a digest of its token. Expires an hour after its last request."""
    return f"{PREFIX}{{access}}:session:{session_id}"


def operator_sessions() -> str:
    """Sorted set: ids of sessions of operators by time when each began (ms). The last twelve hours."""
    return f"{PREFIX}{{access}}:sessions"


def api_keys() -> str:
    """Hash: digest of a key that was made to JSON of its name, scopes and time. Kept until it is revoked."""
    return f"{PREFIX}{{access}}:api-keys"


def webhook_secrets() -> str:
    """Hash: id of a signing secret that an operator added to JSON, encrypted. Kept until it is removed."""
    return f"{PREFIX}{{access}}:webhook-secrets"


def audit() -> str:
    """Stream, field ``entry``: JSON of an action of the audit trail. Kept for AUDIT_DAYS."""
    return f"{PREFIX}{{access}}:audit"


def audit_head() -> str:
    """String: number and hash of the newest entry of ``audit``. Permanent."""
    return f"{PREFIX}{{access}}:audit-head"


def audit_targets() -> str:
    """Hash: number of an entry of ``audit`` to JSON of salt and target. Kept as long as the entry."""
    return f"{PREFIX}{{access}}:audit-targets"


# Operation


def counters(cell: int) -> str:
    """Hash: name of a counter to its value. Permanent."""
    return f"{_in(cell)}counters"


def alive(role: str) -> str:
    """Sorted set: processes of this role by time of the last heartbeat (ms)."""
    return f"{PREFIX}alive:{role}"


def stand_in() -> str:
    """String: name of the worker process that stands in for the clock. Expires after 10 s unless renewed."""
    return f"{PREFIX}stand-in"


def interruptions() -> str:
    """Sorted set: ``began-ms ended-ms refused`` of outages of Redis by their end (ms). Kept for a week."""
    return f"{PREFIX}interruptions"


def unreadable() -> str:
    """Hash: ``kind id`` of unreadable records to time of the first note (ms)."""
    return f"{PREFIX}unreadable"


def conditions() -> str:
    """Hash: code and subject of a condition to JSON of its start and alerts. Removed when it ends."""
    return f"{_in(UNLISTED)}conditions"


def metrics() -> str:
    """Hash: counts and histograms of all processes since the store began (see ``metrics``). Permanent."""
    return f"{PREFIX}{{metrics}}:totals"


def trend(resolution: str, part: int) -> str:
    """Hash: ``slot series`` to its count in one part of a ring (see ``trends``). Expires before its reuse."""
    return f"{PREFIX}{{metrics}}:trend:{resolution}:{part}"


def lane_trend(lane_id: str, part: int) -> str:
    """Hash: ``hour series`` to its count for one lane, like ``trend``. Expires before its reuse."""
    return f"{PREFIX}{{metrics}}:lane-trend:{lane_id}:{part}"


def mutes() -> str:
    """Hash: code, or code and subject, of a muted condition to the end of its mute (ms)."""
    return f"{PREFIX}mutes"


def codat_calls() -> str:
    """Hash: counts, durations and failures of calls to Codat. Permanent."""
    return f"{PREFIX}codat-calls"


def clocks() -> str:
    """Hash: ``reference host`` to the skew of a clock (s). Expires after 10 minutes."""
    return f"{PREFIX}clocks"


def receipts() -> str:
    """Hash: counts of refused messages by reason, and time of the last authentic one. Permanent."""
    return f"{PREFIX}receipts"


def failures() -> str:
    """Hash: reference of an error page to JSON of the failure. The newest 1,000, kept for two weeks."""
    return f"{PREFIX}{{failures}}:failures"


def failure_times() -> str:
    """Sorted set: references of ``failures`` by time of the failure (ms)."""
    return f"{PREFIX}{{failures}}:failure-times"
