"""Secrets and contacts at rest: encrypted with the first key, read with all, and plain ones as before."""

import pytest
from click.testing import CliRunner
from redis import Redis

from processor.cli import main
from processor.clock import utc_now
from processor.codat.models import CompanyResponse
from processor.delivery.subscribers import Subscribers
from processor.journey.records import Records
from processor.store import encryption, keys
from processor.store.queries import Reader
from processor.store.reencryption import reencrypt

CONTACT = "anna@merchant.example"


def new_key() -> str:
    return CliRunner().invoke(main, ["encryption", "key"]).output.strip()


FIRST, SECOND = new_key(), new_key()


@pytest.fixture(autouse=True)
def plain_afterwards():
    """No other test encrypts."""
    yield
    encryption.use_keys(())


@pytest.fixture
def subscribers(client: Redis) -> Subscribers:
    return Subscribers(client, allow_private=False)


def fill(client: Redis, subscribers: Subscribers) -> tuple[str, list[str]]:
    """A subscriber that was rotated once, and a company with a contact; its id, and everything secret."""
    added = subscribers.add(url="https://receiver.example/", headers={"X-Token": "hush-header"})
    rotated = subscribers.rotate(added.id)
    company = CompanyResponse(id="c1", name="Toft", tags={}, asked_at=utc_now())
    Records(client).save_company(
        company, merchant_id="m1", local_fields={"contact_email": CONTACT, "given_name": "T"}, now=utc_now()
    )
    return added.id, [added.secret, rotated.secret, "hush-header", CONTACT]


def everything(client: Redis) -> str:
    return str([client.hgetall(name) for name in client.scan_iter() if client.type(name) == b"hash"])


def read(client: Redis, subscribers: Subscribers, id_: str) -> list[str]:
    subscriber = subscribers.get(id_)
    company = Reader(client).company("c1")
    assert company is not None
    return [
        subscriber.old_secrets[0][0],
        subscriber.secret,
        subscriber.headers["X-Token"],
        company["contact_email"],
    ]


def test_with_a_key_nothing_secret_is_stored_in_plain(client: Redis, subscribers: Subscribers) -> None:
    encryption.use_keys((FIRST,))
    id_, secrets = fill(client, subscribers)
    assert not [secret for secret in secrets if secret in everything(client)]
    assert read(client, subscribers, id_) == secrets
    subscribers.change(id_, headers={"X-Token": "hush-again"})
    assert "hush-again" not in everything(client)
    Records(client).save_local_fields("c1", {"contact_email": "ben@merchant.example"})
    assert "ben@" not in everything(client)
    assert (Reader(client).company("c1") or {})["contact_email"] == "ben@merchant.example"


def test_what_was_stored_before_is_read_and_encrypted_by_the_command(
    client: Redis, subscribers: Subscribers
) -> None:
    id_, secrets = fill(client, subscribers)
    assert all(secret in everything(client) for secret in secrets)
    encryption.use_keys((FIRST,))
    assert read(client, subscribers, id_) == secrets
    result = reencrypt(client)
    assert (result.changed, result.current, result.unreadable) == (4, 0, 0)
    assert not [secret for secret in secrets if secret in everything(client)]
    assert read(client, subscribers, id_) == secrets
    assert reencrypt(client).current == 4


def test_keys_are_rotated(client: Redis, subscribers: Subscribers) -> None:
    encryption.use_keys((FIRST,))
    id_, secrets = fill(client, subscribers)
    encryption.use_keys((SECOND, FIRST))
    assert read(client, subscribers, id_) == secrets
    assert reencrypt(client).changed == 4
    encryption.use_keys((SECOND,))
    assert read(client, subscribers, id_) == secrets
    encryption.use_keys((FIRST,))
    assert reencrypt(client).unreadable == 4
    assert subscribers.find(id_) is None
    assert Reader(client).company("c1") is None
    encryption.use_keys(())
    with pytest.raises(encryption.KeyMissing):
        encryption.decrypt((client.hget(keys.company("c1"), "contact_email") or b"").decode())


def test_an_altered_value_is_not_decrypted() -> None:
    encryption.use_keys((FIRST,))
    stored = encryption.encrypt("whsec_hush")
    for broken in (stored[:-4] + "AAA=", stored[:20], encryption.PREFIX, encryption.PREFIX + "é"):
        with pytest.raises(encryption.KeyMissing):
            encryption.decrypt(broken)
