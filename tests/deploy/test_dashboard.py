"""The dashboard and the alerts ask only for what is exported, and Prometheus can read them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config.settings import Settings
from tests.kit.every_metric import labels_by_name

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
# Labels a scrape adds, and what Prometheus itself says of each target.
OF_THE_SCRAPE = {"instance", "job"}
METRICS = labels_by_name() | {"up": set()}
LABELS = OF_THE_SCRAPE.union(*METRICS.values())

_SELECTOR = re.compile(r"(?P<name>\b[a-z_]+)\{(?P<labels>[^}]*)\}")
_WORD = re.compile(r"\b(?P<word>[a-z][a-z_0-9]*)\b(?P<opens>\s*\()?")
_GROUPED = re.compile(r"\b(?:by|on|without|ignoring)\s*\((?P<labels>[^)]*)\)")
_KEYWORDS = {"by", "on", "and", "or", "unless", "group_left", "without", "ignoring", "bool"}
# In Grafana's own hands: an interval that holds two scrapes, everything of a variable.
_INTERVAL, _ALL = "5m", ".*"


def dashboard_queries() -> Iterator[tuple[str, str]]:
    """What each panel asks, as Grafana would send it."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                asked = target["expr"].replace("$__rate_interval", _INTERVAL)
                yield panel["title"], re.sub(r"\$\w+", _ALL, asked)


def alert_rules() -> list[dict[str, Any]]:
    read = yaml.safe_load(ALERTS.read_text("utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


QUERIES = [*dashboard_queries(), *((rule["alert"], rule["expr"]) for rule in alert_rules())]


def check(query: str) -> None:
    """Fail for what is not exported."""
    named = set()
    for selector in _SELECTOR.finditer(query):
        assert selector["name"] in METRICS, f"{selector['name']} is not exported"
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector["labels"]))
        missing = asked - METRICS.get(selector["name"], set()) - OF_THE_SCRAPE
        assert not missing, f"{selector['name']} has no {missing}"
        named.add(selector["name"])
    for group in _GROUPED.finditer(query):
        labels = {label.strip() for label in group["labels"].split(",")}
        has = OF_THE_SCRAPE.union(*(METRICS.get(name, set()) for name in _metrics_of(query)))
        assert labels <= has, f"{labels - has} is on none of its metrics"
    bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', "", _GROUPED.sub("", query))
    for word in _WORD.finditer(bare):
        if not word["opens"] and word["word"] not in _KEYWORDS | {"e"}:
            assert word["word"] in METRICS, f"{word['word']} is not exported"
            named.add(word["word"])
    assert named, "it asks for nothing"


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_a_query_names_metrics_and_labels_that_are_exported(where: str, query: str) -> None:
    check(query)


WRONG = [
    "rate(hatz_nothing_total[5m])",
    'hatz_nothing{instance="a"}',
    'rate(hatz_failovers_total{model="m"}[5m])',
    "sum by (model) (rate(hatz_failovers_total[5m]))",
    "rate(hatz_stage_seconds[5m])",
    "hatz_spool_bytes / hatz_spool_limit",
]


@pytest.mark.parametrize("query", WRONG)
def test_a_wrong_query_is_caught(query: str) -> None:
    with pytest.raises(AssertionError, match=r"is not exported|has no|is on none"):
        check(query)


def _metrics_of(query: str) -> set[str]:
    return {word for word in re.findall(r"\b[a-z_]+\b", query) if word in METRICS}


def test_every_metric_is_drawn_or_watched() -> None:
    asked = set().union(*(_metrics_of(query) for _, query in QUERIES))
    families = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in asked}
    unseen = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in METRICS} - families
    # What runs here is in the list of gateways; what was learned is read in the text itself.
    assert unseen == {"hatz_build_info", "hatz_learned_refusals"}


def test_panels_have_places_of_their_own_and_say_where_their_data_is_from() -> None:
    for path in DASHBOARDS:
        board = json.loads(path.read_text("utf-8"))
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken, f"{panel['title']} lies on another"
            taken |= cells
            if panel["type"] != "row":
                assert panel["datasource"]["uid"] == "${datasource}"
                refs = [target["refId"] for target in panel["targets"]]
                assert refs == sorted(set(refs))
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                name, label = re.fullmatch(
                    r"label_values\((\w+), (\w+)\)", variable["definition"]
                ).groups()
                assert label in METRICS[name] | OF_THE_SCRAPE


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "action"}
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            assert label in LABELS


def test_what_alerts_tell_one_to_look_at_is_there() -> None:
    for rule in alert_rules():
        for name in re.findall(r"\bhatz_\w+", rule["annotations"]["action"]):
            assert any(known.startswith(name) for known in METRICS), name
        for section, name in re.findall(r"\b([a-z]+)\.([a-z_]+)\b", rule["annotations"]["action"]):
            assert hasattr(getattr(Settings(), section), name), f"no setting {section}.{name}"


def promtool(*arguments: str) -> None:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian's package prometheus brings it)")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_the_alerts_and_they_do_what_their_tests_say() -> None:
    promtool("check", "rules", str(ALERTS))
    promtool("test", "rules", str(ALERTS.with_name("alerts_test.yml")))


def test_prometheus_reads_its_configuration() -> None:
    promtool("check", "config", str(ALERTS.with_name("prometheus.yml")))


def test_prometheus_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"of:panel_{number}", "expr": query}
        for number, (_, query) in enumerate(dashboard_queries())
    ]
    place = tmp_path / "queries.yml"
    place.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    promtool("check", "rules", str(place))
