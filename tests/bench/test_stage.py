"""The stage starts real processes, measures them, and leaves nothing behind."""

import os
import pathlib
import subprocess
import sys
import tomllib

import pytest

from bench import proctree
from bench.scenarios import ANTHROPIC, BEDROCK, CHAT, DIRECT, GATEWAY, NAIVE, Scenario
from bench.score import Score
from bench.stage import CannotStart, Part, Stage, Target
from proxy.config.load import load

SHORT = Scenario(name="W1", words="", unit="request", body="1k", connections=2, duration_s=0.2)


@pytest.fixture(scope="module")
def stage():  # type: ignore[no-untyped-def]
    with Stage() as opened:
        yield opened


def test_the_direct_road_carries_the_load(stage: Stage) -> None:
    outcome = stage.load(SHORT, stage.start(DIRECT, []))
    assert outcome.wrong == {}
    assert outcome.requests > 0
    assert outcome.cpu_s is None


def test_the_naive_proxy_carries_messages_and_streams_and_its_cost_is_seen(stage: Stage) -> None:
    target = stage.start(NAIVE, [])
    try:
        for scenario in (SHORT, Scenario(**{**vars(SHORT), "events": 20, "unit": "event"})):
            outcome = stage.load(scenario, target)
            assert outcome.wrong == {}
            assert outcome.requests > 0
            assert outcome.cpu_s is not None
            assert 0 < outcome.cpu_s < 10
        assert 0 < target.ready_s < 15
        assert target.idle is not None
        assert target.idle.rss_kb > 1_000
    finally:
        stage.stop(target)


def test_an_https_upstream_is_told_by_the_sessions_begun_for_it() -> None:
    scenario = Scenario(**{**vars(SHORT), "tls": True})
    with Stage(tls=True) as both:
        target = both.start(NAIVE, [])
        outcome = both.load(scenario, target)
    assert outcome.wrong == {}
    assert outcome.tls_full == scenario.connections  # kept and used again for every later request
    assert outcome.tls_resumed == 0
    assert outcome.whole >= scenario.connections


def test_a_gateway_that_does_not_start_is_said_with_its_last_words(stage: Stage) -> None:
    broken = Stage(gateway=[sys.executable, "-c", "raise SystemExit('no such house')"])
    broken.upstream_ports = stage.upstream_ports
    with pytest.raises(CannotStart, match="no such house"):
        broken.start(GATEWAY, [Part(Score())])
    broken.close()


def test_the_gateways_settings_are_toml_with_a_model_for_each_score_and_wire(
    stage: Stage, tmp_path: pathlib.Path
) -> None:
    asked = [
        *(Part(Score()), Part(Score(20)), Part(Score()), Part(Score(20), CHAT)),
        Part(Score(20), BEDROCK),
    ]
    written = stage._gateway_settings(tmp_path, 1234, asked)
    settings = tomllib.loads(written)
    assert settings["server"]["port"] == 1234
    assert settings["storage"]["url"] == f"sqlite:///{tmp_path}/gateway.db"
    served = {m["id"]: m["deployments"][0] for m in settings["models"]}
    target = Target(GATEWAY, None, port=1)
    providers = {ANTHROPIC: "bench", CHAT: "bench-chat", BEDROCK: "bench-bedrock"}
    known_as = {"base_model": "anthropic.claude-sonnet-4-5"}
    assert served == {
        target.asked(part.score, tls=False, wire=part.wire): {
            "provider": providers[part.wire],
            "model": part.score.name,
            **(known_as if part.wire == BEDROCK else {}),
        }
        for part in asked
    }
    chat = {p["name"]: p for p in settings["providers"]}["bench-chat"]
    assert (chat["wire"], chat["dialect"]) == ("openai_chat", "openai")
    assert chat["base_url"].endswith("/v1")


def test_the_gateway_takes_the_settings_for_all_wires(stage: Stage, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gateway.toml"
    parts = [Part(Score(20), CHAT), Part(Score(20), BEDROCK)]
    path.write_text(stage._gateway_settings(tmp_path, 1234, parts))
    assert {provider.wire for provider in load(path, {}).providers} == {
        "anthropic",
        "openai_chat",
        "bedrock",
    }


def test_without_translated_work_no_chat_provider_is_set_up(
    stage: Stage, tmp_path: pathlib.Path
) -> None:
    assert "openai" not in stage._gateway_settings(tmp_path, 1234, [Part(Score())])


def test_on_leaving_no_process_and_no_folder_is_left() -> None:
    with Stage() as opened:
        folder = opened.folder
        pids = [process.pid for process in opened._running]
        assert pids
        assert folder.is_dir()
    assert not folder.exists()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_cpu_time_and_memory_are_those_of_the_whole_tree() -> None:
    burn = "import time\nend=time.process_time()+0.2\nwhile time.process_time()<end: pass\n"
    tree = (
        "import subprocess,sys\n"
        f"child=subprocess.Popen([sys.executable,'-c',{burn + 'print(1,flush=True);input()'!r}],"
        "stdin=subprocess.PIPE,stdout=subprocess.PIPE)\n"
        "child.stdout.readline();print(1,flush=True);input();child.communicate(b'\\n')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", tree], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert len(proctree.pids(parent.pid)) == 2
        assert 200_000_000 <= proctree.times(parent.pid).cpu_ns < 5_000_000_000
        whole = proctree.memory(parent.pid)
        assert whole.rss_kb > whole.pss_kb > 1_000
        parent.communicate(b"\n")
    assert proctree.memory(parent.pid) == proctree.Memory(0, 0)
