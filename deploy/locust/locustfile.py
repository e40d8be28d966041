"""Users of the local stack, as SDKs make them; a stream is good only when it came to its end.

Needs locust alone. HATZ_GATEWAY_KEY is the key; LOCUST_MODELS the models, parted by commas.
`bench/` measures; this shows the stack at work, and what the dashboard makes of it.
"""

import itertools
import os
import time
from typing import Any

import requests
from locust import HttpUser, between, task

PATH = "/v1/anthropic/v1/messages"
MODELS = os.environ.get("LOCUST_MODELS", "sonnet,haiku,moonshot.kimi-k2-thinking").split(",")
QUESTION = "Explain in a few sentences how tides come about. "
SILENCE_LIMIT_S = 60
_TURN = itertools.count()


class Developer(HttpUser):
    """One application with one pool of connections."""

    wait_time = between(0.5, 3)

    def on_start(self) -> None:
        """Set what every request carries."""
        self.client.headers.update(
            {
                "x-api-key": os.environ.get("HATZ_GATEWAY_KEY", ""),
                "anthropic-version": "2023-06-01",
                "user-agent": "Anthropic/Python 2.12.0",
            }
        )

    @task(6)
    def stream(self) -> None:
        """A conversation, word by word."""
        model = MODELS[next(_TURN) % len(MODELS)]
        with self._ask(model, f"stream {model}", streamed=True) as reply:
            if reply.status_code != 200:
                reply.failure(f"status {reply.status_code}: {reply.text[:200]}")
                return
            began_s = time.perf_counter()
            last = b""
            try:
                for piece in reply.iter_content(chunk_size=None):
                    if not last:
                        self._note("first event", time.perf_counter() - began_s)
                    last = (last + piece)[-200:]
            except requests.RequestException as problem:
                reply.failure(f"broken off: {problem}")
                return
            if b"event: message_stop" not in last:
                reply.failure("the stream did not come to its end")

    @task(3)
    def whole(self) -> None:
        """The same in one piece."""
        model = MODELS[next(_TURN) % len(MODELS)]
        with self._ask(model, f"message {model}", streamed=False) as reply:
            if reply.status_code != 200:
                reply.failure(f"status {reply.status_code}: {reply.text[:200]}")
            elif reply.json().get("type") != "message":
                reply.failure("no message")

    @task(1)
    def count(self) -> None:
        """How many tokens it would be."""
        self.client.post(f"{PATH}/count_tokens", json=self._body("haiku"), name="count_tokens")

    def _ask(self, model: str, name: str, *, streamed: bool) -> Any:
        return self.client.post(
            PATH,
            json={**self._body(model), "max_tokens": 256, "stream": streamed},
            name=name,
            catch_response=True,
            stream=streamed,
            timeout=SILENCE_LIMIT_S,
        )

    def _body(self, model: str) -> dict[str, Any]:
        return {"model": model, "messages": [{"role": "user", "content": QUESTION * 20}]}

    def _note(self, name: str, seconds: float) -> None:
        self.environment.events.request.fire(
            request_type="SSE",
            name=name,
            response_time=seconds * 1000,
            response_length=0,
            exception=None,
            context={},
        )
