"""The company and the connection of the drains' tests, and their times."""

from datetime import timedelta

from tests.support.messages import LONG_AGO
from tests.support.workbench import company_in

COMPANY = company_in(1)
CONNECTION = "connection-1"
CELL = 1


def at(seconds):
    return LONG_AGO + timedelta(seconds=seconds)
