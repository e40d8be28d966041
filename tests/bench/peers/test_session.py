"""A comparison from its first process to its last: who can be measured is, who cannot is named."""

import sys

import pytest

from bench.load import Outcome
from bench.peers import cases, figures, known, session, tables
from bench.peers.recipe import Recipe
from bench.peers.session import Session
from bench.stage import ROOT, Stage

OTHER = Recipe(
    name="other",
    route="aiohttp, joined",
    command=[sys.executable, "-m", "bench.naive_proxy", "$port=$upstream"],
    env={"PYTHONPATH": str(ROOT)},
)
BROKEN = Recipe(name="broken", command=[sys.executable, "-c", "raise SystemExit('out of order')"])


def unavailable() -> Recipe:
    raise known.CannotInstall("pip: no network")


def test_targets_are_measured_alike_and_the_absent_are_named_with_their_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(known.KNOWN, known.LITELLM, unavailable)
    names = ["direct", known.LITELLM, "other", "broken", "gateway"]
    compared = Session(names, [OTHER, BROKEN], only=["whole-1k"])
    compared.prepare()
    with Stage(tls=True) as stage:
        found = compared.carry_out(stage, 1)
    assert [about.name for about in found.about] == ["direct", "other", "gateway"]
    assert {gone.name for gone in found.absent} == {"litellm", "broken"}
    said = tables.text(found)
    assert "litellm: NOT MEASURED, not installed: pip: no network" in said
    assert "out of order" in said
    assert [found.wrong(name) for name in ("direct", "other", "gateway")] == [{}, {}, {}]
    rows = {row.figure.key: row for row in figures.rows(found)}
    assert set(rows) >= {"whole-1k", "rate-1k", "idle", "ready"}
    assert all((rows["whole-1k"].values[name] or 0) > 0 for name in ("other", "gateway"))
    assert found.seconds > 0
    assert 0 <= found.others_share <= 1


def test_a_reason_is_one_short_line_that_names_no_folder() -> None:
    said = "could not:\n  File /home/somebody/place/peer.py, line 3\nsee http://127.0.0.1:80/v1/x"
    assert session.one_line(said) == (
        "could not: File peer.py, line 3 see http://127.0.0.1:80/v1/x"
    )
    assert len(session.one_line("x" * 1_000)) < 210


class Holder:
    """Holds so many streams and no more."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked: list[int] = []
        self.starts = 0

    def why_not(self, streams: int) -> str:
        self.asked.append(streams)
        return f"{streams} stalled" if streams > self.most else ""

    def afresh(self) -> None:
        self.starts += 1


def test_the_search_climbs_until_a_stream_stalls() -> None:
    holder = Holder(300)
    assert session.climb(100, holder.why_not, holder.afresh) == (247, "309 stalled")
    assert holder.asked == [100, 125, 157, 197, 247, 309]
    assert holder.starts == 0


def test_a_first_step_that_is_too_high_is_halved_in_a_process_of_its_own() -> None:
    holder = Holder(60)
    most, said = session.climb(200, holder.why_not, holder.afresh)
    assert 50 <= most <= 60
    assert said.endswith("stalled")
    assert holder.starts == 2


def test_who_holds_not_even_ten_holds_none_and_who_holds_all_is_capped() -> None:
    none, all_of_them = Holder(0), Holder(10**6)
    assert session.climb(40, none.why_not, none.afresh) == (0, "10 stalled")
    assert session.climb(900, all_of_them.why_not, all_of_them.afresh) == (
        cases.STREAMS_MAX,
        "",
    )


def outcome(**seen: int) -> Outcome:
    fields = {"whole": 5, "stalled": 0, **seen}
    return Outcome(
        seconds=1.0,
        requests=0,
        events=0,
        cpu_s=None,
        waited_s=None,
        reply=None,
        first_event=None,
        lag=None,
        wrong={},
        **fields,
    )


def test_streams_are_held_only_when_all_are_whole_right_and_in_time() -> None:
    assert session.why_not_held(outcome(), 5) == ""
    assert session.why_not_held(outcome(stalled=1), 5) == "1 of 5 stalled"
    assert session.why_not_held(outcome(whole=4), 5) == "1 missing"
    bad = outcome()
    bad.wrong = {"status 500": 2}
    assert session.why_not_held(bad, 5) == "status 500"
