"""What the gateway wrote down while real clients talked through it."""

import pytest

from tests.clients.driving import Seen
from tests.clients.serving import KEY, KEY_WRONG, UPSTREAM_KEY, Gateway

CLIENTS = [
    "python-new",
    "python-old",
    "typescript-new",
    "typescript-old",
    "ai-sdk-new",
    "ai-sdk-old",
    "claude-code",
]
NAMES = {"python": "/Python ", "typescript": "/JS ", "ai-sdk": "ai/", "claude": "claude-cli/"}


@pytest.mark.parametrize("seen", CLIENTS, indirect=True)
def test_the_log_knows_the_client_and_keeps_its_secrets(seen: Seen, gateway: Gateway) -> None:
    assert seen["version"]  # the client has done its talking
    log = gateway.log.read_text()
    assert NAMES[seen.client.rpartition("-")[0]] in log
    for secret in (KEY, KEY_WRONG, UPSTREAM_KEY, "Say hello", "demo model!", "hi-from-bash"):
        assert secret not in log
    assert "Traceback" not in log
