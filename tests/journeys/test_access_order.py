"""Everything that can be wrong with a request at once: what is checked first answers (domain.md 7).

Begins with a request that succeeds and adds one wrong thing after the other, the last checked
first: each time the new one must be what is said, streamed or not, and no provider is asked.
"""

from pathlib import Path

import msgspec
import pytest

from tests.kit.journey import ask
from tests.kit.town import HAIKU, Person, costs, town

GHOST = "ghost.model-1"
NOBODY_SERVES_IT = f"""
[[models]]
id = "{GHOST}"
display_name = "Ghost"
developer = "Nobody"
released = 2025-12-11
context_window = 200000
max_output_tokens = 64000
rates = {{ input = 1000, output = 5000 }}
deployments = []
"""


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_the_first_check_that_fails_is_what_is_said(tmp_path: Path, stream: bool) -> None:
    async with town(tmp_path, NOBODY_SERVES_IT) as here:
        here.provider.usual = costs(0.01, HAIKU)
        tenant_id = await here.tenant("Acme", 1000)
        one = await here.person("Acme", "a@acme.example")
        tenant = f"/v1/admin/tenants/{tenant_id}"
        assert (await one.call(HAIKU)).status == 200

        await here.msp.done("PATCH", tenant, {"burst": {"requests_per_minute": 4}})
        for _ in range(9):
            if (await one.call(HAIKU)).status == 429:
                break
        asked = len(here.provider.asked)
        reply = await refused(one, HAIKU, stream, 429, "rate_limit_error", "burst_limit")
        assert 1 <= int(reply["retry-after"]) <= 90 and "x-should-retry" not in reply
        assert reply["x-hatz-limit-scope"] == "tenant"
        assert reply["anthropic-ratelimit-requests-limit"] == "4"

        empty = await here.msp.done(
            "POST", "/v1/admin/packages", {"name": "Nothing", "monthly_credits": 0}
        )
        await here.msp.done("PATCH", tenant, {"package_id": empty["id"]})
        reply = await refused(one, HAIKU, stream, 429, "rate_limit_error", "tenant_limit")
        assert reply["x-should-retry"] == "false" and reply["x-hatz-limit-scope"] == "tenant"

        role = {
            "name": "capped",
            "display_name": "Capped",
            "tenant_id": tenant_id,
            "permissions": ["gateway.use"],
            "user_credit_limit": 0,
        }
        await here.msp.done("POST", "/v1/admin/roles", role)
        await here.msp.done("PATCH", f"/v1/admin/users/{one.user_id}", {"role": "capped"})
        reply = await refused(one, HAIKU, stream, 429, "rate_limit_error", "role_limit")
        assert reply["x-should-retry"] == "false" and reply["x-hatz-limit-scope"] == "role"

        await refused(one, GHOST, stream, 503, "api_error", "upstream_unavailable")

        off = {"disabled_model_names": [GHOST, HAIKU]}
        await here.msp.done("PATCH", tenant, off)
        for model in (GHOST, HAIKU):
            await refused(one, model, stream, 404, "not_found_error", "model_disabled")
        await refused(one, "no.such", stream, 404, "not_found_error", "model_not_found")
        mapping = {"enabled": True, "mappings": {"haiku": HAIKU}}
        status, _ = await one.api("PUT", "/v1/preferences/gateway-mapping", mapping)
        assert status == 400

        bad = ask(HAIKU, stream=stream).replace(b'"max_tokens":', b'"max_tokens":"many","x":')
        answer = await one.post(bad)
        assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
        assert answer.error["message"].startswith("max_tokens")

        await here.msp.done("PATCH", tenant, {"status": "Suspended"})
        answer = await one.post(bad)
        assert (answer.status, answer.error["type"]) == (403, "permission_error")

        [key] = (await here.gateway.house._keys.all())[-1:]
        assert key.user_id == one.user_id
        await here.gateway.house._keys.revoke(key.id)
        here.gateway.house._gate.forget()
        answer = await one.post(bad)
        assert (answer.status, answer.error["type"]) == (401, "authentication_error")
        assert answer.headers["x-should-retry"] == "false"
        assert len(here.provider.asked) == asked


async def refused(
    person: Person, model: str, stream: bool, status: int, kind: str, reason: str
) -> dict[str, str]:
    """The headers of a refusal, which is plain JSON in any case."""
    reply = await person.call(model, stream=stream)
    assert (reply.status, reply.error["type"]) == (status, kind), reply.body
    assert reply.headers["x-hatz-reason"] == reason
    assert reply.headers["content-type"] == "application/json"
    assert msgspec.json.decode(reply.body)["request_id"] == reply.id
    return reply.headers
