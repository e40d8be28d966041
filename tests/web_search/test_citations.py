"""Citations as the client sees them (translation.md 9.8, 9.10)."""

import msgspec
import pytest

from proxy.web_search.citations import citation_json, claude_citation
from proxy.web_search.cited_sentence import cited_text
from proxy.web_search.hit import Hit, Sources
from proxy.web_search.markers import Citation
from proxy.web_search.tokens import Index
from tests.web_search.playing import HITS, SEAL, TENANT


def known() -> Sources:
    sources = Sources()
    sources.note(HITS[2])
    return sources


def test_a_mark_becomes_a_location_of_documented_keys() -> None:
    citation = Citation(HITS[2], " [[2]]", "At dawn there were clouds")
    told = msgspec.json.decode(citation_json(citation, SEAL, TENANT))
    index = told.pop("encrypted_index")
    assert told == {
        "type": "web_search_result_location",
        "url": "https://sky.example/",
        "title": "Sky",
        "cited_text": "Clouds at dawn.",
    }
    assert SEAL.open_index(TENANT, index, "x") == Index(2, " [[2]]")


def test_claudes_citation_of_a_page_becomes_the_same() -> None:
    said = {
        "type": "search_result_location",
        "source": "https://sky.example/",
        "title": "Sky",
        "cited_text": " Stars are out. " + "x" * 200,
        "search_result_index": 0,
        "start_block_index": 0,
        "end_block_index": 1,
    }
    made = claude_citation(msgspec.json.encode(said), known(), SEAL, TENANT)
    assert made is not None
    told = msgspec.json.decode(made)
    assert told.keys() == {"type", "url", "title", "encrypted_index", "cited_text"}
    assert told["cited_text"].startswith("Stars are out. ")
    assert len(told["cited_text"]) == 150
    assert SEAL.open_index(TENANT, told["encrypted_index"], "x") == Index(2, "")


def test_claudes_citation_without_a_text_quotes_the_page() -> None:
    said = b'{"type":"search_result_location","source":"https://sky.example/"}'
    made = claude_citation(said, known(), SEAL, TENANT)
    assert made is not None
    assert msgspec.json.decode(made)["cited_text"] == "Stars are out. Clouds at dawn."


@pytest.mark.parametrize(
    "said",
    [
        b'{"type":"char_location","document_index":0,"source":"https://sky.example/"}',
        b'{"type":"search_result_location","source":"https://elsewhere.example/"}',
        b'{"type":"search_result_location","source":7}',
        b"[]",
        b"{",
    ],
)
def test_other_citations_are_left_alone(said: bytes) -> None:
    assert claude_citation(said, known(), SEAL, TENANT) is None


@pytest.mark.parametrize(
    ("extract", "claim", "quoted"),
    [
        ("One. Two moons. Three.", "two moons", "Two moons."),
        ("First moon. Second moon.", "moon", "First moon."),
        ("No match at all. Nothing.", "moon", "No match at all. Nothing."),
        ("今日は満月です。明日は雨です。", "満月", "今日は満月です。"),
        ("a line\nthe moon is here\nb", "Moon", "the moon is here"),
        ("", "moon", ""),
    ],
    ids=["best", "first-of-equals", "none", "japanese", "lines", "empty"],
)
def test_the_sentence_with_most_words_in_common_is_quoted(
    extract: str, claim: str, quoted: str
) -> None:
    assert cited_text(extract, claim) == quoted


def test_what_is_quoted_is_cut_at_a_word_and_at_150_characters() -> None:
    assert cited_text("moon " * 100, "moon") == "moon " * 29 + "moon"
    assert cited_text("月" * 300, "月") == "月" * 150


def test_pages_are_known_by_address_and_number() -> None:
    sources = known()
    assert sources.at("https://sky.example/") is HITS[2]
    assert sources.at("https://no.example/") is None
    (numbered,) = sources.number([Hit("https://next.example/", "Next")])
    assert numbered.number == 3
    assert sources.get(3) is numbered
    assert sources.get(4) is None
