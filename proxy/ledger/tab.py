"""The open tab of one request: begun at admission, closed exactly once, whatever happened.

Owns what the ledger's row will say and the moment it is settled. Refuses to know HTTP, files and
clocks: times are arguments. It copies what it needs out of the call, because the call holds the
request's body and a tab lives as long as the stream does. On the hot path: slots, no dict, no task.
"""

from proxy.domain.call import Call
from proxy.domain.entry import Entry, Outcome
from proxy.domain.usage import Usage
from proxy.ledger.client_label import USER_AGENT_CHARS_MAX, client_label
from proxy.ledger.credits import NOTHING, SEARCH_FEE_CREDITS, is_charged, price

SURFACE = "anthropic_gateway"
SESSION_ID_CHARS_MAX = 128
PROVIDER_REQUEST_ID_CHARS_MAX = 128
MODEL_CHARS_MAX = 256
TOKENS_BITS = 30
TOKENS_MAX = (1 << TOKENS_BITS) - 1
"""No generation is larger; a provider that says so must not overflow anybody's sums."""


class Tab:
    """One generation on its way to one row.

    The walk fills in `provider`, `provider_request_id` and `attempts` as it learns them, tells
    `first_byte` when the reply begins to reach the client, and calls `close` once.
    """

    __slots__ = (
        "_asked",
        "_began_s",
        "_caller",
        "_first_byte_s",
        "_model",
        "_session_id",
        "_streamed",
        "_user_agent",
        "_via",
        "attempts",
        "closed",
        "event_id",
        "provider",
        "provider_request_id",
        "request_id",
        "started_at",
    )

    def __init__(self, event_id: str, call: Call) -> None:
        arrival = call.arrival
        self.event_id = event_id
        self.request_id = arrival.request_id
        self.started_at = arrival.received_ms
        self.provider = ""
        self.provider_request_id = ""
        self.attempts = 1
        self.closed = False
        self._began_s = arrival.clock_s
        self._first_byte_s: float | None = None
        self._caller = call.caller
        self._model = call.model
        self._asked = call.asked
        self._via = call.via
        self._streamed = call.streamed
        self._user_agent = arrival.text(b"user-agent")
        self._session_id = arrival.text(b"x-claude-code-session-id")

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
    ) -> Entry:
        """Settle. `status` is the HTTP status the client saw, `now_s` the monotonic clock.

        The row's end is its start plus the measured duration, so that a wall clock that is set
        back meanwhile never makes a generation end before it began.
        """
        assert not self.closed, "a tab closes once"
        self.closed = True
        first_byte_s = self._first_byte_s
        usage = _sane(usage)
        charge = NOTHING
        if is_charged(outcome, first_byte_s is not None):
            charge = price(usage, self._model.rates, search_fee_credits)
        caller = self._caller
        total_ms = round((now_s - self._began_s) * 1000)
        credits_in, credits_out, credits_actions = charge
        first_byte_ms = None
        if first_byte_s is not None:
            first_byte_ms = round((first_byte_s - self._began_s) * 1000)
        # By position as far as it goes: msgspec looks keywords up one by one, which costs 1 µs.
        return Entry(
            self.event_id,
            self.request_id,
            self.started_at,
            self.started_at + total_ms,
            caller.tenant_id,
            caller.user_id,
            caller.role,
            caller.key_id,
            self._asked[:MODEL_CHARS_MAX],
            self._model.id,
            self._via,
            outcome,
            status,
            SURFACE,
            self._streamed,
            self._user_agent[:USER_AGENT_CHARS_MAX],
            client_label(self._user_agent),
            self._session_id[:SESSION_ID_CHARS_MAX],
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
            usage.thinking_tokens,
            usage.web_searches,
            credits_in,
            credits_out,
            credits_actions,
            error_type=error_type,
            stop_reason=stop_reason,
            provider=self.provider,
            provider_request_id=self.provider_request_id[:PROVIDER_REQUEST_ID_CHARS_MAX],
            first_byte_ms=first_byte_ms,
            total_ms=total_ms,
            attempts=self.attempts,
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
