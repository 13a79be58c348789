"""The keys of what is asked of Codat in the background: one function each, as in ``keys``."""

import hashlib

from processor.store.keys import PREFIX


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
