"""The authorisation journey: companies, platforms, connections, links, and the way back from Codat."""

from processor.journey.addresses import with_query
from processor.journey.errors import AlreadyConnected, CodatNotSet, CompanyGone, TokenExpired, TokenInvalid
from processor.journey.link_redirect import LinkRedirect
from processor.journey.models import (
    ChangeResult,
    CompanyView,
    ConnectionSync,
    ConnectionView,
    DataTypeSync,
    LinkSession,
    PlatformView,
    SyncView,
)
from processor.journey.service import Journey
from processor.journey.tokens import LinkClaims, Tokens
from processor.journey.wiring import make_journey

__all__ = [
    "AlreadyConnected",
    "ChangeResult",
    "CodatNotSet",
    "CompanyGone",
    "CompanyView",
    "ConnectionSync",
    "ConnectionView",
    "DataTypeSync",
    "Journey",
    "LinkClaims",
    "LinkRedirect",
    "LinkSession",
    "PlatformView",
    "SyncView",
    "TokenExpired",
    "TokenInvalid",
    "Tokens",
    "make_journey",
    "with_query",
]
