"""The simulated lender of a demonstration, as a caller of the service."""

from pathlib import Path

import httpx
import pytest

from processor.cli.demo_lender import lender_client
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.simulator.clients import http_client
from processor.simulator.entities import SimulatorRefusal
from processor.simulator.lender import LENDER_PATH
from processor.simulator.lender_client import segment
from processor.simulator.mailbox import Mailbox
from tests.support import messages

SETTINGS = {"CODAT_WEBHOOK_SECRETS": messages.SECRET, "API_KEYS": "demonstration"}


def test_it_has_the_settings_of_the_dotenv_file_and_refuses_what_leads_elsewhere(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.env` with REDIS_URL stopped `make run`: the service had it, and the lender beside it had not.

    The service here is the simulator itself, which answers with a page where the lender wants JSON.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    with SimulatorServer(SimulatorConfig(auto_sync=False)) as server, Mailbox() as mailbox:
        Path(".env").write_text(f"REDIS_URL={redis_url}\nPORT={server.url.rpartition(':')[2]}\n")
        simulation = server.simulation
        pages = http_client(base_url=f"{server.url}{LENDER_PATH}")
        with lender_client(SETTINGS, mailbox, simulation) as client, pages:
            assert simulation.lender is client
            assert client.expired_link("m").startswith("http")
            deleting = "/customers/c1/delete"
            foreign = pages.post(deleting, headers={"Sec-Fetch-Site": "cross-site"})
            assert (foreign.status_code, "another site" in foreign.text) == (403, True)
            own = pages.post(deleting, headers={"Sec-Fetch-Site": "same-origin"})
            assert own.status_code != httpx.codes.FORBIDDEN
            away = pages.post("/customers/c1/remove-person", data={"person_id": ".."})
            assert (away.status_code, "nothing of this name" in away.text) == (404, True)
            monkeypatch.setattr(client._http, "base_url", server.url)
            with pytest.raises(SimulatorRefusal, match="did not answer as it should"):
                client.call("GET", "/")
        assert client._http.is_closed
        assert simulation.lender is None
    assert segment("a/b?c#d") == "a%2Fb%3Fc%23d"
