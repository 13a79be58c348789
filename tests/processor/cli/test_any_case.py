"""Codat's ids are GUIDs: in whatever case they come, at every door, they name the same thing."""

import json

from processor.store import keys
from tests.processor.cli.conftest import Run
from tests.processor.web.v1.filling import Filling
from tests.support import cells, messages
from tests.support.serving import ADDRESS, serving
from tests.support.workbench import Workbench

COMPANY = "0ac7b63c-17a3-4e5b-90fb-1234567890ab"
CONNECTION = "fedcba98-17a3-4e5b-90fb-1234567890ab"
API_KEY = "a-key-of-the-tests-of-ids"
OPERATOR = "a-password-of-the-tests"


def test_ids_in_upper_case_name_the_connection_that_is_known(
    run: Run, filling: Filling, redis_url: str
) -> None:
    """``connection.disconnected`` in upper case made a second company and connection, and was told for the
    ghost; ``/v1``, the command line and ``/ops`` found nothing by upper-case ids.
    """
    caller = serving(redis_url, API_KEYS=API_KEY, OPERATOR_PASSWORD=OPERATOR)
    bench = Workbench(filling.container.redis)
    for body in (
        messages.connected(COMPANY, CONNECTION),
        messages.disconnected(COMPANY.upper(), CONNECTION.upper(), at=messages.datetime.now(messages.UTC)),
        messages.status_alert(COMPANY.upper(), CONNECTION.upper(), "PendingAuth", "Linked"),
    ):
        assert caller.post(ADDRESS, data=body, headers=messages.signed(body)).status_code == 202
    bench.drain_all()
    assert bench.state(CONNECTION) == "deauthorized"
    assert bench.state(CONNECTION.upper()) is None

    company, connection = COMPANY.upper(), CONNECTION.upper()
    key = {"Authorization": f"Bearer {API_KEY}"}
    for path in (f"/v1/connections/{connection}", f"/v1/companies/{company}"):
        assert caller.get(path, headers=key).status_code == 200, path
    for path in (
        f"/v1/connections?company_id={company}",
        f"/v1/companies/{company}/connections",
        f"/v1/connections/{connection}/timeline",
        f"/v1/notifications?connection_id={connection}",
    ):
        assert caller.get(path, headers=key).json["items"], path
    for path in (f"/ops/connections/{connection}", f"/ops/companies/{company}"):
        assert caller.get(path, auth=("operator", OPERATOR)).status_code == 200, path
    assert json.loads(run("connections", "show", connection, "--json").stdout)["id"] == CONNECTION
    filling.container.redis.set(
        cells.where(filling.container.redis, keys.connection, CONNECTION), b"ready\n1\n{garbage"
    )
    repaired = run("connections", "repair", connection, "--json")
    assert repaired.exit_code == 0, repaired.output
    assert json.loads(repaired.stdout)["state"] == "deauthorized"
    assert json.loads(run("connections", "list", "--company", company, "--json").stdout)["items"]
    assert json.loads(run("notifications", "list", "--connection", connection, "--json").stdout)["items"]
