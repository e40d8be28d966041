"""The table shows everybody, also who could not come, what was wrong and where we lose."""

import pathlib
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from bench import compare
from bench.peers import figures, plots, results, tables
from bench.peers.results import Comparison

MakeComparison = Callable[..., Comparison]


def test_the_text_names_machine_routes_the_absent_changes_and_losses(
    make_comparison: MakeComparison,
) -> None:
    said = tables.text(make_comparison(ours=8.0, others_share=0.4))
    assert "OTHER WORK was running: it had 40% of the CPUs' time" in said
    assert "portkey 2: its road" in said
    assert "litellm: NOT MEASURED, not installed: no network" in said
    assert "portkey changed: " in said
    assert "x other message.id" in said
    assert "nginx held 1,000, not the next step: 3 of 1250 stalled" in said
    assert "where we are not the best of all:\n  CPU per request, 1 kB prompt" in said
    assert "≥ 1,600" in said
    quiet = tables.text(make_comparison(ours=0.5))
    assert "OTHER WORK" not in quiet
    assert "CPU per request, 1 kB prompt, not streamed, µs: " not in quiet


def test_wrong_replies_are_shown_with_their_reason(make_comparison: MakeComparison) -> None:
    made = make_comparison()
    made.measurements[2].outcome.wrong = {"status 500 oops": 3}
    said = tables.text(made)
    assert "portkey wrong: 3 x status 500 oops" in said


def test_who_came_to_nothing_in_the_window_is_not_mistaken_for_one_not_asked(
    make_comparison: MakeComparison,
) -> None:
    made = make_comparison()
    for measured in made.measurements:
        if measured.scenario == "burst" and measured.target == "portkey":
            measured.outcome.requests = measured.outcome.events = 0
    (line,) = [
        line for line in tables.text(made).splitlines() if line.startswith("CPU per event, as")
    ]
    assert "none done" in line
    assert line.split("µs")[1].split()[0] == "-"  # no proxy, no cost


def test_the_markdown_is_one_table_with_a_row_for_each_figure(
    make_comparison: MakeComparison,
) -> None:
    made = make_comparison()
    text = tables.markdown(made)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(figures.rows(made)) + 2
    assert len({line.count("|") for line in lines}) == 1
    assert "| **200** |" in text


def test_a_kept_result_is_drawn_anew_as_the_same_pictures_with_every_target(
    make_comparison: MakeComparison,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = make_comparison()
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.write(made, tmp_path / "kept.json")
    assert results.read(tmp_path / "kept.json") == made
    assert compare.main(["--draw", "kept"]) == 0
    assert "portkey 2: its road" in capsys.readouterr().out
    assert (tmp_path / "kept.md").read_text() == tables.markdown(made)
    pictures = plots.draw(made, tmp_path / "again", "kept")
    assert [path.name for path in pictures] == [
        "kept-cost.svg",
        "kept-latency.svg",
        "kept-capacity.svg",
    ]
    for path in pictures:
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
        words = " ".join(ET.parse(path).getroot().itertext())
        assert all(name in words for name in ("nginx", "portkey", "gateway"))
        assert path.stat().st_size < 100_000


def test_the_committed_result_holds_everybody_and_its_table_is_of_its_numbers() -> None:
    kept = results.FOLDER / "others.json"
    found = results.read(kept)
    assert {about.name for about in found.about} | {gone.name for gone in found.absent} >= {
        "direct",
        "nginx",
        "haproxy",
        "naive",
        "litellm",
        "portkey",
        "gateway",
    }
    assert [why for why in found.wrong("gateway") if "in time" not in why] == []
    assert (results.FOLDER / "others.md").read_text() == tables.markdown(found)


def test_an_unknown_target_or_case_is_refused_with_the_names_there_are(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    assert compare.main(["--targets", "nobody"]) == 2
    assert "there are direct, nginx" in capsys.readouterr().err
    assert compare.main(["--only", "nothing"]) == 2
    assert "there are paced, whole-1k" in capsys.readouterr().err
    assert compare.main(["--peers", str(tmp_path / "gone.toml")]) == 2
    taken = tmp_path / "peers.toml"
    taken.write_text("[[peers]]\nname = 'gateway'\ncommand = ['x']\n")
    assert compare.main(["--peers", str(taken)]) == 2
    assert "another name" in capsys.readouterr().err
