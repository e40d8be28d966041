"""What docs/ says is there is there, and all that is there is said."""

import re
from pathlib import Path

import msgspec
import pytest

from proxy.cli.main import COMMANDS
from proxy.config.settings import Settings
from proxy.observe.access_log import Line
from tests.kit.every_metric import families, labels_by_name
from tests.kit.provider import provider
from tests.kit.running import house
from tests.kit.settings_page import page

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


def test_every_setting_stands_in_the_docs_with_its_default() -> None:
    assert (DOCS / "settings.md").read_text("utf-8") == page(), "`make docs` writes it anew"


PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\[[^\]]+\]\((?!https?:)(?P<path>[^)#]*)(?:#(?P<anchor>[^)]+))?\)")


def anchors(path: Path) -> set[str]:
    """Headings as the web shows them in an address."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.finditer(path.read_text("utf-8")):
        there = (path.parent / link["path"]).resolve() if link["path"] else path
        assert there.exists(), f"{path.name}: {link[0]}"
        if link["anchor"]:
            assert link["anchor"] in anchors(there), f"{path.name}: {link[0]}"


def test_every_page_is_linked_from_the_first() -> None:
    first = (DOCS / "README.md").read_text("utf-8")
    assert [
        page.name for page in PAGES if page.name not in first and page.name != "README.md"
    ] == []
    assert "(docs/README.md)" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_settings_and_commands_that_are_named_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    sections = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    for section, name in re.findall(r"`([a-z_]+)\.([a-z_]+)`", text):
        if name in ("toml", "yml", "yaml", "json", "md", "txt", "cfg"):
            continue  # a file
        assert section in sections, f"{section}.{name}"
        assert hasattr(sections[section], name), f"there is no setting {section}.{name}"
    for command in re.findall(r"(?:^|`|-- |bin/)hatz-gateway ([a-z-]+)", text, re.MULTILINE):
        assert command in COMMANDS, f"there is no command {command}"
    for command in re.findall(r"`make ([a-z-]+)`", text):
        assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_paths_that_are_named_are_answered(tmp_path: Path) -> None:
    named = {
        (method, re.sub(r"\{\w+\}", "none", place))
        for path in PAGES
        for method, place in re.findall(
            r"(GET|POST|PUT|DELETE) (/[\w/{}-]+)", path.read_text("utf-8")
        )
    }
    assert len(named) > 6
    with provider() as upstream, house(tmp_path, upstream.url) as gateway:
        for method, place in sorted(named):
            body = gateway.ask(method, place, {}, b"{}" if method != "GET" else b"").body
            assert b"Not found: " not in body, f"{method} {place}"
            assert b"is not allowed for" not in body, f"{method} {place}"


def test_a_line_of_the_log_has_the_fields_that_are_told() -> None:
    [shown] = re.findall(r'^\{"at":.+\}$', (DOCS / "operating.md").read_text("utf-8"), re.MULTILINE)
    assert list(msgspec.json.decode(shown)) == list(Line.__struct_fields__)


def test_python_of_the_docs_is_python() -> None:
    blocks = re.findall(r"```python\n(.+?)```", (DOCS / "clients.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "clients.md", "exec")
