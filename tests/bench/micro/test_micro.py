"""Every micro-benchmark does what it says it measures. No times are judged here."""

import pytest

from bench.micro import __main__ as micro
from bench.micro.step import Step


@pytest.mark.parametrize("question", micro.questions())
def test_every_step_comes_to_its_right_result_and_can_be_repeated(question: str) -> None:
    steps = micro.steps_of(question)
    assert steps
    assert len({step.words for step in steps}) == len(steps)
    for step in steps:
        step.run()
        step.check(step.run())
        assert micro.nanoseconds(step, batches=1, batch_s=0.0005) > 0
    for step in steps:
        step.close()


def test_there_is_a_file_for_each_part_of_the_hot_path() -> None:
    assert {
        "request_head",
        "model_splice",
        "sse_event",
        "passed_event",
        "translated_event",
        "key_digest",
        "limits_decision",
        "journal_append",
        "metrics_observe",
    } <= set(micro.questions())


def test_time_is_given_for_one_operation() -> None:
    def nothing(result: object) -> None:
        assert result is None

    one = Step("x", lambda: None, nothing)
    many = Step("x", lambda: None, nothing, operations=1_000_000)
    assert micro.nanoseconds(many, batches=1, batch_s=0.001) < micro.nanoseconds(
        one, batches=1, batch_s=0.001
    )


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("123456,,instructions:u,100,100.00,,\n", 123456),
        ("==7== \n==7== Collected : 987\n", 987),
        ("<not supported>,,instructions:u,0,100.00,,\n", None),
    ],
)
def test_instructions_are_read_from_either_counter(said: str, number: int | None) -> None:
    assert micro.counted(said) == number


def test_the_command_prints_a_row_for_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert micro.main(["key_digest"]) == 0
    printed = capsys.readouterr().out
    assert "one key" in printed
    assert "request_head" not in printed
    assert micro.main(["no_such_question"]) == 2
    assert "there are" in capsys.readouterr().err
