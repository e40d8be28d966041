r"""Every case of the shelf of requests to chat completions.

A case begins with lines that say who is asked, up to the body:

    dialect: moonshot, kimi-k2.6      the row of the table, and the model's name there
    version: 2026-10-21               the client's API version
    vision: no                        the model does not see
    model max: 16000                  what the model puts out at most, in tokens
    quirks: {"pdf": true}             the operator's
    counting: yes                     what is sent to have tokens counted
    header: x-name: value             one more header of the client
    sign A: kimi, text                ${A} in the body is our signature of that thinking
    seal B: kimi, text, [1]           ${B} in the body holds that thinking, and extras

What must come out is compared token by token, order and numbers included, spaces aside. Lines in
front of it: `note:` is a header line for the client, `expected:` some fields of Expected.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.domain.fault import Fault
from proxy.wire.fault_body import error_body
from tests.kit.case_file import Case, read_cases
from tests.providers.openai_chat.asking import SEAL, TENANT, ask, count, make_model

CASES = read_cases(Path(__file__).parent / "openai_request")
_SIGNED = re.compile(r"(sign|seal) ([A-Z])")


def test_the_shelf_is_not_empty() -> None:
    assert len(CASES) >= 100


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_becomes_what_the_case_expects(case: Case) -> None:
    notes, expected, body = run(case.given)
    heads, wanted = halves(case.expected)
    assert compact(body) == compact(wanted), case.why
    assert notes == "".join(f"{line}\r\n" for line in heads.get("note", [])).encode()
    for line in heads.get("expected", []):
        for name, value in msgspec.json.decode(line).items():
            assert expected[name] == value, f"{case.why}: {name}"


def run(given: bytes) -> tuple[bytes, dict[str, Any], bytes]:
    """Notes, Expected as JSON would have it, and the body; of a refusal its error body."""
    heads, raw = halves(given)
    only = {name: lines[-1] for name, lines in heads.items()}
    row, _, upstream_model = only["dialect"].partition(", ")
    model = make_model(
        vision=only.get("vision") != "no", max_output_tokens=int(only.get("model max", 64_000))
    )
    headers = {}
    if "version" in only:
        headers[b"anthropic-version"] = only["version"].encode()
    for line in heads.get("header", []):
        name, _, value = line.partition(": ")
        headers[name.encode()] = value.encode()
    quirks = msgspec.json.decode(only.get("quirks", "{}"))
    raw = with_signatures(heads, raw)
    try:
        if only.get("counting") == "yes":
            return b"", {}, count(raw, row, upstream_model, model=model, quirks=quirks)
        written = ask(raw, row, upstream_model, model=model, headers=headers, quirks=quirks)
    except Fault as fault:
        return b"", {}, error_body(fault, "req_case")
    expected = msgspec.to_builtins(written.expected)
    expected["seen_tool_ids"] = sorted(expected["seen_tool_ids"])
    return written.notes, msgspec.json.decode(msgspec.json.encode(expected)), written.body


def halves(text: bytes) -> tuple[dict[str, list[str]], bytes]:
    """The lines in front of the JSON, by their names, and the JSON."""
    heads: dict[str, list[str]] = {}
    while not text.startswith(b"{"):
        line, _, text = text.partition(b"\n")
        name, _, value = line.decode().partition(": ")
        assert value, f"not a line of a case: {line!r}"
        heads.setdefault(name, []).append(value)
    return heads, text


def with_signatures(heads: dict[str, list[str]], raw: bytes) -> bytes:
    """The body with our signatures in it."""
    for name, (line, *_) in heads.items():
        found = _SIGNED.fullmatch(name)
        if found is None:
            continue
        family, said, *extras = line.split(", ", 2)
        if found[1] == "sign":
            signature = SEAL.sign(TENANT, family, said)
        else:
            signature = SEAL.seal(TENANT, family, said, "".join(extras).encode())
        raw = raw.replace(f"${{{found[2]}}}".encode(), signature.encode())
    return raw


def compact(body: bytes) -> str:
    """JSON without the spaces between its tokens."""
    return msgspec.json.format(body.strip(), indent=-1).decode()
