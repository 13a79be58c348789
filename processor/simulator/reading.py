"""Reading a linked connection's data types: how a read begins, goes on and ends.

Statuses of datasets: https://docs.codat.io/core-concepts/status
"""

from collections.abc import Mapping, Sequence
from functools import partial

from processor.simulator.agenda import Agenda
from processor.simulator.entities import (
    COMPLETE,
    ENDS,
    NOT_SUPPORTED,
    RUNNING,
    FirstSync,
    Read,
    SimulatedConnection,
    SimulatedDataset,
    SimulatorRefusal,
)
from processor.simulator.world import World

_PHASES = ("Queued", "Fetching", "Mapping", "Processing", "Validating")
_STEPS = 8

Outcomes = Mapping[str, str]


class SimulatedSync:
    """What reads the connections of a world; every call is safe from any thread."""

    def __init__(self, world: World, agenda: Agenda) -> None:
        self._world = world
        self._agenda = agenda

    def start_sync(self, connection_id: str) -> SimulatedConnection:
        """The first read of this authorisation begins; refused (409) unless linked, or while one runs."""
        with self._world.lock:
            connection = self._world.linked(connection_id)
            if connection.first_read is not None and connection.first_read.running:
                raise SimulatorRefusal(409, f"The first read of {connection_id} is running already")
            self._begin(connection, connection.platform.data_types, initial=True)
            return connection

    def complete_sync(self, connection_id: str, outcomes: object = None) -> SimulatedConnection:
        """The first read ends, begun or not; ``None``: every data type is complete.

        Of a read that runs, the data types that ``outcomes`` does not name end as not supported.
        """
        with self._world.lock:
            connection = self._world.linked(connection_id)
            first = connection.first_read
            read = first if first is not None and first.running else None
            self._end(connection, read, _checked(outcomes), initial=True)
            return connection

    def read(self, connection_id: str, outcomes: object = None) -> SimulatedConnection:
        """An ordinary read of the named data types (``None``: of all, well) begins and ends at once."""
        with self._world.lock:
            connection = self._world.linked(connection_id)
            self._end(connection, None, _checked(outcomes), initial=False)
            return connection

    def run_sync(self, connection_id: str, duration_s: float) -> None:
        """The first read begins now, goes on by itself, and ends well after ``duration_s`` seconds.

        Whatever ends it before, a person or the end of access, stays as it is. The read of an offline
        platform stays queued: its computer is not on.
        """
        with self._world.lock:
            connection = self.start_sync(connection_id)
            read = connection.reads[-1]
        if connection.platform.is_offline:
            return
        for step in range(1, _STEPS):
            share = step / _STEPS
            self._agenda.add(partial(self._advance, connection, read, share), in_s=duration_s * share)
        self._agenda.add(partial(self._finish, connection, read), in_s=duration_s)

    def run_read(self, connection_id: str, duration_s: float) -> None:
        """An ordinary read of everything begins now and ends well after ``duration_s`` seconds.

        Nothing happens while the first read is still running, for that reads everything already. Where none
        was begun, this is the first.
        """
        with self._world.lock:
            connection = self._world.linked(connection_id)
            if connection.first_sync is FirstSync.RUNNING:
                return
            if connection.first_sync is None:
                self.run_sync(connection_id, duration_s)
                return
            read = self._begin(connection, connection.platform.data_types, initial=False)
        self._agenda.add(partial(self._finish, connection, read), in_s=duration_s)

    def _begin(self, connection: SimulatedConnection, data_types: Sequence[str], *, initial: bool) -> Read:
        now = self._world.ticker.now()
        datasets = [SimulatedDataset(connection.id, data_type, now) for data_type in data_types]
        read = Read(connection.authorizations, initial, datasets)
        connection.reads.append(read)
        return read

    def _advance(self, connection: SimulatedConnection, read: Read, share: float) -> None:
        with self._world.lock:
            now = self._world.ticker.now()
            for number, dataset in enumerate(read.datasets, start=1):
                portion = min(1.0, share * len(read.datasets) / number)
                if dataset.status not in RUNNING:
                    continue
                if portion >= 1:
                    dataset.end(COMPLETE, now, connection.platform.name)
                else:
                    dataset.status = _PHASES[int(portion * len(_PHASES))]
                    dataset.progress = int(portion * 100)

    def _finish(self, connection: SimulatedConnection, read: Read) -> None:
        with self._world.lock:
            if read.running:
                self._end(connection, read, {}, initial=read.initial)

    def _end(
        self, connection: SimulatedConnection, read: Read | None, outcomes: Outcomes, *, initial: bool
    ) -> None:
        wanted = outcomes or dict.fromkeys(connection.platform.data_types, COMPLETE)
        begun = {dataset.data_type for dataset in read.datasets} if read else set()
        missing = [data_type for data_type in wanted if data_type not in begun]
        if read is None:
            read = self._begin(connection, missing, initial=initial)
        else:
            now = self._world.ticker.now()
            read.datasets += [SimulatedDataset(connection.id, data_type, now) for data_type in missing]
        now = self._world.ticker.now()
        for dataset in read.datasets:
            is_running = dataset.status in RUNNING
            outcome = wanted.get(dataset.data_type, NOT_SUPPORTED if is_running else dataset.status)
            if outcome != dataset.status:
                dataset.end(outcome, now, connection.platform.name)
        event_type = "read.completed.initial" if initial else "read.completed"
        self._world.tell(event_type, connection, self._world.ticker.now(), datasets=read.datasets)


def _checked(outcomes: object) -> Outcomes:
    if outcomes is None:
        return {}
    if not isinstance(outcomes, Mapping):
        raise SimulatorRefusal(400, "The outcomes are not an object of data types with their statuses")
    for status in outcomes.values():
        if status not in ENDS:
            raise SimulatorRefusal(400, f"No read ends with {status}: use one of {', '.join(sorted(ENDS))}")
    return dict(outcomes)
