"""The open tab of one request: begun at admission, closed exactly once, whatever happened.

Owns what the ledger's row will say and the moment it is settled. Refuses to know HTTP, files and
clocks: times are arguments. On the hot path: slots, no dict, no task.
"""

from typing import Final

from proxy.domain.call import Call
from proxy.domain.entry import Entry, Outcome
from proxy.domain.usage import Usage
from proxy.ledger.client_label import client_of
from proxy.ledger.credits import NOTHING, SEARCH_FEE_CREDITS, is_charged, price

SURFACE: Final = "anthropic_gateway"
PROVIDER_REQUEST_ID_CHARS_MAX: Final = 128
MODEL_CHARS_MAX: Final = 256
TOKENS_BITS: Final = 30
TOKENS_MAX: Final = (1 << TOKENS_BITS) - 1
"""No generation is larger; a provider that says so must not overflow anybody's sums."""


class Tab:
    """One generation on its way to one row.

    The walk fills in `provider`, `provider_request_id` and `attempts` as it learns them, tells
    `first_byte` when the reply begins to reach the client, and calls `close` once.
    """

    __slots__ = (
        "_call",
        "_first_byte_s",
        "attempts",
        "closed",
        "credits",
        "event_id",
        "provider",
        "provider_request_id",
        "tokens",
    )

    def __init__(self, event_id: str, call: Call) -> None:
        self.event_id = event_id
        self.provider = ""
        self.provider_request_id = ""
        self.attempts = 1
        self.closed = False
        self.credits = 0
        self.tokens = 0
        """What the row comes to, once it is closed: micro-credits, and tokens read and written."""
        self._call = call
        self._first_byte_s: float | None = None

    def first_byte(self, now_s: float) -> None:
        """The reply begins to reach the client now. Only the first call counts."""
        if self._first_byte_s is None:
            self._first_byte_s = now_s

    def close(
        self,
        outcome: Outcome,
        usage: Usage,
        now_s: float,
        *,
        status: int,
        error_type: str = "",
        stop_reason: str = "",
        search_fee_credits: int = SEARCH_FEE_CREDITS,
        usage_estimated: bool = False,
    ) -> Entry:
        """Settle. `status` is the HTTP status the client saw, `now_s` the monotonic clock;
        `usage_estimated`: the provider told no usage, so `usage` is our own estimate.

        The row's end is its start plus the measured duration, so that a wall clock that is set
        back meanwhile never makes a generation end before it began.
        """
        assert not self.closed, "a tab closes once"
        self.closed = True
        call = self._call
        arrival = call.arrival
        headers = arrival.headers
        client = client_of(headers)
        caller = call.caller
        usage = _sane(usage)
        began_s = arrival.clock_s
        total_ms = round((now_s - began_s) * 1000)
        first_byte_ms = None
        if self._first_byte_s is not None:
            first_byte_ms = round((self._first_byte_s - began_s) * 1000)
        charge = NOTHING
        if is_charged(outcome, first_byte_ms is not None):
            charge = price(usage, call.model.rates, search_fee_credits)
        self.credits = charge.total
        self.tokens = (
            usage.input_tokens
            + usage.output_tokens
            + usage.cache_write_5m_tokens
            + usage.cache_write_1h_tokens
            + usage.cache_read_tokens
        )
        # By position: msgspec looks keywords up one by one, which costs 1 µs.
        return Entry(
            self.event_id,
            arrival.request_id,
            arrival.received_ms,
            arrival.received_ms + total_ms,
            caller.tenant_id,
            caller.user_id,
            caller.role,
            caller.key_id,
            call.asked[:MODEL_CHARS_MAX],
            call.model.id,
            call.via,
            outcome,
            status,
            SURFACE,
            call.streamed and not call.is_turn,
            headers.user_agent,
            client,
            headers.session_id,
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
            usage.thinking_tokens,
            usage.web_searches,
            charge.credits_in,
            charge.credits_out,
            charge.credits_actions,
            error_type,
            stop_reason,
            self.provider,
            self.provider_request_id[:PROVIDER_REQUEST_ID_CHARS_MAX],
            first_byte_ms,
            total_ms,
            self.attempts,
            usage_estimated,
        )


def _sane(usage: Usage) -> Usage:
    """The usage itself if its figures can be true, else a copy forced between 0 and the cap."""
    a, b, c = usage.input_tokens, usage.output_tokens, usage.cache_write_5m_tokens
    d, e, f = usage.cache_write_1h_tokens, usage.cache_read_tokens, usage.thinking_tokens
    g = usage.web_searches
    # All bits at once: one negative or one too large shows above the cap's highest bit.
    if (a | b | c | d | e | f | g) >> TOKENS_BITS == 0:
        return usage
    return Usage(*[min(max(count, 0), TOKENS_MAX) for count in (a, b, c, d, e, f, g)])
