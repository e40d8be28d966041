"""Users as the SDKs make them: streamed and not, small requests and long agent conversations.

Every reply is judged (`bench.check`): a stream counts as good only when all its events came in
order up to `message_stop`. Locust's own figures are joined by ours: time to the first event.

`python -m bench.loadtest` runs it against a gateway of its own. Against another one:

    BENCH_KEY=... python -m locust -f bench/locustfile.py --host http://HOST:PORT

where BENCH_PATH, BENCH_MODEL_PREFIX and the models of `LOADTEST_SCORES` fit that gateway.
"""

import os
import time

import requests
from locust import HttpUser, between, task

from bench import bodies, check
from bench.scenarios import LOADTEST_BURST, LOADTEST_PACED, LOADTEST_PLAIN
from bench.score import KEY_VARIABLE, PATH_VARIABLE, PREFIX_VARIABLE, Score

FIRST_EVENT = "time to first event"
SILENCE_LIMIT_S = 30


class SdkUser(HttpUser):
    """One application with one connection pool, as an SDK's client object has."""

    wait_time = between(0.05, 0.3)

    def on_start(self) -> None:
        """Set what every request carries."""
        self.path = os.environ.get(PATH_VARIABLE, "/v1/anthropic/v1/messages")
        self.prefix = os.environ.get(PREFIX_VARIABLE, "anthropic.")
        self.client.headers.update(
            {
                "authorization": f"Bearer {os.environ.get(KEY_VARIABLE, '')}",
                "anthropic-version": "2023-06-01",
                "content-type": "application/json",
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
                "user-agent": "Anthropic/Python 2.12.0",
                "x-stainless-lang": "python",
                "x-stainless-retry-count": "0",
            }
        )

    @task(4)
    def ask_small(self) -> None:
        """A question of 1 kB, the answer in one piece."""
        self._ask("1k")

    @task(1)
    def ask_long(self) -> None:
        """An agent's 200 kB, the answer in one piece."""
        self._ask("200k")

    @task(4)
    def talk(self) -> None:
        """A question of 1 kB, streamed at a model's pace."""
        self._stream("1k", LOADTEST_PACED, "paced")

    @task(3)
    def work(self) -> None:
        """An agent's turn of 60 kB, streamed at a model's pace."""
        self._stream("60k", LOADTEST_PACED, "paced")

    @task(1)
    def work_long(self) -> None:
        """An agent's turn of 200 kB, streamed as fast as it goes."""
        self._stream("200k", LOADTEST_BURST, "burst")

    def _ask(self, size: str) -> None:
        model = self.prefix + LOADTEST_PLAIN.name
        with self.client.post(
            self.path,
            data=bodies.body(size, model=model, streamed=False),
            name=f"message {size}",
            catch_response=True,
            timeout=SILENCE_LIMIT_S,
        ) as reply:
            if reply.status_code != 200:
                reply.failure(f"status {reply.status_code}: {reply.text[:200]}")
            elif wrong := check.wrong_message(reply.content, model):
                reply.failure(wrong)

    def _stream(self, size: str, score: Score, words: str) -> None:
        model = self.prefix + score.name
        judge = check.StreamCheck(model, score.events)
        body = bodies.body(size, model=model, streamed=True)
        began = time.perf_counter()
        with self.client.post(
            self.path,
            data=body,
            name=f"stream {size} {words}",
            catch_response=True,
            stream=True,
            timeout=SILENCE_LIMIT_S,
        ) as reply:
            if reply.status_code != 200:
                reply.failure(f"status {reply.status_code}: {reply.text[:200]}")
                return
            first_ms = 0.0
            try:
                for piece in reply.iter_content(chunk_size=None):
                    if not first_ms:
                        first_ms = (time.perf_counter() - began) * 1000
                        self._note_first_event(first_ms)
                    judge.feed(piece)
            except requests.RequestException as error:
                reply.failure(f"broken off after {judge.deltas} deltas: {error}")
                return
            reply.request_meta["response_time"] = (time.perf_counter() - began) * 1000
            if wrong := judge.finish():
                reply.failure(wrong)

    def _note_first_event(self, first_ms: float) -> None:
        self.environment.events.request.fire(
            request_type="SSE",
            name=FIRST_EVENT,
            response_time=first_ms,
            response_length=0,
            exception=None,
            context={},
        )
