"""The alerts and the dashboard ask for metrics that exist, in expressions that Prometheus reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from tests.documentation.pages import ROOT
from tests.telemetry.metrics_of_the_code import CODE

ALERTS = ROOT / "monitoring" / "alerts.yml"
DASHBOARD = ROOT / "monitoring" / "grafana-dashboard.json"
SEVERITIES = {"info", "warning", "critical"}
# Prometheus itself records it of each target.
OF_PROMETHEUS = {"up": {"job", "instance"}}
OF_EVERY_TARGET = {"job", "instance", "worker"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def expressions() -> dict[str, str]:
    """Return every expression, by where it stands; Grafana's variables are filled in."""
    found = {rule["alert"]: str(rule["expr"]) for rule in rules()}
    for panel in panels():
        for number, target in enumerate(panel["targets"]):
            text = target["expr"].replace("$__rate_interval", "5m")
            found[f"{panel['title']} {number}"] = re.sub(r"\$(job|instance)\b", "x", text)
    return found


def selectors(node: Any) -> Iterator[Any]:
    """Return the selectors in an expression, whatever holds them."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "args", "vector_selector", "param"):
        inner = getattr(node, name, None)
        for each in inner if isinstance(inner, list) else [inner]:
            if each is not None:
                yield from selectors(each)


EXPRESSIONS = expressions()


def test_there_is_something_to_look_at() -> None:
    assert len(rules()) >= 10
    assert len(list(panels())) >= 15
    assert len(EXPRESSIONS) >= 30


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_every_metric_and_label_of_an_expression_exists(place: str) -> None:
    used = list(selectors(promql_parser.parse(EXPRESSIONS[place])))
    assert used
    for selector in used:
        name = re.sub(r"_(bucket|sum|count)$", "", selector.name)
        if name in OF_PROMETHEUS:
            labels = OF_PROMETHEUS[name]
        else:
            labels = set(CODE[name].labels) | OF_EVERY_TARGET
            assert (CODE[name].kind == "histogram") == (name != selector.name)
        assert {matcher.name for matcher in selector.matchers.matchers} <= labels


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_only_counters_and_histograms_have_rates(place: str) -> None:
    for name in re.findall(r"(?:rate|increase)\((\w+)", EXPRESSIONS[place]):
        assert CODE[re.sub(r"_bucket$", "", name)].kind in {"counter", "histogram"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Vumeter")
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description"}
    named = re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))
    by = re.findall(r"\bby \(([^)]*)\)", str(rule["expr"]))
    kept = {label for labels in by for label in re.findall(r"\w+", labels)}
    assert not by or set(named) <= kept


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_alerts() -> None:
    subprocess.run(["promtool", "check", "rules", ALERTS], check=True, timeout=60)


def test_the_dashboard_is_what_its_tool_writes() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tools.grafana_dashboard", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_no_two_panels_have_one_title_and_each_says_what_it_shows() -> None:
    titles = [panel["title"] for panel in panels()]
    assert len(titles) == len(set(titles))
    assert all(panel["description"] for panel in panels())
