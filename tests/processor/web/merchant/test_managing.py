"""Disconnecting, reconnecting and deleting."""

from tests.processor.simulator.pages import Browser
from tests.support.visiting import Place


def test_manage_shows_when_and_lets_disconnect_reconnect_and_delete(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    before = visitor.open(f"/connect/{token}/manage").answer.text
    assert "First authorised" in before
    assert '<time datetime="20' in before
    assert before.count("Not yet") == 1, "it was authorised and never read"
    place.change(connection_id, "complete-sync")
    assert "Not yet" not in visitor.open(f"/connect/{token}/manage").answer.text

    base = f"/connect/{token}/connections/{connection_id}"
    question = visitor.open(f"{base}/unlink")
    assert "Disconnect Xero?" in question.text
    answer = visitor.press(question, "Disconnect").answer
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/connect/{token}/manage?done=disconnected",
    )
    assert place.codat.simulation.world.find_connection(connection_id).status == "Unlinked"
    place.settle()
    shown = visitor.open(answer.headers["Location"])
    assert "Xero is disconnected" in shown.text
    assert "no new data is read" in shown.text

    onward = visitor.press(shown, "Reconnect")
    assert f"/link/{connection_id}?otp=" in onward.answer.text

    question = visitor.open(f"{base}/delete")
    assert "for good" in question.text
    answer = visitor.press(question, "Delete for good").answer
    assert answer.status_code == 303
    place.settle()
    shown = visitor.open(answer.headers["Location"])
    assert "Nothing is connected" in shown.text
    assert place.bench.state(connection_id) == "deleted"
    again = visitor.press(question, "Delete for good").answer
    assert again.status_code == 303, "deleted twice is deleted"


def test_disconnecting_what_is_not_linked_is_done_already_and_not_asked(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    address = f"/connect/{token}/connections/{connection_id}/unlink"
    question = visitor.open(address)
    visitor.press(question, "Disconnect")
    place.settle()
    again = visitor.press(question, "Disconnect").answer
    assert (again.status_code, again.headers["Location"]) == (
        303,
        f"/connect/{token}/manage?done=disconnected",
    )
    unasked = visitor.http.get(address)
    assert (unasked.status_code, unasked.headers["Location"]) == (303, f"/connect/{token}/manage")
