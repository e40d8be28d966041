"""Which header values count as keys, and in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.auth.credential import AUTHORIZATION, BOTH, X_API_KEY, Presented, read

K = b"hzat-0123456789"
OTHER = b"sk-leftover-of-a-vendor"


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "keys", "headers_read"),
    [
        pytest.param(b"Bearer " + K, None, (K,), AUTHORIZATION, id="bearer"),
        pytest.param(None, K, (K,), X_API_KEY, id="x-api-key"),
        pytest.param(b"Bearer " + K, K, (K,), BOTH, id="equal values collapse"),
        pytest.param(b"Bearer " + K, OTHER, (K, OTHER), BOTH, id="bearer counts first"),
        pytest.param(b"bEARER " + K, None, (K,), AUTHORIZATION, id="scheme in any case"),
        pytest.param(b"  Bearer \t  " + K + b" ", None, (K,), AUTHORIZATION, id="spaces"),
        pytest.param(None, b" " + K + b"\t", (K,), X_API_KEY, id="spaces around x-api-key"),
        pytest.param(b"Bearer " + K, b" " + K, (K,), BOTH, id="equal after trimming"),
        pytest.param(b"Bearer " + K, b"", (K,), AUTHORIZATION, id="empty x-api-key is absent"),
        pytest.param(b"Bearer " + K, b"  ", (K,), AUTHORIZATION, id="blank x-api-key is absent"),
        pytest.param(b"", K, (K,), X_API_KEY, id="empty authorization is absent"),
        pytest.param(b"  ", K, (K,), X_API_KEY, id="blank authorization is absent"),
        pytest.param(b"Basic dXNlcjpwYXNz", K, (K,), X_API_KEY, id="basic beside x-api-key"),
        pytest.param(b"Bearer", K, (K,), X_API_KEY, id="bearer without a value"),
        pytest.param(b"Basic dXNlcjpwYXNz", None, (), AUTHORIZATION, id="basic is no key"),
        pytest.param(b"Bearer ", None, (), AUTHORIZATION, id="only the scheme"),
        pytest.param(K, None, (), AUTHORIZATION, id="no scheme"),
        pytest.param(b"Bearer" + K, None, (), AUTHORIZATION, id="no space after the scheme"),
        pytest.param(None, None, (), "", id="nothing"),
        pytest.param(b"", b"", (), "", id="both empty"),
        pytest.param(b" ", b" ", (), "", id="both blank"),
    ],
)
def test_headers_present(
    authorization: bytes | None, x_api_key: bytes | None, keys: tuple[bytes, ...], headers_read: str
) -> None:
    presented = read(authorization, x_api_key)
    assert (presented.keys, presented.headers_read) == (keys, headers_read)
    assert presented.bearer_allowed


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "keys", "headers_read"),
    [
        pytest.param(b"Bearer " + K, None, (), AUTHORIZATION, id="bearer alone does not count"),
        pytest.param(b"Bearer " + K, OTHER, (OTHER,), X_API_KEY, id="x-api-key counts alone"),
        pytest.param(None, K, (K,), X_API_KEY, id="x-api-key"),
        pytest.param(None, None, (), "", id="nothing"),
    ],
)
def test_where_bearer_is_not_taken_only_x_api_key_counts(
    authorization: bytes | None, x_api_key: bytes | None, keys: tuple[bytes, ...], headers_read: str
) -> None:
    presented = read(authorization, x_api_key, bearer_allowed=False)
    assert presented == Presented(keys, headers_read, bearer_allowed=False)


_pieces = st.sampled_from([b"Bearer", b"bearer ", b"Basic ", b" ", b"\t", b"\x00", b",", K, OTHER])
_values = st.none() | st.binary(max_size=40) | st.lists(_pieces, max_size=6).map(b"".join)


@given(_values, _values, st.booleans())
def test_any_header_bytes_give_trimmed_keys_and_never_an_error(
    authorization: bytes | None, x_api_key: bytes | None, bearer_allowed: bool
) -> None:
    presented = read(authorization, x_api_key, bearer_allowed=bearer_allowed)
    assert len(presented.keys) <= 2
    assert len(set(presented.keys)) == len(presented.keys)
    for key in presented.keys:
        assert key
        assert key == key.strip()
        assert key in (authorization or b"") or key in (x_api_key or b"")
    if presented.keys:
        assert presented.headers_read
    if x_api_key and x_api_key.strip():
        assert x_api_key.strip() in presented.keys
    if not bearer_allowed:
        assert presented.headers_read in ("", AUTHORIZATION, X_API_KEY)


def test_a_key_is_never_shown() -> None:
    presented = read(b"Bearer " + K, OTHER)
    assert K.decode() not in repr(presented)
    assert OTHER.decode() not in f"{presented}"
