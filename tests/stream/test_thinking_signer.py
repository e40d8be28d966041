"""Signatures of thinking."""

import orjson
import pytest

from proxy.stream.thinking_signer import ThinkingSigner
from proxy.wire.seal import Opened
from tests.kit.chat_stream import SEAL


def opened(signer: ThinkingSigner, text: str) -> Opened | None:
    return SEAL.open("tenant_1", signer.signature(), text)


def test_what_the_client_sees_is_signed() -> None:
    signer = ThinkingSigner(SEAL, "tenant_1", "kimi", shown=True)
    signer.add(b'a \\"')
    signer.add(b"quote")
    assert opened(signer, 'a "quote') == Opened("kimi", 'a "quote')
    assert signer.held_bytes == 0


def test_what_it_does_not_see_lies_in_the_signature() -> None:
    signer = ThinkingSigner(SEAL, "tenant_1", "kimi", shown=False)
    signer.add(b"hm")
    assert opened(signer, "") == Opened("kimi", "hm")


def test_blocks_are_signed_apart() -> None:
    signer = ThinkingSigner(SEAL, "tenant_1", "kimi", shown=True)
    signer.add(b"a")
    signer.signature()
    signer.add(b"b")
    assert opened(signer, "b") == Opened("kimi", "b")


@pytest.mark.parametrize(
    ("fragments", "whole"),
    [
        (
            [b'[{"type":"reasoning.text","index":0,"text":"a"}]'] * 2,
            [{"type": "reasoning.text", "index": 0, "text": "aa"}],
        ),
        (
            [
                b'[{"type":"t","index":0,"text":"a","signature":null}]',
                b'[{"type":"t","index":0,"signature":"s"}]',
            ],
            [{"type": "t", "index": 0, "text": "a", "signature": "s"}],
        ),
        (
            [b'[{"type":"t","index":0,"text":"a"},{"type":"e","index":1,"data":"x"}]'],
            [{"type": "t", "index": 0, "text": "a"}, {"type": "e", "index": 1, "data": "x"}],
        ),
        ([b'[{"text":"a"}]', b'[{"text":"b"}]', b"[7]"], [{"text": "a"}, {"text": "b"}, 7]),
    ],
)
def test_details_in_fragments_become_the_details_as_a_whole(
    fragments: list[bytes], whole: list[object]
) -> None:
    signer = ThinkingSigner(SEAL, "tenant_1", "openrouter", shown=True)
    signer.add(b"a")
    for fragment in fragments:
        signer.add_details(fragment)
    assert signer.held_bytes == 1 + sum(map(len, fragments))
    found = opened(signer, "a")
    assert found is not None
    assert found.text == "a"
    assert orjson.loads(found.extras) == whole
