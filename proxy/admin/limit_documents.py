"""What `/v1/usage` and `/v1/usage/limits` answer. Credits are plain numbers; null: no limit."""

import msgspec

from proxy.admin.banners import Banner
from proxy.admin.usage_query import Name


class MonthSpan(msgspec.Struct, frozen=True):
    """A calendar month in the installation's zone. `end` is exclusive, and when it resets."""

    start: str
    end: str
    resets_at: str


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The month of a caller. `credits_used`, `credit_limit` and `credits_remaining` are of the
    allowance their tenant shares, `role_used`, `role_limit` and `requests` their own. Null: no
    limit."""

    period: MonthSpan
    credits_used: float
    credit_limit: float | None
    credits_remaining: float | None
    role_limit: float | None
    role_used: float
    requests: int
    state: str
    role_state: str
    restricted_models: list[str]


class LadderStep(msgspec.Struct, frozen=True, kw_only=True):
    """From `ratio` of the allowance on (that is, from `credits` on) models of at least
    `multiplier` are restricted; null: all that are not of the base level."""

    ratio: float
    multiplier: float | None
    credits: float | None
    reached: bool


class TenantLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The allowance. `ratio` is the used share; `approaching_from` where people are warned."""

    tenant_id: str
    state: str
    credits_used: float
    credit_limit: float | None
    credits_remaining: float | None
    ratio: float | None
    approaching_from: float | None
    hard_stop: bool
    ladder: list[LadderStep]


class RoleLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's own cap."""

    role: str
    state: str
    credits_used: float
    credit_limit: float | None
    credits_remaining: float | None
    ratio: float | None


class ModelLimits(msgspec.Struct, frozen=True, kw_only=True):
    """One model: restricted now, and by what; `restricted_from` is how many of the tenant's credits
    it takes (null: no number of them)."""

    name: str
    multiplier: float
    base_level: bool
    restricted: bool
    restricted_by: str | None
    restricted_from: float | None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`role` is null where another tenant was asked for. `banners` are what a page should show its
    reader of all this, the tenant's before their own; none while all is well."""

    period: MonthSpan
    tenant: TenantLimits
    role: RoleLimits | None
    models: list[ModelLimits]
    banners: list[Banner]


class LimitsQuery(msgspec.Struct, frozen=True):
    """`tenant_id` of another tenant is for the MSP's people."""

    tenant_id: Name | None = None
