import json

import pytest

from proxy.demo.openai_errors import error_body, overflow, overloaded
from proxy.demo.refusal import Refusal
from proxy.demo.script import Overflow
from proxy.demo.vendors import VENDORS, vendor_of

QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("model", "refusal", "error"),
    [
        (
            "gpt-4o",
            Refusal(400, "no", code="unknown_parameter", param="p"),
            {
                "message": "no",
                "type": "invalid_request_error",
                "param": "p",
                "code": "unknown_parameter",
            },
        ),
        (
            "gpt-4o",
            Refusal(429, "slow"),
            {"message": "slow", "type": "requests", "param": None, "code": "rate_limit_exceeded"},
        ),
        (
            "gpt-4o",
            Refusal(429, code="insufficient_quota"),
            {
                "message": QUOTA,
                "type": "insufficient_quota",
                "param": None,
                "code": "insufficient_quota",
            },
        ),
        (
            "kimi-k2.6",
            Refusal(429, code="engine_overloaded_error"),
            {
                "message": "The engine is currently overloaded, please try again later",
                "type": "engine_overloaded_error",
            },
        ),
        ("kimi-k2.6", Refusal(400, "no"), {"message": "no", "type": "invalid_request_error"}),
        (
            "kimi-k2.6",
            Refusal(401, "no"),
            {"message": "no", "type": "invalid_authentication_error"},
        ),
        (
            "deepseek-v4",
            Refusal(402, "Insufficient Balance"),
            {
                "message": "Insufficient Balance",
                "type": "unknown_error",
                "param": None,
                "code": "invalid_request_error",
            },
        ),
        ("openrouter-x", Refusal(403, "no"), {"message": "no", "code": 403}),
        (
            "vllm-qwen",
            Refusal(400, "no"),
            {"message": "no", "type": "BadRequestError", "param": None, "code": 400},
        ),
        (
            "ollama-x",
            Refusal(500, "no"),
            {"message": "no", "type": "api_error", "param": None, "code": None},
        ),
    ],
)
def test_errors_have_their_vendors_shape(
    model: str, refusal: Refusal, error: dict[str, object]
) -> None:
    assert json.loads(error_body(refusal, vendor_of(model))) == {"error": error}


def test_every_vendor_can_be_overloaded() -> None:
    for vendor in VENDORS:
        refusal = overloaded(vendor)
        assert json.loads(error_body(refusal, vendor))["error"]["message"]
        assert refusal.status == vendor.overloaded_status
    assert overloaded(vendor_of("kimi-k2.6")).code == "engine_overloaded_error"


TOO_LONG = Overflow(prompt=9000, wanted=100, window=8192)
TOO_MUCH = Overflow(prompt=8000, wanted=500, window=8192)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            "gpt-4o",
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 9000 tokens.",
        ),
        ("gpt-5", "Input tokens exceed the configured limit of 8192 tokens."),
        ("kimi-k2.6", "Your request exceeded model token limit: 8192 (requested: 9000)"),
        ("deepseek-v4", "you requested 9100 tokens (9000 in the messages, 100 in the completion)"),
        ("openrouter-x", "This endpoint's maximum context length is 8192 tokens."),
        ("vllm-qwen", "However, your request has 9000 input tokens."),
        ("ollama-x", "the request exceeds the available context size, try increasing it"),
        ("moonshotai.kimi", "prompt tokens (9000) exceed model maximum (8192)"),
    ],
)
def test_a_prompt_that_is_too_long_is_refused_in_the_vendors_words(model: str, words: str) -> None:
    refusal = overflow(TOO_LONG, vendor_of(model))
    assert refusal is not None
    assert refusal.status == 400
    assert words in refusal.message


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("gpt-4o", None),
        ("ollama-x", None),
        ("kimi-k2.6", "exceeded model token limit: 8192 (requested: 8500)"),
        ("vllm-qwen", "you requested 8500 tokens (8000 in the messages, 500 in the completion)"),
    ],
)
def test_only_some_refuse_an_answer_that_would_not_fit(model: str, words: str | None) -> None:
    refusal = overflow(TOO_MUCH, vendor_of(model))
    assert (refusal is None) is (words is None)
    assert refusal is None or (words or "") in refusal.message
