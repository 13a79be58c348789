"""Signatures of outgoing webhooks by Standard Webhooks, the scheme of Codat's own messages.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from standardwebhooks import Webhook

SECRET_BYTES = 32


def new_secret() -> str:
    """A new secret in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


_signer = lru_cache(maxsize=1_000)(Webhook)


def signed_headers(message_id: str, body: str, now: datetime, keys: Sequence[str]) -> dict[str, str]:
    """The three headers of a message, with a signature for each secret in ``keys``."""
    moment = now.astimezone(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(_signer(key).sign(message_id, moment, body) for key in keys),
    }
