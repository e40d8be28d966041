"""What endpoints that are almost Anthropic's refuse, and what they get after that."""

import json

import pytest

from proxy.providers.compat_lessons import (
    ALL_BETAS,
    FORGOTTEN_AFTER_S,
    IN_FLIGHT_S,
    CompatLessons,
    without_betas,
    without_fields,
)
from proxy.wire.body import read_body

LINES = (
    b"anthropic-version: 2023-06-01\r\nanthropic-beta: a-1, effort-2025-11-24,b-2\r\nx-app: c\r\n"
)


def refusal(message: str) -> bytes:
    error = {"type": "invalid_request_error", "message": message}
    return json.dumps({"type": "error", "error": error}).encode()


@pytest.mark.parametrize(
    ("message", "learned"),
    [
        (
            "Unexpected value(s) `prompt-caching-scope-2026-01-05`, "
            "`structured-outputs-2025-12-15` for the "
            "`anthropic-beta` header. Please consult our documentation.",
            "prompt-caching-scope-2026-01-05, structured-outputs-2025-12-15",
        ),
        ("capability_rejected: beta_header:context-1m-2025-08-07", "context-1m-2025-08-07"),
        ("Unsupported beta header: 'fast-mode-2026-01-01'", "fast-mode-2026-01-01"),
        ("invalid beta flag", ALL_BETAS),
        ("context_management: Extra inputs are not permitted", "context_management"),
        ("Extra inputs are not permitted, field: 'speed'", "speed"),
        ("output_config: Extra inputs are not permitted", "output_config"),
        ("output_config.effort: Extra inputs are not permitted", "output_config.effort"),
        ("This model does not support the effort parameter.", "output_config.effort"),
        ("`temperature` is deprecated for this model.", "temperature"),
        ("thinking: Extra inputs are not permitted", "thinking"),
        ("invalid thinking: only type=enabled is allowed for this model", "thinking"),
        ("metadata.user_id: Extra inputs are not permitted", "metadata"),
    ],
)
def test_a_refused_hint_is_learned(message: str, learned: str) -> None:
    assert CompatLessons().learn(400, refusal(message), 0.0) == learned


@pytest.mark.parametrize(
    "message",
    [
        "tools: Extra inputs are not permitted",
        "messages.0.content.0.cache_control: Extra inputs are not permitted",
        "mcp_servers: Extra inputs are not permitted",
        "thinking.adaptive.block_binding: Extra inputs are not permitted",
        "max_tokens: Field required",
        "prompt is too long: 215000 tokens > 200000 maximum",
        "The `content[].thinking` in the thinking mode must be passed back to the API.",
        "context_management: Extra inputs are not permitted".ljust(3000),
    ],
)
def test_what_the_conversation_rests_on_is_not_learned(message: str) -> None:
    lessons = CompatLessons()
    assert lessons.learn(400, refusal(message), 0.0) == ""
    assert lessons.learned(0.0) == ()


def test_other_statuses_teach_nothing() -> None:
    assert CompatLessons().learn(500, refusal("speed: Extra inputs are not permitted"), 0.0) == ""


def test_a_lesson_is_forgotten_after_an_hour() -> None:
    lessons = CompatLessons()
    lessons.learn(400, refusal("speed: Extra inputs are not permitted"), 5.0)
    assert lessons.left_out(5.0 + FORGOTTEN_AFTER_S - 1) == {"speed"}
    assert lessons.left_out(5.0 + FORGOTTEN_AFTER_S) == frozenset()


def test_a_request_that_was_on_its_way_is_sent_again_too() -> None:
    lessons = CompatLessons()
    body = refusal("speed: Extra inputs are not permitted")
    assert lessons.learn(400, body, 0.0) == "speed"
    assert lessons.learn(400, body, IN_FLIGHT_S - 1) == "speed"
    assert lessons.learn(400, body, IN_FLIGHT_S + 1) == ""


def test_what_is_learned_is_bounded() -> None:
    lessons = CompatLessons()
    for number in range(200):
        lessons.learn(400, refusal(f"capability_rejected: beta_header:b-{number}"), 0.0)
    assert len(lessons.learned(0.0)) == 64


# ---------------------------------------------------------------- left out


@pytest.mark.parametrize(
    ("left_out", "betas"),
    [
        ({"a-1"}, b"effort-2025-11-24,b-2"),
        ({"a-1", "b-2"}, b"effort-2025-11-24"),
        ({"output_config.effort"}, b"a-1,b-2"),
        ({"nothing"}, b"a-1,effort-2025-11-24,b-2"),
    ],
)
def test_betas_are_left_out(left_out: set[str], betas: bytes) -> None:
    assert without_betas(LINES, frozenset(left_out)) == LINES.replace(
        b"a-1, effort-2025-11-24,b-2", betas
    )


def test_without_betas_there_is_no_header() -> None:
    lines = without_betas(LINES, frozenset([ALL_BETAS]))
    assert lines == b"anthropic-version: 2023-06-01\r\nx-app: c\r\n"
    assert without_betas(lines, frozenset(["a-1"])) == lines


RAW = (
    b'{"model": "m", "max_tokens": 9, "speed": "fast", "context_management": {"edits": []}, '
    b'"output_config": {"effort": "high", "format": {"f": 1.10}, "x": 2}, "messages": '
    b'[ {"a": 1.0} ]}'
)


@pytest.mark.parametrize(
    ("left_out", "gone"),
    [
        ({"speed"}, {"speed"}),
        ({"fast-mode-2026-02-01"}, {"speed"}),
        ({"context-management-2025-06-27"}, {"context_management"}),
        ({"a-1"}, set()),
    ],
)
def test_a_beta_takes_its_field_along(left_out: set[str], gone: set[str]) -> None:
    body = without_fields(read_body(RAW, needs_max_tokens=True), frozenset(left_out))
    assert json.loads(body.raw) == {k: v for k, v in json.loads(RAW).items() if k not in gone}
    assert b'[ {"a": 1.0} ]' in body.raw
    assert (body.model, body.max_tokens) == ("m", 9)


@pytest.mark.parametrize(
    ("left_out", "config"),
    [
        ({"output_config.effort"}, b'{"format":{"f": 1.10},"x":2}'),
        ({"effort-2025-11-24"}, b'{"format":{"f": 1.10},"x":2}'),
        ({"output_config"}, b'{"format":{"f": 1.10}}'),
    ],
)
def test_a_format_that_is_asked_for_stays(left_out: set[str], config: bytes) -> None:
    body = without_fields(read_body(RAW, needs_max_tokens=True), frozenset(left_out))
    assert bytes(body.fields["output_config"]) == config
    assert b'"output_config":' + config in body.raw


def test_nothing_left_of_a_field_is_no_field() -> None:
    raw = b'{"model":"m","messages":[1],"output_config":{"effort":"high"}}'
    body = without_fields(read_body(raw, needs_max_tokens=False), frozenset(["output_config"]))
    assert body.raw == b'{"model":"m","messages":[1]}'
