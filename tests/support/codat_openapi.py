"""Codat's published OpenAPI file (https://github.com/codatio/oas), or an excerpt for the calls in use.

``python -m tests.support.codat_openapi`` writes the excerpt from the file, where that is at hand.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "codat" / "openapi-platform.json"
EXCERPT = Path(__file__).parent / "codat_openapi.json"

PATHS = (
    "/companies",
    "/companies/{companyId}",
    "/companies/{companyId}/connections",
    "/companies/{companyId}/connections/{connectionId}",
    "/companies/{companyId}/data/all",
    "/companies/{companyId}/data/history",
    "/companies/{companyId}/dataStatus",
    "/integrations",
    "/integrations/{platformKey}",
    "/integrations/{platformKey}/branding",
    "/webhooks",
    "/webhooks/{webhookId}",
)
MESSAGES = ("CompanyWebhook", "ConnectionWebhook", "ReadCompletedWebhook")
PROSE = {"description", "summary", "title", "example", "examples", "tags", "externalDocs"}
NAMED = {"properties", "schemas", "responses", "parameters", "definitions", "paths"}
"""Objects whose keys are names, which may be the words of ``PROSE``."""


def spec() -> dict[str, Any]:
    """The published file where it is at hand, else the excerpt."""
    return published() if PUBLISHED.exists() else excerpt()


def published() -> dict[str, Any]:
    """The published file."""
    return _loaded(PUBLISHED)


def excerpt() -> dict[str, Any]:
    """The excerpt that is kept beside this module."""
    return _loaded(EXCERPT)


def excerpt_of(whole: dict[str, Any]) -> dict[str, Any]:
    """The calls in ``PATHS``, the messages in ``MESSAGES``, and what they refer to, without prose."""
    places = [("paths", path) for path in PATHS]
    pending = [*places, *(("components", "schemas", name) for name in MESSAGES)]
    parts: dict[str, Any] = {}
    while pending:
        *folders, name = pending.pop()
        source, target = whole, parts
        for folder in folders:
            source, target = source[folder], target.setdefault(folder, {})
        if name not in target:
            target[name] = source[name]
            pending += _references(source[name])
    without_prose = _without_prose(parts)
    return {"openapi": whole["openapi"], **without_prose}


def _references(node: Any) -> Iterator[tuple[str, ...]]:
    """Places of the components and paths that a node refers to."""
    children = node if isinstance(node, list) else list(node.values()) if isinstance(node, dict) else []
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        names = [unquote(name).replace("~1", "/").replace("~0", "~") for name in node["$ref"].split("/")[1:]]
        yield tuple(names[: 2 if names[0] == "paths" else 3])
    for child in children:
        yield from _references(child)


def _without_prose(node: Any, *, are_names: bool = False) -> Any:
    if isinstance(node, list):
        return [_without_prose(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_prose(value, are_names=key in NAMED)
        for key, value in node.items()
        if are_names or not (key in PROSE or key.startswith("x-"))
    }


def _loaded(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    return loaded


if __name__ == "__main__":
    EXCERPT.write_text(json.dumps(excerpt_of(published()), indent=1, sort_keys=True) + "\n", encoding="utf-8")
