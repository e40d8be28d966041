"""One comparison: every target afresh and alone on its CPU, all cases, in rounds.

A target that cannot be had is noted with its reason and the others go on.
"""

import dataclasses
import datetime as dt
import math
import os
import pathlib
import re
import time
from collections.abc import Callable, Sequence

from bench import load, nginx, proctree
from bench.load import Outcome
from bench.peers import cases, known
from bench.peers.recipe import Recipe
from bench.peers.results import About, Absent, Comparison, Held
from bench.results_file import Measurement, Start
from bench.run import machine, say
from bench.scenarios import DIRECT, GATEWAY, NAIVE, NGINX, Scenario
from bench.stage import CannotStart, Part, Stage, Target
from proxy import __version__, compiled

TARGETS = (DIRECT, NGINX, known.HAPROXY, NAIVE, known.LITELLM, known.PORTKEY, GATEWAY)
PATIENCE_S = 15.0
HELD_PATIENCE_S = 5.0
SETTLE_LIMIT_S = 8.0
SETTLE_LOOK_S = 0.25
IDLE_SHARE = 0.2
REASON_CHARACTERS = 200
_FOLDERS = re.compile(r"(?<![\w.])/(?:[\w.-]+/)+")
STREAMS_MIN = 10
FIRST_SHARE = 0.7
"""Of the streams whose events would fill the CPU, the first step holds so many."""
BACKGROUND_LEAD_S = 1.0
"""From a background load's start to the small requests', in which it gets going."""
BACKGROUND_REST_S = 0.5
_OWN = {
    DIRECT: About(name=DIRECT, version="", route="no proxy: the limit of load and upstream"),
    NAIVE: About(
        name=NAIVE,
        version="",
        route="aiohttp's client and server joined, on uvloop; passes on, nothing else",
        limit=True,
    ),
    GATEWAY: About(
        name=GATEWAY,
        version=f"{__version__}, {compiled.IN_USE}",
        route="POST /v1/anthropic/v1/messages; keys, allowances, burst limits, ledger on SQLite "
        "and metrics on; one worker",
    ),
}


