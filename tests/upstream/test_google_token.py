"""The credential of Google Cloud: its token stands in the head, and is fetched in a thread."""

import threading
import time
from typing import Any

import pytest

from proxy.domain.fault import Fault
from proxy.gateway.tasks import Tasks
from proxy.upstream.fresh_credential import CredentialTrouble
from proxy.upstream.google_login import GoogleToken
from proxy.upstream.google_token import GoogleCredential
from tests.kit.journey import until
from tests.kit.waits import Waits

HEAD = b"POST /x HTTP/1.1\r\nhost: there\r\n\r\n"


class Login:
    """Fetches in no time; notes in which threads."""

    def __init__(self) -> None:
        self.opened = 0
        self.fetched: list[GoogleToken] = []
        self.threads: set[int] = set()
        self.trouble: CredentialTrouble | None = None

    def open(self) -> Any:
        self.opened += 1
        return self

    def fetch(self) -> GoogleToken:
        self.threads.add(threading.get_ident())
        if self.trouble is not None:
            raise self.trouble
        pays = "payer" if self.fetched else ""
        self.fetched.append(GoogleToken(f"t{len(self.fetched)}", pays, time.time() + 3600))
        return self.fetched[-1]


@pytest.fixture
async def tasks():
    tasks = Tasks()
    yield tasks
    await tasks.stop()


async def test_the_token_stands_at_the_end_of_the_head_and_the_body_is_not_touched(tasks):
    login, waits = Login(), Waits()
    credential = GoogleCredential("g", login.open, start_task=tasks.start, wall=time.time)
    assert not credential.ready(waits)
    await until(lambda: waits.told)
    assert waits.told == [None] and credential.ready(waits)
    body = memoryview(b"{}")
    head, same = credential.signed([HEAD, body])
    assert head == HEAD.removesuffix(b"\r\n") + b"authorization: Bearer t0\r\n\r\n"
    assert same is body
    assert login.threads and threading.get_ident() not in login.threads
    assert "t0" not in repr(credential)


async def test_only_a_401_is_about_the_token(tasks, monkeypatch):
    monkeypatch.setattr("proxy.upstream.fresh_credential.REFUSED_AGAIN_S", -1.0)
    login, waits = Login(), Waits()
    credential = GoogleCredential("g", login.open, start_task=tasks.start, wall=time.time)
    credential.tick(0.0)
    await until(lambda: credential.ready(waits))
    for status in (400, 403, 404, 429, 500):
        assert not credential.renew(status, {}, b"")
    assert credential.ready(waits)
    assert credential.renew(401, {}, b"")
    waits.told.clear()
    assert not credential.ready(waits)
    await until(lambda: waits.told)
    [head] = credential.signed([HEAD])
    assert head.endswith(b"\r\nauthorization: Bearer t1\r\nx-goog-user-project: payer\r\n\r\n")
    assert login.opened == 1, "one account, many tokens"


async def test_an_account_that_could_not_be_opened_is_tried_again(tasks, monkeypatch):
    monkeypatch.setattr("proxy.upstream.fresh_credential.FAILED_FOR_S", 0.0)
    login, waits = Login(), Waits()
    login.trouble = CredentialTrouble("no", "make one")
    credential = GoogleCredential("g", login.open, start_task=tasks.start, wall=time.time)
    assert not credential.ready(waits)
    await until(lambda: waits.told)
    assert isinstance(waits.told.pop(), Fault)
    login.trouble = None
    assert not credential.ready(waits)
    await until(lambda: waits.told)
    assert waits.told == [None]
