"""What would happen to a request, without spending anything.

Takes the same steps as the walk (`messages.py`), in its order, and says what each found: who it is,
which model that is for them and by which rule, where it would run, what is left of their limits.
Nothing is counted, held or asked of a provider.
"""

from collections.abc import Callable

import msgspec

from proxy.catalog.catalog import Catalog
from proxy.catalog.meaning import Resolution
from proxy.config.settings import Settings
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault
from proxy.domain.people import CREDIT
from proxy.gateway.messages import nowhere
from proxy.limits.desk import Desk, Standing


class Explanation(msgspec.Struct, omit_defaults=True):
    """What was found, as far as the walk would come. Credits are credits, rounded to 2 decimals;
    `status`, `reason` and `message` are those of the reply it would get."""

    allowed: bool
    asked: str
    status: int = 200
    reason: str = ""
    message: str = ""
    user: str = ""
    tenant: str = ""
    role: str = ""
    model: str = ""
    resolved_via: str = ""
    multiplier: float | None = None
    deployments: list[str] = []
    month: str = ""
    tenant_used: float | None = None
    tenant_limit: float | None = None
    tenant_state: str = ""
    role_used: float | None = None
    role_limit: float | None = None
    role_state: str = ""

    def refused(self, fault: Fault) -> None:
        """The walk would end here."""
        self.allowed = False
        self.status = fault.status
        self.reason = fault.reason
        self.message = fault.message


class Explainer:
    """Explains over what is in force when it is asked."""

    def __init__(
        self, settings: Callable[[], Settings], catalog: Callable[[], Catalog], desk: Desk
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._desk = desk

    async def explain(self, caller: Caller, asked: str, now_ms: int) -> Explanation:
        """What `caller` would meet with the model `asked`, at `now_ms` (Unix). Raises a Fault only
        where that is not known: storage is away."""
        said = Explanation(True, asked, user=caller.email, tenant=caller.tenant, role=caller.role)
        try:
            found = self._catalog().resolve(asked, caller)
            self._tell_model(said, found)
            if not said.deployments:
                raise nowhere(found.model.id)
        except Fault as fault:
            said.refused(fault)
            return said
        _tell_standing(said, await self._desk.standing(caller, now_ms))
        refusal = self._desk.explain(caller, found.model, now_ms, asked=found.asked)
        if refusal is not None:
            said.refused(refusal)
        return said

    def _tell_model(self, said: Explanation, found: Resolution) -> None:
        settings, model = self._settings(), found.model
        said.model, said.resolved_via = model.id, found.via
        said.multiplier = model.multiplier(settings.limits.reference_rates)
        available = {each.name for each in settings.providers}
        said.deployments = [
            f"{each.provider}: {each.model}"
            for each in model.deployments
            if each.provider in available
        ]


def _tell_standing(said: Explanation, standing: Standing) -> None:
    said.month = standing.period.key
    said.tenant_used, said.tenant_limit = _credits(standing.used), _credits(standing.limit)
    said.tenant_state = standing.state
    said.role_used, said.role_limit = _credits(standing.role_used), _credits(standing.role_limit)
    said.role_state = standing.role_state


def _credits(micro: int | None) -> float | None:
    return None if micro is None else round(micro / CREDIT, 2)
