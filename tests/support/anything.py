"""Whatever may come: headers and bodies of every kind, some of them close to real ones."""

import json
import time

from hypothesis import strategies as st

from tests.support import messages
from tests.support.messages import AUTHORIZATION

COMPANY = "0498e921-9b53-4396-a412-4f2f5983b0a2"
CONNECTION = "ee2eb431-c0fa-4dc9-93fa-d29781c12bcd"
BODY = messages.connected(COMPANY, CONNECTION)

HEADER_NAMES = st.sampled_from(
    [
        f"{family}-{part}"
        for family in ("webhook", "svix", "WEBHOOK")
        for part in ("id", "timestamp", "signature")
    ]
    + ["Authorization", "X-Codat-ClientId", "X-Forwarded-For", "Content-Type", "Transfer-Encoding", "Expect"]
    + ["Content-Encoding", "Accept", "Cookie", "Range", "Forwarded", "X-HTTP-Method-Override"]
)
HEADER_VALUES = st.text(
    st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40
) | st.sampled_from(
    [AUTHORIZATION, "v1,", "v1,AAAA", str(int(time.time())), "chunked", "100-continue", "gzip", "-1"]
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(
    [
        "connection.connected",
        "connection.disconnected",
        "connection.failed",
        "CONNECTION.CREATED",
        "read.completed",
        "read.completed.initial",
        "company.deleted",
        "client.rateLimit.reached",
        "x",
    ]
)
RULES = st.sampled_from(
    [
        "DataConnectionStatusChanged",
        "New company synchronized",
        "Data sync completed",
        "Sync Connection Deleted",
        "x",
    ]
)
KNOWN = st.fixed_dictionaries(
    {},
    optional={
        "referenceCompany": st.fixed_dictionaries({"id": JSONS | st.just(COMPANY)}) | JSONS,
        "connection": st.fixed_dictionaries({"id": JSONS | st.just(CONNECTION), "status": JSONS}) | JSONS,
        "dataTypes": st.lists(
            st.fixed_dictionaries({"connectionId": JSONS, "dataType": JSONS, "issues": JSONS}), max_size=2
        )
        | JSONS,
        "connectionId": JSONS,
        "expiryDate": JSONS,
        "id": JSONS,
        "tags": JSONS,
    },
)
BODIES = (
    st.binary(max_size=60)
    | JSONS.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda kind, payload, at: json.dumps(
            {"eventType": kind, "payload": payload, "generatedDate": at}
        ).encode(),
        TYPES | JSONS,
        KNOWN | JSONS,
        JSONS,
    )
    | st.builds(
        lambda kind, company, connection, data: json.dumps(
            {"RuleType": kind, "CompanyId": company, "DataConnectionId": connection, "Data": data}
        ).encode(),
        RULES | JSONS,
        st.just(COMPANY) | JSONS,
        st.just(CONNECTION) | JSONS,
        st.fixed_dictionaries({}, optional={"newStatus": JSONS, "oldStatus": JSONS, "dataType": JSONS})
        | JSONS,
    )
    | st.builds(
        lambda body, at, piece: body[:at] + piece + body[at:],
        st.just(BODY),
        st.integers(0, 600),
        st.binary(max_size=3),
    )
)
