"""What the tests of the journey's calls share."""

from typing import Any

KEY = {"Authorization": "Bearer key-of-a-caller"}
PROBLEM = "application/problem+json"


def refused(answer: Any, status: Any) -> Any:
    """The problem in an answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.json["status"] == status
    return answer.json