class Session:
    """The state of one comparison: which targets there are, what was found so far."""

    def __init__(
        self,
        names: Sequence[str],
        own: Sequence[Recipe],
        *,
        quick: bool = False,
        only: Sequence[str] = (),
    ) -> None:
        self.quick = quick
        self.only = only
        self.results = Comparison(
            taken_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            machine=machine(),
            rounds=0,
            quick=quick,
        )
        self.names = list(names)
        self.recipes = {recipe.name: recipe for recipe in own}

    # who is there

    def prepare(self) -> None:
        """Install what is missing; note who cannot come."""
        for name in list(self.names):
            try:
                self.results.about.append(self._about(name))
            except known.CannotInstall as problem:
                self._leave_out(name, f"not installed: {problem}")

    def _about(self, name: str) -> About:
        if name in _OWN:
            return _OWN[name]
        if name == NGINX:
            say("installing nginx")
            if reason := nginx.install():
                raise known.CannotInstall(reason)
            return About(name=name, version=nginx.version(), route=nginx.ROUTE, limit=True)
        if name not in self.recipes:
            say(f"installing {name}")
            self.recipes[name] = known.recipe(name)
        recipe = self.recipes[name]
        return About(name=name, version=recipe.version, route=recipe.route, limit=recipe.limit)

    def _leave_out(self, name: str, reason: str) -> None:
        self.names.remove(name)
        self.results.about = [about for about in self.results.about if about.name != name]
        self.results.absent.append(Absent(name=name, reason=one_line(reason)))

    # the measuring

    def carry_out(self, stage: Stage, rounds: int) -> Comparison:
        """All rounds on an entered stage; what was found."""
        results = self.results
        results.rounds = rounds
        began, busy_s, own_s = time.monotonic(), _busy_s(), _own_s()
        for number in range(rounds):
            turn = number % max(1, len(self.names))  # nobody is always first
            for name in self.names[turn:] + self.names[:turn]:
                try:
                    self._one_target(stage, name, number, last=number == rounds - 1)
                except CannotStart as problem:
                    self._leave_out(name, f"could not be measured: {problem}")
        stage.close()  # what a process used is known when it has ended
        results.seconds = time.monotonic() - began
        others_s = (_busy_s() - busy_s) - (_own_s() - own_s)
        results.others_share = max(0.0, others_s / results.seconds / (os.cpu_count() or 1))
        return results

    def _wanted(self, scenario: Scenario) -> bool:
        return not self.only or scenario.name in self.only

    def _case(self, scenario: Scenario) -> Scenario:
        return cases.quick(scenario) if self.quick else scenario

    def _start(self, stage: Stage, name: str) -> Target:
        parts = [Part(self._case(scenario).score(load.SETTLE_S)) for scenario in cases.EVERY]
        if name in self.recipes:
            return stage.start_peer(self.recipes[name], parts)
        return stage.start(name, parts)

    def _one_target(self, stage: Stage, name: str, number: int, *, last: bool) -> None:
        """One target, started afresh: the streams first, while its memory is its own."""
        target = self._start(stage, name)
        try:
            if target.idle is not None:
                self.results.starts.append(
                    Start(
                        target=name,
                        round=number,
                        ready_s=target.ready_s,
                        idle_rss_kb=target.idle.rss_kb,
                        idle_pss_kb=target.idle.pss_kb,
                    )
                )
            for scenario in (cases.PACED, *cases.CLOSED, *(cases.TLS if last else ())):
                if not self._wanted(scenario):
                    continue
                if scenario.tls and name in self.recipes and not self.recipes[name].tls:
                    continue
                self._note(stage, target, scenario, number)
            if last and self._wanted(cases.SMALL):
                self._beside(stage, target, number)
            if last and self._wanted(cases.HELD):
                target = self._most_streams(stage, target)
        finally:
            stage.stop(target)

    def _note(self, stage: Stage, target: Target, scenario: Scenario, number: int) -> None:
        scenario = self._case(scenario)
        say(f"round {number + 1}/{self.results.rounds}  {target.name:8} {scenario.name}")
        outcome = stage.load(scenario, target, warmup_s=cases.WARMUP_S, patience_s=PATIENCE_S)
        self._keep(scenario, target, number, outcome)
        if scenario.held or outcome.wrong:
            settle(target)

    def _keep(self, scenario: Scenario, target: Target, number: int, outcome: Outcome) -> None:
        self.results.measurements.append(
            Measurement(
                scenario=scenario.name,
                target=target.name,
                round=number,
                unit=scenario.unit,
                streams=scenario.connections if scenario.held else 0,
                outcome=outcome,
            )
        )

    def _beside(self, stage: Stage, target: Target, number: int) -> None:
        """What a small request waits for alone, beside big ones, beside a flood of bad keys."""
        self._note(stage, target, cases.SMALL, number)
        beside = [(cases.BIG, cases.BESIDE_BIG, False)]
        recipe = self.recipes.get(target.name)
        if target.name == GATEWAY or (recipe is not None and recipe.keys):
            beside.append((cases.FLOOD, cases.BESIDE_FLOOD, True))
        for background, name, foul in beside:
            say(f"round {number + 1}/{self.results.rounds}  {target.name:8} {name}")
            small = dataclasses.replace(self._case(cases.SMALL), name=name)
            behind = stage.begin_load(
                background.lasting(small.duration_s + BACKGROUND_LEAD_S + BACKGROUND_REST_S),
                target,
                warmup_s=cases.WARMUP_S,
                patience_s=PATIENCE_S,
                foul_keys=foul,
            )
            try:
                time.sleep(BACKGROUND_LEAD_S)
                seen = stage.load(small, target, warmup_s=cases.WARMUP_S, patience_s=PATIENCE_S)
            finally:
                beside_it = stage.outcome(behind)
            self._keep(small, target, number, seen)
            self._keep(background, target, number, beside_it)
            settle(target)

    def _most_streams(self, stage: Stage, target: Target) -> Target:
        """Hold more and more paced streams until one stalls. Gives back the target, which is
        another process when the first step was too high."""
        name = target.name
        scenario = self._case(cases.HELD)

        def why_not(streams: int) -> str:
            say(f"{name}: {streams} streams")
            outcome = stage.load(
                dataclasses.replace(scenario, connections=streams),
                target,
                warmup_s=cases.WARMUP_S,
                patience_s=HELD_PATIENCE_S,
            )
            return why_not_held(outcome, streams)

        def afresh() -> None:
            nonlocal target
            stage.stop(target)
            target = self._start(stage, name)

        cost_us = self.results.cost_us(cases.PACED.name, name)
        full = 1e6 / cost_us / (1000 / cases.STREAM_PERIOD_MS) if cost_us else cases.STREAMS_MAX
        try:
            most, stopped_by = climb(int(full * FIRST_SHARE), why_not, afresh)
        except CannotStart as problem:
            most, stopped_by = 0, f"did not start again: {one_line(str(problem))}"
        self.results.held.append(
            Held(target=name, streams=most, capped=not stopped_by, stopped_by=stopped_by)
        )
        return target


