"""Whole replies of InvokeModel: Claude's message without what is Amazon's."""

import json
from typing import Any

import pytest

from proxy.domain.fault import Fault
from proxy.stream.bedrock_reply import bedrock_reply
from tests.kit.asked import make_asked

CALL = make_asked("anthropic.claude-opus-4-7")
SAID: dict[str, Any] = {
    "id": "msg_bdrk_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-7",
    "content": [{"type": "text", "text": "Sorry, the model cannot answer this question."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 9},
}


def reply(**more: Any) -> dict[str, Any]:
    got = bedrock_reply(CALL, json.dumps({**SAID, **more}).encode())
    assert got.usage.input_tokens == 5
    said = dict(json.loads(got.body))
    assert got.stop_reason == said["stop_reason"]
    return said


def test_an_answer_of_the_models_own_is_passed_on() -> None:
    assert reply() == {**SAID, "model": "anthropic.claude-opus-4-7"}


def test_what_a_guardrail_let_pass_is_the_models_own_answer() -> None:
    more = {"amazon-bedrock-guardrailAction": "NONE", "amazon-bedrock-trace": {"guardrail": {}}}
    assert reply(**more) == {**SAID, "model": "anthropic.claude-opus-4-7"}


def test_what_a_guardrail_took_away_is_a_refusal_and_its_findings_are_nobodys() -> None:
    said = reply(
        **{
            "amazon-bedrock-guardrailAction": "INTERVENED",
            "amazon-bedrock-trace": {"guardrail": {"input": {"gr1": {"topicPolicy": {}}}}},
        }
    )
    assert said["stop_reason"] == "refusal"
    assert said["stop_details"] == {"type": "refusal", "category": None, "explanation": None}
    assert said["content"] == SAID["content"]
    assert not [name for name in said if name.startswith("amazon")]


def test_words_of_the_model_about_guardrails_are_words() -> None:
    text = '"amazon-bedrock-guardrailAction":"INTERVENED"'
    said = reply(content=[{"type": "text", "text": text}])
    assert said["stop_reason"] == "end_turn"
    assert said["content"][0]["text"] == text


@pytest.mark.parametrize("body", [b'{"amazon-bedrock-x":', b'["amazon-bedrock-"]'])
def test_what_cannot_be_read_is_told(body: bytes) -> None:
    with pytest.raises(Fault):
        bedrock_reply(CALL, body)
