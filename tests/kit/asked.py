"""An admitted call, for tests of what is answered to one."""

from proxy.domain.call import COUNT, MESSAGE, Arrival, Call
from proxy.domain.headers import Headers
from tests.catalog.shop import make_caller, make_model


def make_asked(
    model: str = "moonshot.kimi-k2-thinking",
    *,
    input_tokens: int = 30,
    context_window: int = 200_000,
    headers: dict[bytes, bytes] | None = None,
    body: bytes = b'{"model":"kimi","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}',
    query: bytes = b"",
    counts: bool = False,
    streamed: bool = True,
) -> Call:
    arrival = Arrival(
        COUNT if counts else MESSAGE,
        "req_case",
        b"/v1/messages",
        query,
        Headers(headers or {}),
        body,
        0,
        0.0,
    )
    made = make_model(model, context_window=context_window)
    call = Call(arrival, make_caller(), made, "kimi", "alias", streamed)
    call.message_id = "msg_gw_0123456789abcdefghijkl"
    call.input_tokens = input_tokens
    return call
