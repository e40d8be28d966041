"""What can be asked for: a model, where it runs, what it costs, what it can do."""

import datetime as dt
from typing import Literal

import msgspec

FAMILIES = ("opus", "sonnet", "haiku")
"""The families that have an alias of their own name (domain.md 5)."""


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Credits per million tokens (domain.md 9)."""

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0

    @property
    def blend(self) -> int:
        """Three parts input, one part output: what multipliers compare (domain.md 9)."""
        return 3 * self.input + self.output


REFERENCE_RATES = Rates(input=3000, output=15000)
"""The flagship whose multiplier is 1, unless the operator says otherwise."""


class BedrockTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """On what terms Bedrock's runtime serves one deployment; what is empty is not asked for."""

    guardrail: str = ""
    """Id or ARN of the guardrail that looks at questions and answers."""
    guardrail_version: str = ""
    """Its version, a number or `DRAFT`."""
    guardrail_trace: Literal["", "enabled", "disabled", "enabled_full"] = ""
    """What the guardrail found, for Amazon's log of invocations; clients never see it."""
    service_tier: Literal["", "default", "priority", "flex", "reserved"] = ""
    """How soon it is served, and at what price."""
    latency: Literal["", "standard", "optimized"] = ""
    """`optimized`: the faster hardware, where a model has it."""


NO_TERMS = BedrockTerms()


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One place a model runs: the provider's name in the configuration, and its id there."""

    provider: str
    model: str
    base_model: str = ""
    """Which model it is, where its id there does not tell: an ARN, a name an operator gave it."""
    bedrock: BedrockTerms = NO_TERMS

    @property
    def known_as(self) -> str:
        """The id that tells what the model can do."""
        return self.base_model or self.model


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model of the catalogue. `id` is what clients send; `context_window` is in tokens."""

    id: str
    display_name: str
    developer: str
    released: dt.date
    context_window: int
    max_output_tokens: int
    family: str | None = None
    vision: bool = False
    enabled: bool = True
    base_level: bool = False
    """Stays usable when a tenant is over its allowance by however much."""
    rates: Rates | None = None
    deployments: tuple[Deployment, ...] = ()

    def multiplier(self, reference: Rates = REFERENCE_RATES) -> float:
        """How dear the model is beside the reference, rounded as it is shown: its cost class."""
        if self.rates is None or reference.blend == 0:
            return 0.0
        return round(self.rates.blend / reference.blend, 2)
