"""Reads of data types, as messages and Codat's history report them."""

from datetime import datetime

from handlers.records import dataclass


@dataclass(frozen=True, slots=True)
class DataTypeRead:
    """The outcome of reading one data type of one connection.

    ``status`` is Codat's dataset status (``Complete``, ``FetchError``, ...), a string because Codat adds
    statuses without notice. ``message`` is Codat's explanation, if any.
    """

    connection_id: str
    data_type: str
    status: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row of a company's read history.

    Times are Codat's, ``None`` where Codat gives none. ``progress`` is 0 to 100. ``ended``: Codat says that
    reading is over, which decides for a status that is unknown here.
    """

    connection_id: str
    data_type: str
    status: str
    requested: datetime | None = None
    completed: datetime | None = None
    progress: int = 0
    message: str | None = None
    ended: bool = False
