"""Sums of the ledger: which rows are meant, and what they come to.

Times are Unix milliseconds, credits micro-credits.
"""

from typing import NamedTuple

import msgspec


class Within(msgspec.Struct, frozen=True):
    """The requests that started from `start_ms` up to before `end_ms`; None: of all."""

    start_ms: int
    end_ms: int
    tenant_id: str | None = None
    user_id: str | None = None
    model: str | None = None


class Sums(NamedTuple):
    """What a group of rows comes to. `errors` are those that did not end well, for whatever reason
    but the client's leaving."""

    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    thinking_tokens: int = 0
    web_searches: int = 0
    credits_in: int = 0
    credits_out: int = 0
    credits_actions: int = 0

    @property
    def credits(self) -> int:
        """All of it."""
        return self.credits_in + self.credits_out + self.credits_actions


NOTHING_USED = Sums()


def added(one: Sums, other: Sums) -> Sums:
    """Both together."""
    return Sums(*[a + b for a, b in zip(one, other, strict=True)])


class ModelSums(NamedTuple):
    """What one resolved model came to."""

    model: str
    sums: Sums


class SourceSums(NamedTuple):
    """What came through one surface from one client; the client may be unknown, then ''."""

    surface: str
    client: str
    sums: Sums


class UserSums(NamedTuple):
    """What one user used in one tenant. The rest is as it is today, and None for somebody who is no
    longer in that tenant; `month_credits` are the running month's, `role_credits` their role's
    cap, None where it has none."""

    user_id: str
    tenant_id: str
    email: str | None
    role: str | None
    role_credits: int | None
    month_credits: int | None
    sums: Sums
