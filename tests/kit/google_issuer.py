"""Where tokens of Google Cloud come from, scripted: token endpoint, workload identity, metadata.

    with google_issuer() as issuer:
        … issuer.service_account() is the JSON of a key, issuer.valid the tokens that hold …

What is presented is checked as Google does: the signature and the times of a service account's
request, grant types, secrets. `troubles` are answered first, one each. Runs in a thread, for it is
asked from threads.
"""

import base64
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ACCOUNT = "gateway@my-project.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SUBJECT_TOKEN = "token-of-the-cluster"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PEM = _KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()


class GoogleIssuer:
    """`lifetime_s` is that of the next tokens; `clock_ahead_s` how far its clock is before ours."""

    def __init__(self) -> None:
        self.url = ""
        self.lifetime_s = 3600.0
        self.clock_ahead_s = 0.0
        self.issued: list[str] = []
        self.valid: set[str] = set()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.troubles: list[tuple[int, object]] = []

    def issue(self) -> dict[str, object]:
        token = f"ya29.token-{len(self.issued) + 1}"
        self.issued.append(token)
        self.valid.add(token)
        return {"access_token": token, "expires_in": self.lifetime_s, "token_type": "Bearer"}

    def revoke(self) -> None:
        """No token of before holds any more."""
        self.valid.clear()

    def service_account(self) -> str:
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "my-project",
                "private_key_id": "key-1",
                "private_key": _PEM,
                "client_email": ACCOUNT,
                "token_uri": f"{self.url}/token",
            }
        )

    def workload_identity(self, token_file: str) -> str:
        return json.dumps(
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools"
                "/pool/providers/cluster",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": f"{self.url}/sts",
                "credential_source": {"file": token_file},
            }
        )

    def authorized_user(self) -> str:
        return json.dumps(
            {
                "type": "authorized_user",
                "client_id": "client-1",
                "client_secret": "secret-of-the-client",
                "refresh_token": "refresh-1",
                "token_uri": f"{self.url}/token",
                "quota_project_id": "pays-for-it",
            }
        )

    # -- what it answers

    def answer(self, method: str, path: str, form: dict[str, str], flavor: str) -> tuple[int, Any]:
        self.asked.append(path)
        if self.troubles:
            return self.troubles.pop(0)
        if path == "/":
            return 200, "computeMetadata/"
        if path.startswith("/computeMetadata/"):
            return self._metadata(method, path, flavor)
        if method != "POST":
            return 405, {"error": "method"}
        if path == "/sts":
            return self._sts(form)
        grant = form.get("grant_type", "")
        if grant == "refresh_token":
            wanted = ("client-1", "secret-of-the-client", "refresh-1")
            told = tuple(form.get(n) for n in ("client_id", "client_secret", "refresh_token"))
            return (200, self.issue()) if told == wanted else (400, _refused("Bad Request"))
        if grant != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return 400, {"error": "unsupported_grant_type"}
        return self._assertion(form.get("assertion", ""))

    def _assertion(self, assertion: str) -> tuple[int, Any]:
        signed, _, signature = assertion.rpartition(".")
        head, claims = [json.loads(_unpacked(part)) for part in signed.split(".")]
        try:
            _KEY.public_key().verify(
                _unpacked(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return 400, _refused("Invalid JWT Signature.")
        now_s = time.time() + self.clock_ahead_s
        if not claims["iat"] - 300 <= now_s <= claims["exp"]:
            return 400, _refused(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim."
            )
        told = (head["alg"], head["kid"], claims["iss"], claims["scope"])
        if told != ("RS256", "key-1", ACCOUNT, SCOPE):
            self.complaints.append(f"assertion: {told}")
            return 400, _refused("Invalid JWT")
        return 200, self.issue()

    def _sts(self, form: dict[str, str]) -> tuple[int, Any]:
        if form.get("subject_token") != SUBJECT_TOKEN or form.get("scope") != SCOPE:
            self.complaints.append(f"sts: {form}")
            return 400, _refused("The subject token is not known.")
        return 200, {**self.issue(), "issued_token_type": "urn:ietf:params:oauth:token-type:jwt"}

    def _metadata(self, method: str, path: str, flavor: str) -> tuple[int, Any]:
        if method != "GET" or (flavor != "Google" and path != "/computeMetadata/v1/"):
            self.complaints.append(f"metadata: {method} {path} {flavor}")
            return 403, "no flavor"
        place = path.partition("?")[0].removeprefix("/computeMetadata/v1/")
        if place.endswith("/token"):
            return 200, self.issue()
        if place.startswith("instance/service-accounts/default"):
            return 200, {"email": ACCOUNT, "scopes": [SCOPE], "aliases": ["default"]}
        known = {
            "": "ok",
            "project/project-id": "my-project",
            "universe/universe-domain": "googleapis.com",
        }
        return (200, known[place]) if place in known else (404, "not found")


def _refused(words: str) -> dict[str, str]:
    return {"error": "invalid_grant", "error_description": words}


def _unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@contextmanager
def google_issuer() -> Iterator[GoogleIssuer]:
    """On a free port of loopback."""
    issuer = GoogleIssuer()

    class Door(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            self._answer(dict(urllib.parse.parse_qsl(body)))

        def _answer(self, form: dict[str, str]) -> None:
            flavor = self.headers.get("metadata-flavor", "")
            status, said = issuer.answer(self.command, self.path, form, flavor)
            is_text = isinstance(said, str)
            raw = said.encode() if is_text else json.dumps(said).encode()
            self.send_response_only(status)
            self.send_header("content-type", "text/plain" if is_text else "application/json")
            self.send_header("content-length", str(len(raw)))
            if self.path.startswith("/computeMetadata/") or self.path == "/":
                self.send_header("metadata-flavor", "Google")
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Who has waited long enough hangs up: no news."""

    server = Server(("127.0.0.1", 0), Door)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
