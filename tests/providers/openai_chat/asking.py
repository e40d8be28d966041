"""A Messages request, asked of one server as one model: what tests of translation begin with."""

import datetime as dt
import json
from collections.abc import Mapping

from proxy.domain.call import MESSAGE, Arrival, Call
from proxy.domain.dialect import Dialect
from proxy.domain.headers import Headers
from proxy.domain.model import Model
from proxy.providers.openai_chat.dialects import dialect_for
from proxy.providers.openai_chat.request import Written, chat_request, counting_request
from proxy.wire.body import Body, read_body
from proxy.wire.seal import ThinkingSeal
from tests.catalog.shop import make_caller

SEAL = ThinkingSeal([b"secret of the tests"])
TENANT = "tenant_1"
MODEL_ID = "example.model-1"


def make_model(*, vision: bool = True, max_output_tokens: int = 64_000) -> Model:
    """A model of the catalogue."""
    return Model(
        id=MODEL_ID,
        display_name="Model 1",
        developer="Example",
        released=dt.date(2026, 1, 1),
        context_window=200_000,
        max_output_tokens=max_output_tokens,
        vision=vision,
    )


def make_call(
    raw: bytes, *, model: Model | None = None, headers: Mapping[bytes, bytes] | None = None
) -> tuple[Call, Body]:
    """The request as the gateway hands it to a provider."""
    body = read_body(raw, needs_max_tokens=False)
    arrival = Arrival(MESSAGE, "req_case", b"/v1/messages", b"", Headers(headers), raw, 0, 0.0)
    call = Call(arrival, make_caller(), model or make_model(), "opus", "id", body.streamed)
    return call, body


def ask(
    request: bytes | Mapping[str, object],
    row: str | Dialect = "generic",
    upstream_model: str = "model-1",
    *,
    model: Model | None = None,
    headers: Mapping[bytes, bytes] | None = None,
    quirks: Mapping[str, object] | None = None,
) -> Written:
    """The request translated. Raises Fault."""
    raw = request if isinstance(request, bytes) else json.dumps(request).encode()
    call, body = make_call(raw, model=model, headers=headers)
    body = read_body(raw, needs_max_tokens=True)
    return chat_request(call, body, upstream_model, dialect_of(row, upstream_model, quirks), SEAL)


def count(
    request: bytes | Mapping[str, object],
    row: str | Dialect = "generic",
    upstream_model: str = "model-1",
    *,
    model: Model | None = None,
    quirks: Mapping[str, object] | None = None,
) -> bytes:
    """The request as one that counts. Raises Fault."""
    raw = request if isinstance(request, bytes) else json.dumps(request).encode()
    call, body = make_call(raw, model=model)
    dialect = dialect_of(row, upstream_model, quirks)
    return counting_request(call, body, upstream_model, dialect, SEAL)


def dialect_of(
    row: str | Dialect, upstream_model: str, quirks: Mapping[str, object] | None = None
) -> Dialect:
    """The dialect named, or the one given."""
    return row if isinstance(row, Dialect) else dialect_for(row, upstream_model, quirks or {})
