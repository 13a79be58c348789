"""The audit trail in the API."""

from typing import Any

from processor.access.audit import ActorKind
from processor.resources import serializers
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.fields import ResponseSchema, moment, number, page_of, text, word
from processor.web.v1.parameters import AuditQuery

calls = Calls("audit", "What operators, API keys, commands and receivers did")


class AuditEntrySchema(ResponseSchema):
    """One action."""

    at = moment("When it was done.")
    kind = word(ActorKind, "What kind of actor.")
    actor = text("The operator, the key, or the user of the command, by name.")
    action = text("What was done.")
    target = text("The ids of what it was done to; `null` also where they were erased.", null=True)
    outcome = text("How it ended: `done`, or `refused` or `failed` with the status.")
    address = text("The address that it came from.", null=True)
    oldest = number("The number of the oldest entry that was kept then.")
    previous = text("The hash of the entry before.")
    hash = text("The SHA-256 of this entry.")
    number = number("Its place in the trail, without gaps.")


@calls.get("/audit", page_of(AuditEntrySchema), query=AuditQuery)
def list_audit(**query: Any) -> dict[str, Any]:
    """What operators, API keys, commands and receivers did, newest first

    Requires a key with the scope `admin`.
    """
    return serializers.page(get_container().audit.entries(**query))
