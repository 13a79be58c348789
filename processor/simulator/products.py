"""Products of a company: https://docs.codat.io/platform-api#/operations/add-product"""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from processor.simulator.entities import FirstSync, SimulatorRefusal
from processor.simulator.simulation import Simulation


def add_product_calls(api: Blueprint, simulation: Simulation) -> None:
    def check_product(product: str) -> None:
        if product not in simulation.config.products:
            raise SimulatorRefusal(404, f"The product '{product}' does not exist", "ClientsApi")

    @api.put("/companies/<company_id>/products/<product>")
    def add_product(company_id: str, product: str) -> ResponseReturnValue:
        check_product(product)
        company = simulation.world.company(company_id)
        if simulation.world.change_products(company, product, is_added=True):
            simulation.read_again(company)
        return "", 204

    @api.delete("/companies/<company_id>/products/<product>")
    def remove_product(company_id: str, product: str) -> ResponseReturnValue:
        check_product(product)
        company = simulation.world.company(company_id)
        simulation.world.change_products(company, product, is_added=False)
        return "", 204

    @api.post("/companies/<company_id>/products/<product>/refresh")
    def refresh_product(company_id: str, product: str) -> ResponseReturnValue:
        """Read a custom product again; refused (400) while a read is running."""
        check_product(product)
        company = simulation.world.company(company_id)
        if any(connection.first_sync is FirstSync.RUNNING for connection in company.present):
            raise SimulatorRefusal(400, "A sync is already in progress for this product")
        simulation.read_again(company)
        return "", 202
