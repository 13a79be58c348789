"""Free ports, and claims of a port."""

import socket
import sys

import pytest

from processor.runtime.ports import claim_port, free_port, port_is_taken


def test_a_port_is_taken_while_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port_is_taken("127.0.0.1", port)
    assert not port_is_taken("127.0.0.1", port)
    assert not port_is_taken("127.0.0.1", free_port("127.0.0.1"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="claims are Linux's abstract sockets")
def test_a_port_that_is_claimed_is_nobody_elses_until_it_is_given_back() -> None:
    port = free_port("127.0.0.1")
    claim = claim_port("127.0.0.1", port, "web")
    assert claim is not None
    assert claim_port("127.0.0.1", port, "web") is None
    other = claim_port("127.0.0.2", port, "web")
    assert other is not None
    other.close()
    claim.close()
    again = claim_port("127.0.0.1", port, "web")
    assert again is not None
    again.close()


def test_a_host_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(OSError, match=r"assign requested address"):
        free_port("192.0.2.1")
