"""How a limit is told: the 429 of each, with its scope, its reset and what still works.

Owns the words (domain.md 7) and what clients' retry logic reads (client-contract.md 4, 9.3): a
limit that lasts for weeks says `x-should-retry: false`, because SDKs would sleep that long.
Credits are micro-credits; moments are Unix milliseconds.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

from proxy.domain.fault import Fault, Kind, Source
from proxy.limits.burst import REQUESTS, STREAMS, TOKENS, Excess
from proxy.limits.window import Period

TENANT_LIMIT: Final = "tenant_limit"
ROLE_LIMIT: Final = "role_limit"
BURST_LIMIT: Final = "burst_limit"
LIMITS_UNAVAILABLE: Final = "limits_unavailable"

RUNNING_RETRY_S: Final = 5
"""When what is running holds the rest of an allowance, some of it may soon be free again."""

_MICRO_PER_CENT = 10_000
WORKING_MAX = 3
_WHAT = {
    REQUESTS: "requests per minute",
    TOKENS: "tokens per minute",
    STREAMS: "calls at a time",
}


class Reached(NamedTuple):
    """How far a monthly limit is used: `used` is settled, `running` is held by requests under
    way."""

    used: int
    running: int
    limit: int
    period: Period


def shown(credits: int) -> str:
    """Micro-credits as people read credits: two decimals, thousands apart."""
    cents = (credits + _MICRO_PER_CENT // 2) // _MICRO_PER_CENT
    return f"{cents // 100:,}.{cents % 100:02}"


def moment(ms: int) -> str:
    """RFC 3339, whole seconds, never before the moment itself."""
    return f"{dt.datetime.fromtimestamp(-(-ms // 1000), dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def tenant_refusal(
    reached: Reached,
    threshold: int,
    now_ms: int,
    *,
    model_id: str,
    asked: str = "",
    working: Sequence[str] = (),
    otherwise: str = "",
) -> Fault:
    """The tenant's allowance restricts this model. `working` are ids that are not restricted;
    without any, `otherwise` says in words what still works."""
    works = ", ".join(working[:WORKING_MAX]) or otherwise
    rest = f" Still available: {works}." if works else " No model is available until then."
    return _monthly(
        reached,
        threshold,
        now_ms,
        what=f"Your workspace's monthly allowance for {_named(model_id, asked)}",
        rest=rest,
        scope="tenant",
        reason=TENANT_LIMIT,
    )


def role_refusal(
    reached: Reached, now_ms: int, *, role: str, model_id: str, asked: str = ""
) -> Fault:
    """The cap of the user's role is reached."""
    return _monthly(
        reached,
        reached.limit,
        now_ms,
        what=f"The monthly limit of your role {role} ({_named(model_id, asked)} was asked for)",
        rest=" Ask your administrator for a higher limit.",
        scope="role",
        reason=ROLE_LIMIT,
    )


def burst_refusal(scope: str, excess: Excess, now_ms: int) -> Fault:
    """Too fast. SDKs wait for `retry-after` by themselves."""
    seconds = max(1, -(-excess.wait_ms // 1000))
    headers = [("x-hatz-limit-scope", scope)]
    if excess.what is not STREAMS:
        resets_at = moment(now_ms + excess.wait_ms)
        kind = f"anthropic-ratelimit-{excess.what}"
        headers += [
            ("x-hatz-limit-resets-at", resets_at),
            (f"{kind}-limit", str(excess.limit)),
            (f"{kind}-remaining", str(excess.remaining)),
            (f"{kind}-reset", resets_at),
        ]
    who = {"key": "This API key", "user": "Your account", "tenant": "Your workspace"}[scope]
    may = "use" if excess.what is TOKENS else "make"
    plural = "s" if seconds > 1 else ""
    return Fault(
        Kind.RATE_LIMITED,
        f"{who} may {may} {excess.limit:,} {_WHAT[excess.what]} and has reached that;"
        f" try again in {seconds} second{plural}.",
        retry_after_s=seconds,
        reason=BURST_LIMIT,
        headers=tuple(headers),
    )


def blind_refusal() -> Fault:
    """Near a limit, and nobody can be asked what the other workers hold."""
    return Fault(
        Kind.UNAVAILABLE,
        "Your usage is near a limit, and it cannot be determined exactly at the moment.",
        hint="Try again in a few seconds.",
        source=Source.HOUSE,
        retry=True,
        retry_after_s=RUNNING_RETRY_S,
        reason=LIMITS_UNAVAILABLE,
    )


def _monthly(
    reached: Reached,
    threshold: int,
    now_ms: int,
    *,
    what: str,
    rest: str,
    scope: str,
    reason: str,
) -> Fault:
    used, running, limit, period = reached
    figures = f"{shown(used)} of {shown(limit)} credits used"
    headers = (
        ("x-hatz-limit-scope", scope),
        ("x-hatz-limit-resets-at", moment(period.end_ms)),
    )
    if used < threshold:
        return Fault(
            Kind.RATE_LIMITED,
            f"{what} is nearly reached: {figures}, and requests now running may use"
            f" {shown(running)} more.",
            hint=f"Try again when they have ended; the limit resets on {period.next_day}.{rest}",
            retry_after_s=RUNNING_RETRY_S,
            reason=reason,
            headers=headers,
        )
    return Fault(
        Kind.RATE_LIMITED,
        f"{what} is reached: {figures}; it resets on {period.next_day}.{rest}",
        retry=False,
        retry_after_s=max(1, -(-(period.end_ms - now_ms) // 1000)),
        reason=reason,
        headers=headers,
    )


def _named(model_id: str, asked: str) -> str:
    return f"{model_id} (asked for as {asked})" if asked and asked != model_id else model_id
