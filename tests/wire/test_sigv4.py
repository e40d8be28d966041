"""Signatures, against botocore's own."""

import datetime as dt
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.sigv4 import AwsKeys, Signer, path_label
from tests.kit.patience import examples

KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
VISIBLE = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=30)
KEY = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=4, max_size=20)
MODEL_IDS = st.one_of(
    st.sampled_from(
        [
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-x-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
)
HEADERS = st.dictionaries(
    st.from_regex(r"x-amz[a-z-]{1,12}", fullmatch=True).filter(
        lambda name: name not in ("x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
    ),
    VISIBLE.filter(str.strip),
    max_size=3,
)
QUERIES = st.lists(
    st.tuples(st.text("abc-%20~", min_size=1, max_size=4), st.text("abc123%3D", max_size=4)).map(
        "=".join
    ),
    max_size=4,
).map("&".join)


def of_botocore(
    keys: AwsKeys,
    region: str,
    service: str,
    *,
    target: str,
    headers: dict[str, str],
    body: bytes,
    now_s: int,
) -> str:
    others = {name: value for name, value in headers.items() if name != "host"}
    request = AWSRequest("POST", f"https://{headers['host']}{target}", others, body)
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token or None)
    now = dt.datetime.fromtimestamp(now_s, dt.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        SigV4Auth(credentials, service, region).add_auth(request)
    return str(request.headers["Authorization"])


def of_ours(
    signer: Signer, target: str, headers: dict[str, str], body: list[bytes], now_s: float
) -> str:
    return dict(signer.lines("POST", target, headers.items(), body, now_s))["authorization"]


def test_the_vector_of_the_document() -> None:
    headers = {
        "host": "bedrock-runtime.us-east-1.amazonaws.com",
        "content-type": "application/json",
    }
    target = f"/model/{path_label('us.anthropic.claude-sonnet-4-5-20250929-v1:0')}/invoke"
    assert target == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
    now_s = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC).timestamp()
    said = of_ours(Signer(KEYS, "us-east-1", "bedrock"), target, headers, [b"{}"], now_s)
    assert said == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature="
        "0f14952db167992d058ff9905374a01b3a8b1a5c8f3188f0ca5e81495eb919bd"
    )


@given(
    model=MODEL_IDS,
    action=st.sampled_from(["/invoke", "/invoke-with-response-stream", "/converse", ""]),
    query=QUERIES,
    more=HEADERS,
    body=st.lists(st.binary(max_size=200), max_size=3),
    access=KEY,
    secret=VISIBLE.filter(bool),
    token=st.one_of(st.just(""), VISIBLE.filter(str.strip)),
    region=st.sampled_from(["us-east-1", "eu-central-1", "ap-southeast-2"]),
    service=st.sampled_from(["bedrock", "bedrock-mantle"]),
    now_s=st.integers(1_000_000_000, 4_000_000_000),
)
@examples(3000)
def test_they_are_those_of_botocore(
    model: str,
    action: str,
    query: str,
    more: dict[str, str],
    body: list[bytes],
    access: str,
    secret: str,
    token: str,
    region: str,
    service: str,
    now_s: int,
) -> None:
    # A path of dots alone is normalised away; no model is called that.
    label = "m" + model if set(model) == {"."} else model
    assert path_label(label) == percent_encode(label, safe="-._~")
    target = f"/model/{path_label(label)}{action}" + (f"?{query}" if query else "")
    headers = {
        "host": f"bedrock-runtime.{region}.amazonaws.com",
        "content-type": "application/json",
        **more,
    }
    keys = AwsKeys(access, secret, token)
    ours = of_ours(Signer(keys, region, service), target, headers, body, now_s + 0.7)
    assert ours == of_botocore(
        keys,
        region,
        service,
        target=target,
        headers=headers,
        body=b"".join(body),
        now_s=now_s,
    )


@given(st.lists(st.integers(1_700_000_000, 1_700_400_000), min_size=2, max_size=5))
@examples(50)
def test_a_signer_that_lives_for_days_signs_as_a_new_one(times: list[int]) -> None:
    kept = Signer(KEYS, "us-east-1", "bedrock")
    headers = {"host": "h"}
    for now_s in times:
        fresh = Signer(KEYS, "us-east-1", "bedrock")
        assert of_ours(kept, "/", headers, [b""], now_s) == of_ours(
            fresh, "/", headers, [b""], now_s
        )


def test_keys_do_not_print_their_secrets() -> None:
    shown = repr(AwsKeys("AKIDEXAMPLE", "sesame", "open"))
    assert "sesame" not in shown
    assert "open" not in shown
    assert "AKIDEXAMPLE" not in shown
