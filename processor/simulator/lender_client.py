"""The simulated lender's calls of the service's API, and what a demonstration adds to them."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from processor.simulator.clients import JsonClient
from processor.simulator.entities import SimulatorRefusal
from processor.simulator.mailbox import ReceivedMail


class LenderClient(JsonClient):
    """A caller of the service at ``url``; every call raises :class:`SimulatorRefusal` where that refuses.

    ``languages`` are names by tag, and ``mails`` those that the service sent. ``expired_link`` makes a link
    of a company that has expired, and ``pass_days`` decides its reminders as they will be in so many days;
    it returns their number.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        brands: Sequence[str],
        languages: Mapping[str, str],
        mails: Callable[[], list[ReceivedMail]],
        expired_link: Callable[[str], str],
        pass_days: Callable[[str, int], int],
    ) -> None:
        super().__init__(f"{url}/v1", {"Authorization": f"Bearer {api_key}"})
        self.brands, self.languages, self.mails = brands, languages, mails
        self.expired_link, self.pass_days = expired_link, pass_days
        self.links: dict[str, str] = {}
        """The newest link of each company and person that was signed up or added here, by their ids."""

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer of a call; empty if it has none."""
        try:
            response = self._http.request(method, path, json=body)
            answer: dict[str, Any] = response.json() if response.content else {}
        except (httpx.HTTPError, ValueError) as error:
            sentence = f"The service did not answer as it should: {error}"
            raise SimulatorRefusal(HTTPStatus.BAD_GATEWAY, sentence) from error
        if response.is_error:
            mistakes = "; ".join(f"{name}: {text}" for name, text in (answer.get("errors") or {}).items())
            sentence = f"The service refuses: {answer.get('detail') or answer.get('title')} {mistakes}"
            raise SimulatorRefusal(response.status_code, sentence.strip())
        return answer

    def sign_up(self, fields: dict[str, Any]) -> str:
        """Sign a company up; its id."""
        company = self.call("POST", "/companies", fields)
        self.links[company["company_id"]] = company["connect_url"]
        return str(company["company_id"])

    def add_person(self, company_id: str, email: str, name: str) -> None:
        """Add a person of the company, who gets a link of their own."""
        person = self.call(
            "POST",
            f"/companies/{segment(company_id)}/people",
            {"email": email, **({"name": name} if name else {})},
        )
        self.links[person["id"]] = person["connect_url"]

    def overview(self, company_id: str) -> dict[str, Any]:
        """Everything that the page of a company shows."""
        names = ("journey", "consents", "people", "products", "platform-requests")
        path = f"/companies/{segment(company_id)}"
        answers = {name.replace("-", "_"): self.call("GET", f"{path}/{name}") for name in names}
        return {"company": self.call("GET", path), **answers}


def segment(value: str) -> str:
    """A value as one segment of a path. Raises :class:`SimulatorRefusal` for one that leads elsewhere."""
    if value in ("", ".", ".."):
        raise SimulatorRefusal(HTTPStatus.NOT_FOUND, "There is nothing of this name")
    return quote(value, safe="")
