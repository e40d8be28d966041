"""What docs/ says is there is there, and all that is there is said."""

import re
from pathlib import Path

from tests.kit.every_metric import families, labels_by_name

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<type>\w+) \| (?P<labels>[^|]*) \| (?P<text>.+) \|$")


def test_every_metric_stands_in_the_docs_with_its_type_and_labels() -> None:
    said = {}
    for line in (DOCS / "metrics.md").read_text("utf-8").splitlines():
        if row := ROW.match(line):
            assert row["name"] not in said, f"{row['name']} is there twice"
            said[row["name"]] = (row["type"], set(re.findall(r"\w+", row["labels"])))
    there = {}
    for family in families():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels}
        there[name] = (family.type, labels - {"le"})
    assert said == there


def test_names_of_metrics_in_running_text_exist() -> None:
    known = {name.removesuffix("_bucket") for name in labels_by_name()}
    known |= {family.name for family in families()}
    for path in (ROOT / "README.md", *DOCS.rglob("*.md")):
        for name in re.findall(r"`((?:hatz|gen_ai)_[a-z_]+)`", path.read_text("utf-8")):
            labels = {label for labels in labels_by_name().values() for label in labels}
            assert name in known | labels, f"{path.name}: {name}"
