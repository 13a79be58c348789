"""The site of a caller in a demonstration: it shows the journey in a panel, and is where its button leads."""

from pathlib import Path

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from processor.simulator.link import CONTENT_SECURITY_POLICY
from processor.simulator.simulation import Simulation

LENDER_PATH = "/lender"
BRANDS = Path(__file__).with_name("brands")
"""A folder of brands for a demonstration: ``BRAND_DIR``."""


def lender_blueprint(simulation: Simulation) -> Blueprint:
    """The page that greets whoever comes back; it shows what came with the address.

    With a link of the service as ``connect``, it opens the journey in a panel.
    """
    lender = Blueprint("lender", __name__, template_folder="templates")

    @lender.get(LENDER_PATH)
    def show() -> ResponseReturnValue:
        product_url = simulation.config.product_url
        link, policy = request.args.get("connect", ""), CONTENT_SECURITY_POLICY
        if product_url and link.startswith(f"{product_url}/connect/"):
            policy += f"; script-src {product_url}; frame-src {product_url}"
            page = render_template("simulator/lender_panel.html", link=link, product_url=product_url)
        else:
            page = render_template("simulator/lender.html", parameters=sorted(request.args.items()))
        return Response(page, headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"})

    return lender
