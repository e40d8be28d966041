"""Google's error envelope, in all its dresses."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.google_error import read_google_error, without_project
from tests.kit.patience import examples
from tests.kit.vertex_cloud import google_error

BODY = google_error(429, "RESOURCE_EXHAUSTED", "Quota", reason="RATE", retry_delay="34s")


@pytest.mark.parametrize("body", [BODY, b"[" + BODY + b"]", b" \n[ " + BODY + b", " + BODY + b"]"])
def test_it_is_read_bare_and_in_a_list(body: bytes) -> None:
    error = read_google_error(body)
    assert error is not None
    assert (error.code, error.status, error.message) == (429, "RESOURCE_EXHAUSTED", "Quota")
    assert (error.reason, error.retry_delay) == ("RATE", "34s")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>404</html>",
        b'{"error":"x"}',
        b'{"type":"error","error":{"type":"api_error","message":"m"}}',
        b"[" * 5000,
        b'{"error":{"status":"X","message":"' + b"x" * 70000 + b'"}}',
    ],
)
def test_what_is_something_else_is_none(body: bytes) -> None:
    assert read_google_error(body) is None


@pytest.mark.parametrize("details", [[1], {"a": 1}, [{"reason": 5, "retryDelay": None}], "x", None])
def test_odd_details_add_nothing(details: object) -> None:
    body = msgspec.json.encode({"error": {"status": "INTERNAL", "details": details}})
    error = read_google_error(body)
    assert error is not None and (error.reason, error.retry_delay) == ("", "")


@examples(200)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    read_google_error(body)
    read_google_error(b'{"error":' + body + b"}")


def test_projects_and_accounts_are_left_out() -> None:
    said = (
        "Permission denied on projects/my-project-1/locations/x for project: my-project-1 by "
        "gateway@my-project-1.iam.gserviceaccount.com and Project my-project-1."
    )
    assert "my-project-1" not in without_project(said)
    assert "locations/x" in without_project(said)
