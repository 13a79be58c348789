"""``encryption``: keys for ENCRYPTION_KEYS, and their rotation."""

import base64
import dataclasses
import secrets
import sys

import click

from processor.cli.options import as_json_option
from processor.cli.printing import print_result
from processor.cli.store_access import open_store
from processor.settings.people import ENCRYPTION_KEY_BYTES
from processor.store.reencryption import reencrypt


@click.group()
def encryption() -> None:
    """Encryption of subscribers' secrets and companies' contacts in the store."""


@encryption.command("key")
@as_json_option
def make_key() -> None:
    """Print a new key for ENCRYPTION_KEYS."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(ENCRYPTION_KEY_BYTES)).decode()
    print_result({"key": key}, key)


@encryption.command("rotate")
@as_json_option
def rotate() -> None:
    """Encrypt all that is stored with the first of ENCRYPTION_KEYS; exit code 1 if a value could not be read.

    Afterwards the other keys can be removed.
    """
    with open_store() as container:
        result = reencrypt(container.redis)
    print_result(
        dataclasses.asdict(result),
        f"{result.changed} values were encrypted anew, {result.current} were current,"
        f" {result.unreadable} could not be decrypted.",
    )
    sys.exit(1 if result.unreadable else 0)
