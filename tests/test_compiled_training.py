"""The trial a compiler learns from passes every wire, and no gateway is taken from where it ran."""

from pathlib import Path

from bench.scenarios import ANTHROPIC, BEDROCK, CHAT
from compiled import training
from compiled.build import listed
from proxy import compiled


def test_the_trial_is_put_to_streams_and_whole_answers_of_every_wire() -> None:
    tried = {(each.wire, each.events > 0 or each.held) for each in training.loads()}
    assert tried == {
        (w, streamed) for w in (ANTHROPIC, CHAT, BEDROCK) for streamed in (True, False)
    }
    assert sum(each.duration_s for each in training.loads()) < 30


def test_its_tree_holds_all_sources_and_nothing_compiled(tmp_path: Path) -> None:
    tree = training.tree_of(tmp_path / "trial")
    for path in (*listed(), compiled.LIST, "proxy/compiled.py"):
        assert (tree / path).read_bytes() == (compiled.ROOT / path).read_bytes()
    assert not list(tree.rglob("*.so")) and not list(tree.rglob("*.pyc"))
