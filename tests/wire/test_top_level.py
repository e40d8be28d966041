"""One value exchanged, all others to the byte, each key once."""

import msgspec
import pytest

from proxy.wire.top_level import with_value


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (b'{"model":"a"}', b'{"model":"x"}'),
        (b'{ "n" : 1.0 , "model" : "a" }', b'{"n":1.0,"model":"x"}'),
        (b'{"n":123456789012345678901234567890,"model":null,"o":{"model" : 1}}',
         b'{"n":123456789012345678901234567890,"model":"x","o":{"model" : 1}}'),
        (b'{"model":"a","k":[ 1 ],"model":"b"}', b'{"model":"x","k":[ 1 ]}'),
        (b'{"\\u006bey":"\\u00e9","model":"a"}', b'{"key":"\\u00e9","model":"x"}'),
    ],
)  # fmt: skip
def test_the_value_is_exchanged_and_nothing_else(given: bytes, made: bytes) -> None:
    fields = msgspec.json.decode(given, type=dict[str, msgspec.Raw])
    assert b"".join(with_value(fields, "model", b'"x"')) == made
