"""The catalogue of the simulated Codat as the first test of this process read it.

Reading it takes as long as most tests, so the others store a copy.
"""

from typing import Any

from redis import Redis

from processor.journey.platform_cache import account_digest
from processor.simulator import api
from processor.simulator.platforms import PLATFORMS
from processor.store import keys

SIMULATOR = "http://simulator.example"
"""Stands for the address of a simulated Codat, which is another one in each test."""

_catalogues: list[str] = []


def copy(client: "Redis[Any]", url: str, api_key: str | None) -> None:
    """Store what an earlier test read, unless this test has other platforms."""
    if _catalogues and _are_usual():
        text = _catalogues[0].replace(SIMULATOR, url)
        client.set(_key(url, api_key), text, nx=True)


def remember(client: "Redis[Any]", url: str, api_key: str | None) -> None:
    """Keep what this test read for the tests after it."""
    stored = client.get(_key(url, api_key))
    if stored is not None and not _catalogues and _are_usual():
        _catalogues.append(stored.decode().replace(url, SIMULATOR))


def _are_usual() -> bool:
    return vars(api)["PLATFORMS"] is PLATFORMS


def _key(url: str, api_key: str | None) -> str:
    return keys.platforms(account_digest(url, api_key or ""))
