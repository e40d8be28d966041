"""Which tokens prove anything: signatures by the provider's keys, and what must stand in them."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey

from proxy.auth.id_token import (
    KEYS_MAX,
    TOKEN_BYTES_MAX,
    DistrustedError,
    Expectation,
    KeyRing,
    UnknownKeyError,
    person_of,
    verified,
)
from tests.kit.patience import examples

NOW_S = 1_800_000_000
EXPECTED = Expectation("https://id.example", "gateway", "the nonce", leeway_s=60)
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
GOOD: dict[str, Any] = {
    "iss": "https://id.example",
    "aud": "gateway",
    "sub": "ada",
    "nonce": "the nonce",
    "iat": NOW_S,
    "exp": NOW_S + 300,
}


def ring(*keys: Key, **more: Any) -> KeyRing:
    document = KeySet(list(keys)).as_dict(private=False)
    for each in document["keys"]:
        each.update(more)
    return KeyRing.read(json.dumps(document).encode())


def signed(key: Key, algorithm: str, claims: dict[str, Any] = GOOD, **header: Any) -> str:
    head = {"alg": algorithm, "kid": key.get("kid"), **header}
    return jwt.encode({k: v for k, v in head.items() if v is not None}, claims, key, [algorithm])


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "RS512"), (RSA, "PS256"), (EC, "ES256"), (ED, "Ed25519")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_provider_signed_is_believed(key: Key, algorithm: str) -> None:
    claims = verified(signed(key, algorithm), ring(RSA, EC, ED), EXPECTED, NOW_S)
    assert claims == GOOD


def test_the_old_name_of_ed25519_is_known() -> None:
    token = signed(ED, "Ed25519")
    with pytest.warns(match="deprecated"):
        token = signed(ED, "EdDSA")
    assert verified(token, ring(ED), EXPECTED, NOW_S)["sub"] == "ada"


def test_a_key_is_found_by_its_name_and_without_one_where_there_is_one_only() -> None:
    other = RSAKey.generate_key(2048, {"kid": "other"})
    assert verified(signed(RSA, "RS256"), ring(other, RSA), EXPECTED, NOW_S)
    nameless = signed(RSA, "RS256", kid=None)
    assert verified(nameless, ring(RSA, EC), EXPECTED, NOW_S)
    with pytest.raises(DistrustedError, match="which of several keys"):
        verified(nameless, ring(other, RSA), EXPECTED, NOW_S)
    with pytest.raises(UnknownKeyError):
        verified(signed(RSA, "RS256"), ring(other), EXPECTED, NOW_S)


def test_a_key_for_one_algorithm_checks_no_other() -> None:
    with pytest.raises(UnknownKeyError):
        verified(signed(RSA, "RS256"), ring(RSA, alg="PS256"), EXPECTED, NOW_S)


def test_the_clocks_may_differ_by_what_is_allowed_and_no_more() -> None:
    token = signed(RSA, "RS256")
    for at_s in (NOW_S - 60, NOW_S, NOW_S + 359):
        assert verified(token, ring(RSA), EXPECTED, at_s)
    for at_s in (NOW_S - 62, NOW_S + 361):
        with pytest.raises(DistrustedError):
            verified(token, ring(RSA), EXPECTED, at_s)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://id.example/"},
        {"aud": "gateway2"},
        {"aud": ["gateway", "other"]},
        {"aud": []},
        {"azp": "other"},
        {"nonce": "another"},
        {"nonce": ["the nonce"]},
        {"exp": float("nan")},
        {"exp": True},
        {"nbf": NOW_S + 100},
        {"sub": "a\nb"},
        {"sub": ["ada"]},
        {"sub": 5},
    ],
    ids=str,
)
def test_what_must_stand_in_it(change: dict[str, Any]) -> None:
    token = signed(RSA, "RS256", {**GOOD, **change})
    with pytest.raises(DistrustedError) as caught:
        verified(token, ring(RSA), EXPECTED, NOW_S)
    said = str(caught.value)
    assert not [text for text in ("gateway2", "ada", token) if text in said]


def test_a_shared_secret_or_none_at_all_is_no_signature() -> None:
    # What everybody knows of the key, taken for a secret shared with the provider.
    shared = OctKey.import_key(str(RSA.as_dict(private=False)["n"]))
    confused = jwt.encode({"alg": "HS256", "kid": "rsa"}, GOOD, shared)
    head, body, _ = signed(RSA, "RS256").split(".")
    none = "eyJhbGciOiJub25lIn0." + body + "."
    for token in (confused, none, f"{head}.{body}.", f"{head}.{body}.AAAA"):
        with pytest.raises(DistrustedError):
            verified(token, ring(RSA), EXPECTED, NOW_S)


@examples(300)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200) | st.binary(max_size=200))
def test_anything_else_is_refused(odd: str | bytes) -> None:
    text = odd if isinstance(odd, str) else odd.decode("latin-1")
    good = signed(RSA, "RS256")
    for token in (text, f"{text}.{text}.{text}", good + text if text else "", text + good):
        if token == good:
            continue
        with pytest.raises(DistrustedError):
            verified(token, ring(RSA), EXPECTED, NOW_S)


def test_a_token_of_any_length_is_not_looked_at() -> None:
    with pytest.raises(DistrustedError, match="bytes"):
        verified("a" * (TOKEN_BYTES_MAX + 1), ring(RSA), EXPECTED, NOW_S)


def test_of_a_set_of_keys_what_is_not_for_signatures_is_left_out() -> None:
    odd = [
        {"kty": "new"},
        {"kty": "RSA", "n": "AQAB"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {},
        {**RSA.as_dict(private=False), "use": "enc"},
        RSA.as_dict(private=True),
        _weak(),
    ]
    document = {"keys": [*odd, EC.as_dict(private=False)]}
    assert len(KeyRing.read(json.dumps(document).encode())) == 1
    many = {"keys": [EC.as_dict(private=False)] * (KEYS_MAX + 10)}
    assert len(KeyRing.read(json.dumps(many).encode())) == KEYS_MAX
    for broken in (b"", b"[]", b'{"keys": 1}', b'{"keys": ["a"]}', b"\xff"):
        with pytest.raises(DistrustedError):
            KeyRing.read(broken)


_ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.lists(st.text()))


@examples(300)
@given(
    st.sampled_from([RSA, EC, ED]),
    st.dictionaries(st.sampled_from(["kty", "n", "e", "crv", "x", "y", "kid", "alg", "use"]), _ODD),
)
def test_a_key_that_is_odd_keeps_no_other_from_being_read(key: Key, odd: dict[str, Any]) -> None:
    document = {"keys": [{**key.as_dict(private=False), **odd}, EC.as_dict(private=False)]}
    found = KeyRing.read(json.dumps(document).encode())
    assert 1 <= len(found) <= 2
    good = signed(EC, "ES256")
    try:
        assert verified(good, found, EXPECTED, NOW_S)["sub"] == "ada"
    except DistrustedError as problem:
        assert "several keys" in str(problem), "two of the same name"


def _weak() -> dict[str, str]:
    """Half as long as keys must be."""
    modulus = base64.urlsafe_b64encode(((1 << 1023) | 1).to_bytes(128, "big")).rstrip(b"=")
    return {"kty": "RSA", "n": modulus.decode(), "e": "AQAB"}


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "a@b.example", "email_verified": True}, "a@b.example"),
        ({"email": " a@b.example ", "email_verified": "true"}, "a@b.example"),
        ({"email": "a@b.example", "email_verified": False}, ""),
        ({"email": "a@b.example"}, ""),
        ({"email": "a@b.example", "xms_edov": True}, ""),
        ({"email": 7, "email_verified": True}, ""),
        ({"email_verified": True}, ""),
    ],
)
def test_an_address_counts_if_it_was_proven(claims: dict[str, Any], email: str) -> None:
    assert person_of({"sub": "ada", **claims}, "email_verified").email == email


def test_another_claim_may_say_that_it_was_proven() -> None:
    claims = {"sub": "ada", "email": "a@b.example", "xms_edov": "1", "given_name": " Ada "}
    person = person_of(claims, "xms_edov")
    assert (person.email, person.first_name, person.last_name) == ("a@b.example", "Ada", "")
