"""The doctor on Google Cloud: each trouble of token, project and model gets its line and remedy."""

import asyncio
import os
import ssl
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from proxy.cli.finding import Finding, Level
from proxy.cli.vertex_visit import visit_vertex
from proxy.config.settings import Provider, Upstream
from tests.kit.cloud_gateway import THERE, file_text, vertex_cloud
from tests.kit.google_issuer import google_issuer
from tests.kit.journey import ROOT, plays_refusal
from tests.kit.vertex_cloud import PROJECT, REGION, google_error

TLS = ssl.create_default_context()


@pytest.fixture
def issuer():
    with google_issuer() as issuer:
        yield issuer


def settings_of(cloud, credentials="env:LOGIN", **more) -> Provider:
    return Provider(
        name="vertex",
        wire="vertex",
        project=PROJECT,
        region=REGION,
        base_url=cloud.base_url,
        credentials=credentials,
        **more,
    )


async def examined(cloud, issuer, models=(THERE,), document=None, **more) -> list[Finding]:
    environ = {"LOGIN": document if document is not None else issuer.service_account()}
    return await visit_vertex(settings_of(cloud, **more), models, Upstream(), TLS, environ)


async def test_a_token_and_each_model_are_looked_at_for_nothing(issuer):
    async with vertex_cloud(issuer) as cloud:
        found = await examined(cloud, issuer, (THERE, "claude-opus-4-1@20250805", THERE))
        assert [(f.level, f.seen) for f in found] == [
            (Level.OK, "a token of Google was given"),
            (Level.OK, f"model {THERE} can be asked"),
            (Level.OK, "model claude-opus-4-1@20250805 can be asked"),
        ]
        assert [msgspec.json.decode(a.body)["messages"] for a in cloud.asked] == [[], []]
        assert not any(token in str(found) for token in issuer.issued)


ANSWERS = [
    (
        404,
        google_error(404, "NOT_FOUND", "Publisher Model was not found"),
        Level.FAIL,
        f"enable it for the project {PROJECT} in Model Garden",
    ),
    (
        403,
        google_error(403, "PERMISSION_DENIED", "Permission denied", reason="IAM_PERMISSION_DENIED"),
        Level.FAIL,
        "roles/aiplatform.user",
    ),
    (
        403,
        google_error(403, "PERMISSION_DENIED", "It is disabled", reason="SERVICE_DISABLED"),
        Level.FAIL,
        "enable the Vertex AI API",
    ),
    (429, google_error(429, "RESOURCE_EXHAUSTED", "Quota"), Level.WARN, "more quota"),
    (503, google_error(503, "UNAVAILABLE", "Later"), Level.WARN, "try again later"),
    (
        400,
        google_error(
            400,
            "FAILED_PRECONDITION",
            "Publisher Model projects/p/locations/us-central1/publishers/anthropic/models/c is not "
            "servable in region us-central1.",
        ),
        Level.FAIL,
        "write another one, or global",
    ),
    (
        400,
        google_error(
            400, "FAILED_PRECONDITION", "Project `p` is not allowed to use Publisher Model `m`"
        ),
        Level.FAIL,
        "in Model Garden",
    ),
    (
        400,
        google_error(
            400,
            "FAILED_PRECONDITION",
            "Organization Policy constraint `constraints/vertexai.allowedModels` violated",
        ),
        Level.FAIL,
        "an organization policy",
    ),
    (
        400,
        google_error(400, "INVALID_ARGUMENT", "Invalid resource name"),
        Level.WARN,
        "are project, region and base_url right?",
    ),
]


@pytest.mark.parametrize(("status", "body", "level", "remedy"), ANSWERS)
async def test_every_answer_has_its_remedy(issuer, status, body, level, remedy):
    async with vertex_cloud(issuer) as cloud:
        cloud._refusal = lambda _: None
        cloud.usual = plays_refusal(status, body)
        found = await examined(cloud, issuer)
        assert found[-1].level is level
        assert remedy in found[-1].remedy
        assert found[-1].seen.startswith(f"model {THERE}: {status} ")


