import pytest

from proxy.demo.refusal import Refusal


@pytest.mark.parametrize(
    ("status", "error_type", "retry"),
    [
        (400, "invalid_request_error", "false"),
        (401, "authentication_error", "false"),
        (403, "permission_error", "false"),
        (404, "not_found_error", "false"),
        (413, "request_too_large", "false"),
        (418, "invalid_request_error", "false"),
        (429, "rate_limit_error", "true"),
        (500, "api_error", "true"),
        (503, "api_error", "true"),
        (529, "overloaded_error", "true"),
    ],
)
def test_statuses_have_the_providers_types(status: int, error_type: str, retry: str) -> None:
    refusal = Refusal(status)
    assert refusal.error_type == error_type
    assert refusal.words
    assert refusal.headers["x-should-retry"] == retry
    assert ("retry-after" in refusal.headers) == (status == 429)
