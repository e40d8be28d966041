"""How a request's model is to cite (translation.md 9.8, 9.10)."""

import msgspec
import pytest

from proxy.web_search.citing import BLOCKS, MARKS, NOT, Citing, how_cited

ASKED = '"messages":[{"role":"user","content":"hi"}]'
OURS = '"messages":[{"role":"assistant","content":[{"type":"web_search_result"}]}]'
DOCUMENT = '"messages":[{"role":"user","content":[{"type":"document"}]}]'
RESULT = '"messages":[{"role":"user","content":[{"type": "search_result"}]}]'


@pytest.mark.parametrize(
    ("fields", "cites", "citing"),
    [
        (ASKED, True, BLOCKS),
        (ASKED, False, MARKS),
        (OURS, True, BLOCKS),
        (DOCUMENT, True, MARKS),
        (RESULT, True, MARKS),
        (DOCUMENT, False, MARKS),
        (ASKED + ',"output_config":{"format":{"type":"json_schema"}}', True, NOT),
        (ASKED + ',"output_config":{"format":{"type":"json_schema"}}', False, NOT),
        (ASKED + ',"output_format":{"type":"json_schema"}', True, NOT),
        (ASKED + ',"output_format":null', True, BLOCKS),
        (ASKED + ',"output_config":{"format":null,"effort":"high"}', True, BLOCKS),
        (ASKED + ',"output_config":{"effort":"high"}', False, MARKS),
        (ASKED + ',"output_config":null', False, MARKS),
        (ASKED + ',"output_config":[]', True, BLOCKS),
    ],
)
def test_it_is_as_provider_sources_and_format_allow(
    fields: str, cites: bool, citing: Citing
) -> None:
    read = msgspec.json.decode("{" + fields + "}", type=dict[str, msgspec.Raw])
    assert how_cited(read, cites=cites) is citing
