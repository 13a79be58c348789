"""The authorisation journey: companies, platforms, connections, links, and the way back from Codat."""

from processor.journey.addresses import with_query
from processor.journey.answers import (
    CompanyView,
    ConnectionSync,
    ConnectionView,
    DataTypeSync,
    Done,
    Platform,
    Started,
    SyncView,
)
from processor.journey.errors import AlreadyConnected, CodatNotSet, CompanyGone, TokenExpired, TokenInvalid
from processor.journey.making import make_journey
from processor.journey.outcome import LinkOutcome
from processor.journey.service import Journey
from processor.journey.tokens import LinkClaims, Tokens

__all__ = [
    "AlreadyConnected",
    "CodatNotSet",
    "CompanyGone",
    "CompanyView",
    "ConnectionSync",
    "ConnectionView",
    "DataTypeSync",
    "Done",
    "Journey",
    "LinkClaims",
    "LinkOutcome",
    "Platform",
    "Started",
    "SyncView",
    "TokenExpired",
    "TokenInvalid",
    "Tokens",
    "make_journey",
    "with_query",
]
