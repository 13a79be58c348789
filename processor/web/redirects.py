"""The redirect after a form."""

from http import HTTPStatus
from typing import cast

from flask import Response, redirect


def see_other(address: str) -> Response:
    """Lead the browser to ``address`` with a ``GET``, so that a reload does not send the form again."""
    return cast(Response, redirect(address, HTTPStatus.SEE_OTHER))
