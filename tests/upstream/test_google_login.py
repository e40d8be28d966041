"""Tokens of Google Cloud by google-auth, from a scripted issuer: blocking, as in its thread."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from proxy.upstream import google_login
from proxy.upstream.fresh_credential import CredentialTrouble
from proxy.upstream.google_login import GoogleLogin
from tests.kit.google_issuer import SUBJECT_TOKEN, google_issuer
from tests.kit.rude_upstream import make_certificate


@pytest.fixture
def issuer():
    with google_issuer() as issuer:
        yield issuer
        assert issuer.complaints == []


def login(document: str, **more: object) -> GoogleLogin:
    return GoogleLogin(document, trust_env_proxies=False, **more)


def test_a_service_account_gets_a_token_that_ends(issuer):
    issuer.lifetime_s = 1800
    fetched = login(issuer.service_account()).fetch()
    assert fetched.token == issuer.issued[0] and fetched.quota_project == ""
    assert fetched.expires_s == pytest.approx(time.time() + 1800, abs=30)


def test_each_fetch_is_a_new_token(issuer):
    held = login(issuer.service_account())
    assert [held.fetch().token, held.fetch().token] == issuer.issued


def test_the_end_is_told_by_our_own_clock_however_wrong_it_is(issuer):
    """`expires_in` is a span: a clock that is wrong by minutes does not make tokens end early."""
    issuer.clock_ahead_s = 250
    fetched = login(issuer.service_account()).fetch()
    assert fetched.expires_s == pytest.approx(time.time() + 3600, abs=30)


def test_workload_identity_reads_the_clusters_token_each_time(issuer, tmp_path: Path):
    subject = tmp_path / "subject"
    subject.write_text(SUBJECT_TOKEN)
    held = login(issuer.workload_identity(str(subject)))
    assert held.fetch().token == issuer.issued[0]
    subject.unlink()
    with pytest.raises(CredentialTrouble):
        held.fetch()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (400, {"error": "invalid_grant", "error_description": "Account deleted"}),
            "Account deleted",
        ),
        ((401, {"error": "unauthorized_client"}), "unauthorized_client"),
        ((400, "<html>no</html>"), "RefreshError"),
        ((200, {"nothing": 1}), "RefreshError"),
    ],
)
def test_a_refusal_is_told_in_oauths_words_only(issuer, answer, words):
    issuer.troubles = [answer]
    with pytest.raises(CredentialTrouble) as trouble:
        login(issuer.service_account()).fetch()
    assert words in trouble.value.said
    assert trouble.value.remedy
    assert "PRIVATE KEY" not in str(trouble.value) and "html" not in str(trouble.value)


def test_a_passing_trouble_is_waited_out(issuer):
    issuer.troubles = [(503, {"error": "unavailable"})]
    assert login(issuer.service_account()).fetch().token == issuer.issued[0]


def test_a_silent_issuer_is_not_waited_for_for_long(issuer, monkeypatch):
    monkeypatch.setattr(google_login, "CALL_TIMEOUT_S", 0.2)
    go = threading.Event()
    usual = issuer.answer
    monkeypatch.setattr(issuer, "answer", lambda *asked: go.wait(20) and usual(*asked))
    with pytest.raises(CredentialTrouble, match="cannot be asked"):
        login(issuer.service_account()).fetch()
    go.set()


def test_an_authority_of_the_operators_is_trusted(tmp_path: Path):
    made = make_certificate(tmp_path)

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = json.dumps({"access_token": "behind-tls", "expires_in": 60}).encode()
            self.send_response_only(200)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Who does not trust us hangs up."""

    server = Server(("127.0.0.1", 0), Door)
    server.socket = made.server_context().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        with google_issuer() as issuer:
            document = issuer.service_account().replace(
                issuer.url, f"https://localhost:{server.server_port}"
            )
        assert login(document, ca_file=str(made.path)).fetch().token == "behind-tls"
        with pytest.raises(CredentialTrouble):
            login(document).fetch()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
