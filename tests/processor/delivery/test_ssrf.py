"""Which addresses are public."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.delivery.ssrf import refusal, refusal_of_literal, resolve

PUBLIC = ["93.184.215.14", "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001:80e::200e"]
NOT_PUBLIC = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "::2", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8", "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "fc00::1", "fd12:3456::1",
    "3fff::1", "3fff:fff:ffff::1", "5f00::1", "100:0:0:1::1",
    "fe80::1", "fe80::1%eth0", "fec0::1", "feff::1", "ff02::1", "ff0e::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_sent_to(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_all_others_are_refused_with_a_reason(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize("text", ["", "localhost", "8.8.8", "0x7f.1", "2130706433", "[::1]"])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert refusal(text) == "it is no address"


@given(st.ip_addresses(v=4))
def test_no_disguise_makes_an_ipv4_address_public(ip: ipaddress.IPv4Address) -> None:
    number = int(ip)
    for disguise in (
        ipaddress.IPv6Address(number),
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
    ):
        assert refusal(str(disguise))


@given(st.ip_addresses())
def test_nothing_that_is_not_global_is_sent_to(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if refusal(str(ip)) is None:
        assert ip.is_global
        assert not ip.is_multicast


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "x.localhost", "db.internal", "p.local", "10.0.0.1"]
)
def test_hosts_that_are_private_at_first_sight(host: str) -> None:
    assert refusal_of_literal(host)


def test_a_name_is_not_judged_before_it_is_looked_up() -> None:
    assert refusal_of_literal("example.com") is None


def test_the_resolver_of_the_system_is_asked() -> None:
    assert set(resolve("127.0.0.1", 80)) == {"127.0.0.1"}
