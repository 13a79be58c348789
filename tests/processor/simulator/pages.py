"""Reads pages as somebody without JavaScript would: forms, their buttons and what the page says."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx


@dataclass
class Form:
    """A form with its fields as they stand, and the label of each button with what it sends."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, dict[str, str]] = field(default_factory=dict)


class Page(HTMLParser):
    """What is on a page."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.answer = answer
        self.forms: list[Form] = []
        self.labels: set[str] = set()
        self.inputs: set[str] = set()
        self.text = ""
        self._form: Form | None = None
        self._select = ""
        self._button: dict[str, str] | None = None
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("method", "get"), given.get("action", ""))
            self.forms.append(self._form)
        elif tag == "label":
            self.labels.add(given["for"])
        elif tag in ("input", "select") and given.get("type") != "hidden":
            self.inputs.add(given["id"])
        if self._form is None:
            return
        if tag == "input":
            self._form.fields[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option":
            self._form.fields.setdefault(self._select, given["value"])
        elif tag == "button":
            self._button = {given["name"]: given.get("value", "")} if "name" in given else {}

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        self.text += " ".join(data.split()) + " "
        if self._form is not None and self._button is not None and data.strip():
            self._form.buttons[data.strip()] = self._button

    def forms_with(self, label: str) -> Iterator[Form]:
        """The forms that have such a button."""
        return (form for form in self.forms if label in form.buttons)

    def buttons(self) -> list[str]:
        """The labels of all buttons, in order."""
        return [label for form in self.forms for label in form.buttons]


@dataclass
class Browser:
    """Opens pages and presses buttons."""

    http: httpx.Client

    def open(self, url: str) -> Page:
        """The page at an address."""
        return Page(self.http.get(url))

    def press(self, page: Page, label: str, **fields: str) -> Page:
        """The page after pressing the first button with that label, with fields filled in before."""
        form = next(page.forms_with(label))
        sent = {**form.fields, **form.buttons[label], **fields}
        url = page.answer.url.join(form.action)
        return Page(self.http.request(form.method.upper(), url, data=sent))