async def test_a_wrong_clock_is_named(issuer):
    issuer.clock_ahead_s = -7200
    async with vertex_cloud(issuer) as cloud:
        [found] = await examined(cloud, issuer)
        assert found.level is Level.FAIL
        assert "reasonable timeframe" in found.seen
        assert found.remedy.startswith("is this machine's clock right? Set it by NTP")


async def test_a_key_that_was_deleted_is_named(issuer):
    issuer.troubles = [
        (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    ]
    async with vertex_cloud(issuer) as cloud:
        [found] = await examined(cloud, issuer)
        assert found.level is Level.FAIL and "Invalid JWT Signature." in found.seen
        assert "Make a new key" in found.remedy


@pytest.mark.parametrize(
    "said",
    [
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
        {"error": "invalid_grant", "error_description": "reauth related error (invalid_rapt)"},
    ],
)
async def test_a_login_that_has_ended_is_named(issuer, said):
    issuer.troubles = [(400, said)] * 3
    async with vertex_cloud(issuer) as cloud:
        [found] = await examined(cloud, issuer)
        assert found.level is Level.FAIL
        assert "gcloud auth application-default login" in found.remedy
        assert "clock" not in found.remedy


@pytest.mark.parametrize(
    "document",
    [
        '{"type":"service_account","private_key":"hunter2"}',
        '{"type":"authorized_user","refresh_token":"hunter2"}',
        '{"type":"external_account","audience":"hunter2"}',
        '{"type":"hunter2"}',
        '["hunter2"]',
        "hunter2",
    ],
)
async def test_credentials_that_are_none_are_named_and_not_shown(issuer, document):
    async with vertex_cloud(issuer) as cloud:
        [found] = await examined(cloud, issuer, document=document)
        assert found.level is Level.FAIL and found.remedy
        assert "hunter2" not in str(found)


async def test_an_address_where_nobody_listens_is_named(issuer):
    async with vertex_cloud(issuer) as cloud:
        await cloud.stop_listening()
        found = await examined(cloud, issuer)
        assert [f.level for f in found] == [Level.OK, Level.FAIL]
        assert "no connection" in found[1].seen


async def test_a_token_endpoint_that_cannot_be_reached_is_named(issuer):
    document = issuer.service_account().replace(issuer.url, "http://127.0.0.1:9")
    async with vertex_cloud(issuer) as cloud:
        [found] = await examined(cloud, issuer, document=document)
        assert found.seen == "Google cannot be asked for a token"


async def test_the_command_finds_the_machines_own_account(tmp_path: Path, issuer):
    """Without credentials: the metadata server, as on Google's machines."""
    async with vertex_cloud(issuer) as cloud:
        text = file_text(tmp_path, [cloud])
        (tmp_path / "gateway.toml").write_text(
            "\n".join(line for line in text.splitlines() if not line.startswith("credentials"))
        )
        place = issuer.url.removeprefix("http://")
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GOOGLE_", "CLOUDSDK_")) and not name.lower().endswith("_proxy")
        }
        environ |= {
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "GCE_METADATA_HOST": place,
            "GCE_METADATA_IP": place,
        }
        found = await _doctor(tmp_path, environ)
        mine = [f["seen"] for f in found if f["what"] == "provider p0"]
        assert mine == ["a token of Google was given", f"model {THERE} can be asked"]
        assert issuer.complaints == []
        assert any(path.endswith("/token") or "/token?" in path for path in issuer.asked)
        environ |= {"NO_GCE_CHECK": "true"}
        [none] = [f for f in await _doctor(tmp_path, environ) if f["what"] == "provider p0"]
        assert none["level"] == "FAIL"
        assert "GOOGLE_APPLICATION_CREDENTIALS" in none["remedy"]


async def _doctor(place: Path, environ: dict[str, str]) -> list[dict[str, str]]:
    def run() -> bytes:
        command = [sys.executable, "-m", "proxy", "doctor", "--config", "gateway.toml", "--json"]
        return subprocess.run(
            command, cwd=place, env=environ, capture_output=True, timeout=60
        ).stdout

    return msgspec.json.decode(await asyncio.to_thread(run))
