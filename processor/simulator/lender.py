"""The site of a caller, to which the journey's button leads in a demonstration."""

from pathlib import Path

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from processor.simulator.link import CONTENT_SECURITY_POLICY

LENDER_PATH = "/lender"
BRANDS = Path(__file__).with_name("brands")
"""A folder of brands for a demonstration: ``BRAND_DIR``."""


def lender_blueprint() -> Blueprint:
    """The page that greets whoever comes back; it shows what came with the address."""
    lender = Blueprint("lender", __name__, template_folder="templates")

    @lender.get(LENDER_PATH)
    def show() -> ResponseReturnValue:
        page = render_template("simulator/lender.html", parameters=sorted(request.args.items()))
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
        return Response(page, headers=headers)

    return lender
