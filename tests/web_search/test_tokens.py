"""`encrypted_content` and `encrypted_index` (translation.md 9.7)."""

import msgspec
import pytest

from proxy.domain.fault import Fault
from proxy.web_search.tokens import Index, SearchSeal, is_ours
from tests.web_search.playing import GONE_SEAL, HITS, OLD_SEAL, SEAL, TENANT

WHERE = "messages.1.content.0"


@pytest.mark.parametrize("number", HITS)
def test_what_is_sealed_opens_again(number: int) -> None:
    token = SEAL.seal_hit(TENANT, HITS[number], 1_795_000_000)
    assert is_ours(token)
    assert token.startswith("GWc1.")
    assert token.isascii()
    assert SEAL.open_hit(TENANT, token, WHERE) == HITS[number]


def test_nothing_of_it_can_be_read() -> None:
    token = SEAL.seal_hit(TENANT, HITS[1], 1)
    assert "moon" not in token.lower()
    assert TENANT not in token


def test_a_key_that_is_being_exchanged_still_opens() -> None:
    token = OLD_SEAL.seal_hit(TENANT, HITS[1], 1)
    assert SEAL.open_hit(TENANT, token, WHERE) == HITS[1]
    assert SEAL.seal_hit(TENANT, HITS[1], 1) != token


def test_a_key_that_was_given_up_opens_nothing_and_is_no_fault() -> None:
    assert SEAL.open_hit(TENANT, GONE_SEAL.seal_hit(TENANT, HITS[1], 1), WHERE) is None
    assert SEAL.open_index(TENANT, GONE_SEAL.seal_index(TENANT, Index(1, "")), WHERE) is None


def test_the_time_is_sealed_too() -> None:
    assert SEAL.seal_hit(TENANT, HITS[1], 1) != SEAL.seal_hit(TENANT, HITS[1], 2)


def token_of(content: bytes, *, index: bool = False) -> str:
    return SEAL._seal(TENANT, b"index" if index else b"hit", content)


@pytest.mark.parametrize(
    "token",
    [
        SEAL.seal_hit("tenant_2", HITS[1], 1),
        SEAL.seal_index(TENANT, Index(1, "[[1]]")),
        SEAL.seal_hit(TENANT, HITS[1], 1)[:-8],
        SEAL.seal_hit(TENANT, HITS[1], 1)[:11],
        SEAL.seal_hit(TENANT, HITS[1], 1) + "=",
        SEAL.seal_hit(TENANT, HITS[1], 1) + " ",
        token_of(b"no msgpack"),
        token_of(msgspec.msgpack.encode(["url"])),
    ],
    ids=["foreign", "citation", "cut", "bare", "padded", "spaced", "nonsense", "half"],
)
def test_an_altered_token_is_refused(token: str) -> None:
    with pytest.raises(Fault) as caught:
        SEAL.open_hit(TENANT, token, WHERE)
    assert caught.value.status == 400
    assert caught.value.message == f"{WHERE}: Invalid encrypted_content"


@pytest.mark.parametrize(
    "token",
    [
        SEAL.seal_hit(TENANT, HITS[1], 1),
        SEAL.seal_index("tenant_2", Index(1, "")),
        token_of(b"\xc1", index=True),
    ],
    ids=["page", "foreign", "nonsense"],
)
def test_an_altered_citation_is_refused(token: str) -> None:
    with pytest.raises(Fault) as caught:
        SEAL.open_index(TENANT, token, WHERE)
    assert caught.value.message == f"{WHERE}: Invalid encrypted_index"


def test_nothing_is_sealed_without_a_secret() -> None:
    with pytest.raises(AssertionError):
        SearchSeal([])
