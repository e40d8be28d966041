"""Whichever worker is asked asks all, and many who ask the same ask once."""

import asyncio

import msgspec

from proxy.observe.roll_call import ANSWER_BYTES_MAX, FRESH_S, Answer, Heard, Question, RollCall


class Others:
    """A road with somebody at its end, who takes a moment."""

    def __init__(self, *answers: Answer, silent: int = 0) -> None:
        self.heard = Heard(answers, silent)
        self.asked: list[Question] = []

    async def ask(self, question: bytes, /) -> Heard:
        self.asked.append(msgspec.json.decode(question, type=Question))
        await asyncio.sleep(0)
        return self.heard


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def about(tenant_id: str | None) -> bytes:
    return f"of {tenant_id}".encode()


def call(clock: Clock, *answers: Answer, silent: int = 0) -> tuple[RollCall, Others]:
    made = RollCall("w0", {"in_flight": about}, clock)
    made.road = others = Others(*answers, silent=silent)
    return made, others


async def test_a_worker_without_others_says_what_it_knows() -> None:
    alone = RollCall("w0", {"in_flight": about}, Clock())
    heard = await alone.ask(Question("in_flight", "t"))
    assert heard == Heard([Answer("w0", b"of t")], 0)


async def test_the_others_are_heard_behind_it_and_the_silent_are_counted() -> None:
    asked, _ = call(Clock(), Answer("w2", b"two"), Answer("w3", b""), silent=1)
    heard = await asked.ask(Question("in_flight"))
    assert list(heard.answers) == [Answer("w0", b"of None"), Answer("w2", b"two")]
    assert heard.silent == 2


async def test_many_who_ask_the_same_at_once_ask_once() -> None:
    clock = Clock()
    asked, others = call(clock, Answer("w1", b"one"))
    all_heard = await asyncio.gather(*[asked.ask(Question("in_flight")) for _ in range(50)])
    assert len(others.asked) == 1 and len(set(map(id, all_heard))) == 1
    clock.now_s += FRESH_S / 2
    await asked.ask(Question("in_flight"))
    assert len(others.asked) == 1
    clock.now_s += FRESH_S
    await asked.ask(Question("in_flight"))
    assert len(others.asked) == 2


async def test_what_one_tenant_hears_is_never_told_to_another() -> None:
    asked, others = call(Clock())
    said = [await asked.ask(Question("in_flight", tenant)) for tenant in ("s", "t", None)]
    assert [each.answers[0].body for each in said] == [b"of s", b"of t", b"of None"]
    assert [each.tenant_id for each in others.asked] == ["s", "t", None]


async def test_questions_that_were_answered_are_not_kept() -> None:
    clock = Clock()
    asked, _ = call(clock)
    for number in range(100):
        await asked.ask(Question("in_flight", f"tenant_{number}"))
        clock.now_s += FRESH_S + 0.01
    assert len(asked._turns) <= 2


async def test_a_question_nobody_knows_is_met_with_silence() -> None:
    asked, _ = call(Clock())
    assert asked.answer(b'{"subject": "tomorrow"}') == b""
    assert asked.answer(b"rubbish") == b""
    assert (await asked.ask(Question("tomorrow"))) == Heard([], 1)


async def test_who_would_say_too_much_says_nothing() -> None:
    asked = RollCall("w0", {"much": lambda _: b"x" * (ANSWER_BYTES_MAX + 1)}, Clock())
    assert await asked.ask(Question("much")) == Heard([], 1)
