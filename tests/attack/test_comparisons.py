"""Secrets are compared in constant time: the first wrong byte must not show in how long a refusal takes."""

import ast

from tests.support.house import modules

COMPARISONS = {
    "processor/access/operators.py": 2,
    "processor/alerts/signature.py": 2,
    "processor/journey/opt_out.py": 1,
    "processor/settings/people.py": 1,
    "processor/web/csrf.py": 1,
    "processor/web/ops/signing_in.py": 1,
}
"""Calls of ``hmac.compare_digest`` by module."""


def test_secrets_are_compared_in_constant_time() -> None:
    """A comparison that is taken away or replaced by ``==`` is missed here."""
    counts = {
        path: sum(
            isinstance(node, ast.Call) and ast.unparse(node.func) == "hmac.compare_digest"
            for node in ast.walk(ast.parse(text))
        )
        for path, text in modules()
        if "compare_digest" in text and not path.startswith("processor/simulator/")
    }
    assert {path: count for path, count in counts.items() if count} == COMPARISONS
