"""One-time passwords of link URLs and of visits to a Link page."""

import hashlib
import hmac
import secrets

from processor.simulator.times import Clock

LIFETIME_S = 24 * 60 * 60


class OneTimePasswords:
    """Signed passwords with their purpose and time; only used ones are stored.

    Not thread-safe: the caller holds the lock of the world.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._used: dict[str, float] = {}

    def issue(self, purpose: str) -> str:
        """A fresh password that works once."""
        stem = f"{int(self._clock()):x}-{secrets.token_hex(8)}"
        return f"{stem}-{self._seal(purpose, stem)}"

    def redeem(self, purpose: str, password: str, *, lifetime_s: int = LIFETIME_S) -> bool:
        """Whether the password is valid, within ``lifetime_s`` seconds; this uses it up."""
        stem, _, seal = password.rpartition("-")
        if not hmac.compare_digest(seal.encode(), self._seal(purpose, stem).encode()):
            return False
        now, issued = self._clock(), int(stem.partition("-")[0], 16)
        self._used = {used: at for used, at in self._used.items() if now - at < LIFETIME_S}
        if now - issued >= lifetime_s or stem in self._used:
            return False
        self._used[stem] = issued
        return True

    def _seal(self, purpose: str, stem: str) -> str:
        text = f"{purpose}\n{stem}".encode(errors="replace")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:24]
