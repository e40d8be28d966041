"""PostgreSQL killed under load and back: replies as ever, each generation in the books once."""

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from proxy.cli import migrate
from tests.kit.provider import provider
from tests.kit.running import Gateway, gateway_process, message, overrides, until, write_config
from tests.kit.servers import Postgres

CLIENTS = 6
OUTAGE_S = 3.0
LATE_S = 2.0
"""What a reply that is there at once may take on a busy machine; storage is waited for longer."""


class Crowd:
    """Clients that ask one thing after the other until told to stop."""

    def __init__(self, gateway: Gateway) -> None:
        self.answered: list[str] = []
        self.troubles: list[str] = []
        self.slowest_s = 0.0
        self._gateway = gateway
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on, args=(n,)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def more(self, number: int) -> None:
        """Wait for so many more replies."""
        wanted = len(self.answered) + number
        until(lambda: len(self.answered) >= wanted, f"{number} more replies")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._ask(f"c{client}-{number}", streams=bool(number % 2))

    def _ask(self, request_id: str, *, streams: bool) -> None:
        begun = time.monotonic()
        path = "/v1/anthropic/v1/messages"
        try:
            reply = self._gateway.ask(
                "POST", path, {"X-Request-Id": request_id}, message(stream=streams)
            )
        except OSError as error:
            self.troubles.append(f"{request_id}: {error!r}")
            return
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        whole = b"message_stop" if streams else b"Hello from the provider"
        if reply.status == 200 and whole in reply.body:
            self.answered.append(request_id)
        else:
            self.troubles.append(f"{request_id}: {reply.status} {reply.body[:300]!r}")


def test_with_storage_killed_and_back_nobody_notices_and_nothing_is_lost(
    tmp_path: Path, postgres: Postgres, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres_url.rpartition("/")[2]
    for variable, value in overrides(storage__url=postgres_url).items():
        monkeypatch.setenv(variable, value)

    def stored() -> list[str]:
        return postgres.ask("SELECT request_id FROM entries", name).split()

    with provider() as upstream:
        assert migrate.run(["--config", str(write_config(tmp_path, upstream.url))]) == 0
        with gateway_process(tmp_path, upstream.url, workers=2) as gateway:
            crowd = Crowd(gateway)
            try:
                crowd.more(50)
                postgres.kill()
                crowd.more(50)
                time.sleep(OUTAGE_S)
                crowd.more(50)
                postgres.start()
                crowd.more(50)
            finally:
                crowd.stop()
            until(lambda: len(stored()) >= len(crowd.answered), "rows in storage", within_s=60)
            log = gateway.log.read_text("utf-8")
    assert crowd.troubles == []
    assert crowd.slowest_s < LATE_S
    assert Counter(stored()) == Counter(crowd.answered)
    of_months, of_rows = postgres.ask(
        "SELECT sum(requests), sum(credits) FROM month_use WHERE user_id = ''"
        " UNION ALL SELECT count(*), sum(credits_in + credits_out + credits_actions) FROM entries",
        name,
    ).splitlines()
    assert of_months == of_rows
    assert "storage takes no rows" in log
    assert postgres.password not in log
