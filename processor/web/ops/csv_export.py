"""Lists as CSV (RFC 4180), for spreadsheets.

A spreadsheet takes a cell that begins with one of a few characters as a formula, also one that a stranger
wrote as a company's name; such a cell gets an apostrophe in front.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from flask import Response, request

FORMAT = "format"
MAX_ROWS = 5_000
PAGE_SIZE = 200
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff0b", "\uff0d", "\uff1d", "\uff20")

Column = str | tuple[str, Callable[[Mapping[str, Any]], Any]]
"""The member of an item that a column shows under its name, or a heading and the value of an item."""


def is_wanted() -> bool:
    """Whether the address asks for CSV."""
    return request.args.get(FORMAT) == "csv"


def response(
    name: str, columns: Sequence[Column], fetch: Callable[..., Mapping[str, Any]], query: Mapping[str, Any]
) -> Response:
    """The list from the place of ``query`` on, as a file ``name``.csv.

    At most ``MAX_ROWS`` rows, and as many pages as these fill: a filter that few pass ends it sooner.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    members = [(column, itemgetter(column)) if isinstance(column, str) else column for column in columns]
    writer.writerow([heading for heading, _ in members])
    parameters = {**query, "limit": PAGE_SIZE}
    for _ in range(MAX_ROWS // PAGE_SIZE):
        page = fetch(**parameters)
        writer.writerows([safe_cell(value(row)) for _, value in members] for row in page["items"])
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    answer = Response(text.getvalue().encode("utf-8", "backslashreplace"), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def safe_cell(value: Any) -> str:
    """The text of a cell that no spreadsheet takes as a formula."""
    if value is None:
        return ""
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
