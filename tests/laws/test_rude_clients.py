"""Requests that once made sense, with nonsense in them: translated into JSON, or refused with 400;
and whatever they are, they can be counted or estimated."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.domain.fault import Fault
from proxy.providers.openai_chat.dialects import ROWS
from proxy.wire.body import read_body
from proxy.wire.token_estimate import estimate_request
from tests.cases.test_openai_request_cases import CASES, halves
from tests.kit.mutations import mutated, mutations
from tests.kit.patience import examples
from tests.providers.openai_chat.asking import ask, count, make_model

BODIES = [body for case in CASES for _, body in [halves(case.given)] if body.startswith(b"{")]
models = st.sampled_from(["gpt-5.4", "kimi-k2-thinking", "kimi-k3", "qwen3", "deepseek-v4", "x"])


def test_there_is_something_to_spoil() -> None:
    assert len(BODIES) > 200


@examples(400)
@given(
    st.sampled_from(BODIES),
    mutations,
    st.sampled_from(sorted(ROWS)),
    models,
    st.booleans(),
    st.sampled_from([b"2023-06-01", b"2026-10-21"]),
)
def test_a_spoilt_request_is_translated_or_refused(
    body: bytes,
    changes: list[tuple[int, str, Any]],
    row: str,
    model: str,
    vision: bool,
    version: bytes,
) -> None:
    raw = json.dumps(mutated(json.loads(body), changes)).encode()
    headers = {b"anthropic-version": version}
    try:
        written = ask(raw, row, model, model=make_model(vision=vision), headers=headers)
    except Fault as fault:
        assert fault.status == 400
        assert fault.message.encode()
    else:
        assert json.loads(written.body)["messages"]
    try:
        sent = count(raw, row, model)
    except Fault as fault:
        assert fault.status == 400
    else:
        assert json.loads(sent)["messages"]


@examples(200)
@given(st.sampled_from(BODIES), mutations)
def test_the_tokens_of_any_request_can_be_estimated(
    body: bytes, changes: list[tuple[int, str, Any]]
) -> None:
    raw = json.dumps(mutated(json.loads(body), changes)).encode()
    try:
        read = read_body(raw, needs_max_tokens=False)
    except Fault as fault:
        assert fault.status == 400
    else:
        assert estimate_request(read) > 0
