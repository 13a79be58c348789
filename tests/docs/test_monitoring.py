"""The Grafana dashboard and the Prometheus rules are readable and name only what ``/metrics`` has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from processor.conditions.registry import DEFINITIONS
from tests.support.serving import serving

FOLDER = Path(__file__).parents[2] / "docs" / "operations"
NAME = re.compile(r"\bcodat_[a-z_]+")
SUFFIX = re.compile(r"_(bucket|count|sum|total)$")
WITHOUT_CODAT = {"codat_quota_remaining"}
"""Exported only once Codat has told it."""


@pytest.fixture
def names(redis_url: str) -> set[str]:
    """The metrics of an empty service."""
    text = serving(redis_url).get("/metrics").get_data(as_text=True)
    return {family.name for family in text_string_to_metric_families(text)} | WITHOUT_CODAT


def rules() -> list[dict[str, Any]]:
    content = yaml.safe_load((FOLDER / "prometheus-rules.yaml").read_text("utf-8"))
    return [rule for group in content["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))["panels"])


def unknown(expressions: list[str], names: set[str]) -> set[str]:
    """Names in expressions that ``/metrics`` does not have."""
    used = {name for expression in expressions for name in NAME.findall(expression)}
    assert used
    return {name for name in used if name not in names and SUFFIX.sub("", name) not in names}


def test_every_panel_shows_metrics_that_exist(names: set[str]) -> None:
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    assert unknown(expressions, names) == set()
    assert len({panel["id"] for panel in panels()}) == len(panels()) >= 18


def test_every_metric_is_on_the_dashboard_or_summed_up_by_another(names: set[str]) -> None:
    shown = {
        SUFFIX.sub("", name)
        for panel in panels()
        for target in panel["targets"]
        for name in NAME.findall(target["expr"])
    }
    assert names - shown == {
        "codat_happenings",
        "codat_inbox_depth",  # of codat_inbox_lane_depth
        "codat_inbox_age_seconds",
        "codat_warnings",  # of codat_condition
        "codat_api_requests",  # of codat_api_call_seconds
        "codat_api_request_seconds",
    }


def test_every_rule_is_complete_and_about_metrics_that_exist(names: set[str]) -> None:
    own = [rule for rule in rules() if "codat_" in rule["expr"]]
    assert unknown([rule["expr"] for rule in own], names) == set()
    for rule in rules():
        assert re.fullmatch(r"[A-Z]\w+", rule["alert"])
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in ("critical", "page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_a_rate_is_taken_of_one_instance_because_each_answers_that_of_the_whole_store() -> None:
    expressions = [rule["expr"] for rule in rules()]
    expressions += [target["expr"] for panel in panels() for target in panel["targets"]]
    taken = [re.findall(r"(?:max by \([a-z, ]+\) \()?rate\(", expression) for expression in expressions]
    assert sum(map(len, taken)) > 10
    assert all(rate.startswith("max by ") for rates in taken for rate in rates)


def test_severities_and_labels_in_the_rules_exist() -> None:
    severities = {definition.severity.value for definition in DEFINITIONS}
    named = {match for rule in rules() for match in re.findall(r'severity="(\w+)"', rule["expr"])}
    assert named
    assert named <= severities


def test_a_metric_that_does_not_exist_is_noticed(names: set[str]) -> None:
    assert unknown(["rate(codat_nothing_total[5m])"], names) == {"codat_nothing_total"}
