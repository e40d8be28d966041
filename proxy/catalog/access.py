"""Which models a caller may see: the one rule behind lists, resolution and suggestions.

A model is hidden by the operator (its switch), by the tenant or by the role (both are in
`Caller.disabled_models`), or because the tenant's package has a list that lacks it. Hidden and
unknown must look alike to the caller (domain.md 4.2).
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from proxy.domain.caller import Caller
from proxy.domain.model import Model


def may_use(model: Model, caller: Caller) -> bool:
    """Is this model there at all for this caller?"""
    if not model.enabled or model.id in caller.disabled_models:
        return False
    return caller.allowed_models is None or model.id in caller.allowed_models


def switched(models: Iterable[Model], switches: Mapping[str, bool]) -> tuple[Model, ...]:
    """The models with the operator's stored switches applied; a stored switch beats the file's.

    A model without rates is off whatever its switch says: it would be free in silence (domain 9).
    """
    return tuple([_with_switch(model, switches.get(model.id, model.enabled)) for model in models])


def _with_switch(model: Model, wanted: bool) -> Model:
    enabled = wanted and model.rates is not None
    return model if model.enabled == enabled else replace(model, enabled=enabled)
