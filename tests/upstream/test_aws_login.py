"""Where AWS keys come from: each place that AWS documents, played by a server on loopback."""

import datetime as dt
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.upstream.aws_login import AwsLogin
from proxy.upstream.fresh_credential import CredentialTrouble

PLACES = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
]
LIFE_S = 3600


class Issuer(http.server.ThreadingHTTPServer):
    """STS and an instance's metadata in one."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.denies = False
        super().__init__(("127.0.0.1", 0), _Issuing)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Issuing(http.server.BaseHTTPRequestHandler):
    server: Issuer

    def do_PUT(self) -> None:
        self._say(b"metadata-token")

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.endswith("/security-credentials/"):
            self._say(b"the-role")
            return
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=LIFE_S)
        document = {
            "Code": "Success",
            "AccessKeyId": "AKIAINSTANCE",
            "SecretAccessKey": "of-the-instance",
            "Token": "t",
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self._say(json.dumps(document).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.asked.append(body)
        if self.server.denies:
            self._say(
                b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not you</Message>"
                b"</Error></ErrorResponse>",
                403,
            )
            return
        action = "AssumeRoleWithWebIdentity" if "WebIdentity" in body else "AssumeRole"
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=LIFE_S)
        self._say(
            f"<{action}Response><{action}Result><Credentials><AccessKeyId>AKIAROLE</AccessKeyId>"
            f"<SecretAccessKey>of-the-role</SecretAccessKey><SessionToken>t</SessionToken>"
            f"<Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn><AssumedRoleId>x:s"
            f"</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>".encode()
        )

    def _say(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Issuer]:
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with Issuer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        running = threading.Thread(target=server.serve_forever, args=(0.01,))
        running.start()
        yield server
        server.shutdown()
        running.join()


def assert_ends_in_an_hour(expires_s: float | None) -> None:
    assert expires_s is not None
    assert abs(expires_s - time.time() - LIFE_S) < 30


async def test_keys_of_the_environment(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-environment")
    fetched = await AwsLogin("", "eu-central-1").fetch()
    assert (fetched.value.access_key, fetched.value.secret_key) == ("AKIAENV", "of-the-environment")
    assert fetched.value.token == ""
    assert fetched.expires_s is None
    assert issuer.asked == []


async def test_keys_of_a_profile_and_again_when_the_file_has_changed(
    issuer: Issuer, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    login = AwsLogin("work", "eu-central-1")
    for secret in ("one", "two"):
        file.write_text(f"[work]\naws_access_key_id = AKIAFILE\naws_secret_access_key = {secret}\n")
        fetched = await login.fetch()
        assert fetched.value.secret_key == secret


async def test_a_role_of_a_profile(issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[me]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n"
    )
    (tmp_path / "config").write_text(
        "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/models\nsource_profile = me\n"
    )
    login = AwsLogin("work", "eu-central-1")
    for _ in range(2):
        fetched = await login.fetch()
        assert fetched.value.access_key == "AKIAROLE"
        assert_ends_in_an_hour(fetched.expires_s)
    assert len(issuer.asked) == 2  # each time anew: that is what a refusal needs


async def test_web_identity(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/models")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    with pytest.raises(CredentialTrouble, match="file of credentials"):
        await AwsLogin("", "eu-central-1").fetch()
    token.write_text("a-token-of-the-cluster")
    fetched = await AwsLogin("", "eu-central-1").fetch()
    assert fetched.value.access_key == "AKIAROLE"
    assert_ends_in_an_hour(fetched.expires_s)
    assert "a-token-of-the-cluster" in issuer.asked[0]


async def test_the_metadata_of_an_instance(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", issuer.url)
    fetched = await AwsLogin("", "eu-central-1").fetch()
    assert fetched.value.access_key == "AKIAINSTANCE"
    assert_ends_in_an_hour(fetched.expires_s)


@pytest.mark.parametrize(
    ("profile", "config", "said", "remedy"),
    [
        ("", "", "there are no AWS credentials", "AWS_ACCESS_KEY_ID"),
        ("absent", "", "absent", "correct `profile`"),
        ("half", "[profile half]\naws_access_key_id = A\n", "artial", "missing beside"),
        ("bad", "[profile bad", "config", "correct the file"),
        (
            "sso",
            "[profile sso]\nsso_start_url = https://x\nsso_region = eu-central-1\n"
            "sso_account_id = 123456789012\nsso_role_name = r\n",
            "",
            "aws sso login",
        ),
    ],
)
async def test_each_trouble_has_its_remedy(
    issuer: Issuer, tmp_path: Path, profile: str, config: str, said: str, remedy: str
) -> None:
    (tmp_path / "config").write_text(config)
    with pytest.raises(CredentialTrouble) as caught:
        await AwsLogin(profile, "eu-central-1").fetch()
    assert said in caught.value.said
    assert remedy in caught.value.remedy


async def test_a_role_that_may_not_be_assumed(issuer: Issuer, tmp_path: Path) -> None:
    issuer.denies = True
    (tmp_path / "credentials").write_text(
        "[me]\naws_access_key_id = AKIAFILE\naws_secret_access_key = hidden\n"
        "[work]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = me\n"
    )
    with pytest.raises(CredentialTrouble, match="AccessDenied") as caught:
        await AwsLogin("work", "eu-central-1").fetch()
    assert "role" in caught.value.remedy
    assert "hidden" not in str(caught.value)