def settle(target: Target) -> None:
    """Wait until a target is idle again: who was overloaded may have work left that is not the next
    case's. No longer than `SETTLE_LIMIT_S`."""
    over_at = time.monotonic() + SETTLE_LIMIT_S
    while target.pid is not None and time.monotonic() < over_at:
        before = proctree.times(target.pid)
        time.sleep(SETTLE_LOOK_S)
        after = proctree.times(target.pid)
        # Waiting for the CPU is work that is left, too.
        busy_ns = after.cpu_ns - before.cpu_ns + after.waited_ns - before.waited_ns
        if busy_ns < SETTLE_LOOK_S * 1e9 * IDLE_SHARE:
            return


def one_line(reason: str) -> str:
    """A reason as it can stand in a table: short, on one line, without this machine's paths."""
    short = " ".join(_FOLDERS.sub("", reason).split())
    if len(short) > REASON_CHARACTERS:
        short = short[: REASON_CHARACTERS // 2] + " … " + short[-REASON_CHARACTERS // 2 :]
    return short


def climb(first: int, why_not: Callable[[int], str], afresh: Callable[[], None]) -> tuple[int, str]:
    """The most streams for which `why_not` says nothing, and what it said of more ("" at the cap).

    Up in steps from `first`; when that is too high already, down in halves, each time `afresh`,
    since one that was overloaded may be at it still.
    """
    most, streams = 0, max(STREAMS_MIN, min(cases.STREAMS_MAX, first))
    while True:
        said = why_not(streams)
        if not said:
            most = streams
            if streams >= cases.STREAMS_MAX:
                return most, ""
            streams = min(cases.STREAMS_MAX, math.ceil(streams * cases.STREAMS_GROWTH))
        elif most or streams <= STREAMS_MIN:
            return most, said
        else:
            afresh()
            streams = max(STREAMS_MIN, streams // 2)


def why_not_held(outcome: Outcome, streams: int) -> str:
    """What went wrong with streams held together, "" when every one came whole and in time."""
    if outcome.wrong:
        return next(iter(outcome.wrong))[:80]
    if outcome.stalled:
        return f"{outcome.stalled} of {streams} stalled"
    return "" if outcome.whole >= streams else f"{streams - outcome.whole} missing"


def _busy_s() -> float:
    """CPU time all processes of the machine have used since it began."""
    whole = pathlib.Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, _idle, _io, *interrupts = (int(field) for field in whole.split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    """CPU time of this process and of its children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
