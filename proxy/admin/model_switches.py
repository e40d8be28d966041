"""Models switched on and off for one tenant or one role. A switch here only takes away: what the
MSP has off, or a package lacks, stays off whatever a tenant says (domain.md 12).
"""

from collections.abc import Collection
from typing import Any, Final, Literal

import msgspec

from proxy.admin.endpoint import (
    ECHO_CHARS_MAX,
    AnyEndpoint,
    Asked,
    Endpoint,
    NoBody,
    NoQuery,
    bad,
    may,
    not_there,
)
from proxy.admin.scope import (
    CHANGE_ROLES,
    SEE_ROLES,
    Reach,
    check_role_change,
    present,
    role_within,
)
from proxy.admin.stores import PackageStore, RoleStore, SwitchStore, TenantStore
from proxy.catalog.catalog import Catalog
from proxy.catalog.refresh import Shelf
from proxy.domain.caller import Caller
from proxy.domain.model import REFERENCE_RATES, Model, Rates
from proxy.domain.people import Tenant, TenantConfig
from proxy.domain.permissions import (
    DISABLE_MODELS,
    MSP_MODELS,
    MSP_TENANTS,
    MSP_VIEW,
)

Scope = Literal["tenant", "role"]
By = Literal["msp", "package", "tenant", "role"]
SEE_TENANTS: Final = Reach(own=(DISABLE_MODELS,), msp=(MSP_VIEW, MSP_MODELS, MSP_TENANTS))
SWITCH_TENANTS: Final = Reach(own=(DISABLE_MODELS,), msp=(MSP_MODELS,))


class ModelRow(msgspec.Struct, frozen=True):
    """A model as a tenant or role has it; `disabled_by` is who took it away."""

    name: str
    display_name: str
    developer: str
    multiplier: float
    enabled: bool
    disabled_by: By | None


class ModelRows(msgspec.Struct, frozen=True):
    """All models of the catalogue that the caller may switch or see."""

    data: list[ModelRow]


class Switched(ModelRow, frozen=True):
    """A model as it is now, and what to think of."""

    warnings: list[str]


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On or off."""

    enabled: bool


class ModelSwitchPages:
    """The handlers."""

    def __init__(
        self,
        shelf: Shelf,
        switches: SwitchStore,
        *,
        tenants: TenantStore,
        roles: RoleStore,
        packages: PackageStore,
        reference: Rates = REFERENCE_RATES,
    ) -> None:
        self._shelf = shelf
        self._switches = switches
        self._tenants = tenants
        self._roles = roles
        self._packages = packages
        self._reference = reference

    async def of_tenant(self, asked: Asked[NoQuery, None]) -> ModelRows:
        """`GET /v1/admin/tenants/{tenant_id}/models`."""
        tenant = await self._tenant(asked, SEE_TENANTS)
        allowed = await self._allowed(tenant)
        return self._rows(asked.caller, allowed, tenant.disabled_models, "tenant")

    async def switch_tenant(self, asked: Asked[NoQuery, Switch]) -> Switched:
        """`PUT /v1/admin/tenants/{tenant_id}/models/{model}`."""
        tenant = await self._tenant(asked, SWITCH_TENANTS)
        allowed = await self._allowed(tenant)
        model = self._model(asked.caller, asked.path["model"], allowed)
        if asked.body.enabled == (model.id in tenant.disabled_models):
            await self._switches.set(
                model.id,
                enabled=asked.body.enabled,
                scope="tenant",
                scope_id=tenant.id,
                by=asked.actor,
            )
            tenant = await self._tenant(asked, SWITCH_TENANTS)
        row = self._row(model, allowed, tenant.disabled_models, "tenant")
        warnings = default_warnings(tenant.config, tenant.disabled_models, self._shelf.current)
        return _switched(row, asked.body.enabled, warnings)

    async def of_role(self, asked: Asked[NoQuery, None]) -> ModelRows:
        """`GET /v1/admin/roles/{role_id}/models`."""
        role_id = asked.path["role_id"]
        role = role_within(asked.caller, await self._roles.get(role_id), role_id, SEE_ROLES)
        return self._rows(asked.caller, None, role.disabled_models, "role")

    async def switch_role(self, asked: Asked[NoQuery, Switch]) -> Switched:
        """`PUT /v1/admin/roles/{role_id}/models/{model}`."""
        caller, role_id = asked.caller, asked.path["role_id"]
        role = role_within(caller, await self._roles.get(role_id), role_id, CHANGE_ROLES)
        check_role_change(caller, role)
        model = self._model(caller, asked.path["model"], None)
        if asked.body.enabled == (model.id in role.disabled_models):
            await self._switches.set(
                model.id,
                enabled=asked.body.enabled,
                scope="role",
                scope_id=role.id,
                by=asked.actor,
            )
            role = role_within(caller, await self._roles.get(role_id), role_id, CHANGE_ROLES)
        row = self._row(model, None, role.disabled_models, "role")
        return _switched(row, asked.body.enabled, [])

    async def _tenant(self, asked: Asked[Any, Any], reach: Reach) -> Tenant:
        tenant_id = asked.path["tenant_id"]
        reach.check(asked.caller, tenant_id)
        return present(await self._tenants.get(tenant_id), tenant_id)

    async def _allowed(self, tenant: Tenant) -> Collection[str] | None:
        if tenant.package_id is None:
            return None
        package = await self._packages.get(tenant.package_id)
        return package.allowed_models if package is not None else None

    def _model(self, caller: Caller, name: str, allowed: Collection[str] | None) -> Model:
        """The model of this name. Raises Fault NOT_FOUND, also where it is out of this caller's
        hands: that the MSP has it switched off is not for a tenant to know."""
        model = self._shelf.current.find(name)
        if model is not None and (sees_hidden(caller) or _is_offered(model, allowed)):
            return model
        raise not_there("model", name, "GET the same path without a model's name for all of them.")

    def _rows(
        self, caller: Caller, allowed: Collection[str] | None, off: Collection[str], scope: Scope
    ) -> ModelRows:
        return ModelRows(
            [
                self._row(model, allowed, off, scope)
                for model in self._shelf.current.models
                if sees_hidden(caller) or _is_offered(model, allowed)
            ]
        )

    def _row(
        self, model: Model, allowed: Collection[str] | None, off: Collection[str], scope: Scope
    ) -> ModelRow:
        disabled_by: By | None = None
        if not model.enabled:
            disabled_by = "msp"
        elif not _is_offered(model, allowed):
            disabled_by = "package"
        elif model.id in off:
            disabled_by = scope
        return ModelRow(
            name=model.id,
            display_name=model.display_name,
            developer=model.developer,
            multiplier=model.multiplier(self._reference),
            enabled=disabled_by is None,
            disabled_by=disabled_by,
        )


def sees_hidden(caller: Caller) -> bool:
    """May this caller know of models the MSP or a package withholds?"""
    return may(caller, MSP_VIEW, MSP_MODELS)


def switched_off(names: Collection[str], before: Collection[str], catalog: Catalog) -> list[str]:
    """The ids of a new list of models to be off. Raises Fault BAD_REQUEST for a name that is in
    neither the catalogue nor the list before: a model may have left the catalogue since."""
    ids = []
    for place, name in enumerate(names):
        model = catalog.find(name)
        if model is None and name not in before:
            raise bad(
                f"disabled_model_names.{place}", f"There is no model {name[:ECHO_CHARS_MAX]!r}."
            )
        ids.append(name if model is None else model.id)
    return sorted(set(ids))


def default_warnings(config: TenantConfig, off: Collection[str], catalog: Catalog) -> list[str]:
    """What is to be said about a tenant's default model: it may be off (domain.md 12)."""
    name = config.default_model_name
    if name is None:
        return []
    model = catalog.find(name)
    if model is not None and model.enabled and model.id not in off:
        return []
    return [f"The tenant's default model {name} is disabled."]


def _is_offered(model: Model, allowed: Collection[str] | None) -> bool:
    return model.enabled and (allowed is None or model.id in allowed)


def _switched(row: ModelRow, wanted: bool, warnings: list[str]) -> Switched:
    if wanted and not row.enabled:
        whose = {"msp": "The MSP has", "package": "The package leaves"}.get(row.disabled_by or "")
        warnings = [*warnings, f"{whose} this model off, which wins."]
    return Switched(
        name=row.name,
        display_name=row.display_name,
        developer=row.developer,
        multiplier=row.multiplier,
        enabled=row.enabled,
        disabled_by=row.disabled_by,
        warnings=warnings,
    )


def endpoints(pages: ModelSwitchPages) -> list[AnyEndpoint]:
    """The rows of the table."""
    of_tenant, of_role = "/v1/admin/tenants/{tenant_id}/models", "/v1/admin/roles/{role_id}/models"
    return [
        Endpoint(
            method="GET",
            path=of_tenant,
            summary="The models of a tenant: which are on",
            handler=pages.of_tenant,
            reply=ModelRows,
            query=NoQuery,
            body=NoBody,
            needs=SEE_TENANTS.needs,
        ),
        Endpoint(
            method="PUT",
            path=of_tenant + "/{model}",
            summary="Switch a model on or off for a tenant",
            handler=pages.switch_tenant,
            reply=Switched,
            query=NoQuery,
            body=Switch,
            needs=SWITCH_TENANTS.needs,
        ),
        Endpoint(
            method="GET",
            path=of_role,
            summary="The models of a role: which are on",
            handler=pages.of_role,
            reply=ModelRows,
            query=NoQuery,
            body=NoBody,
            needs=SEE_ROLES.needs,
        ),
        Endpoint(
            method="PUT",
            path=of_role + "/{model}",
            summary="Switch a model on or off for a role",
            handler=pages.switch_role,
            reply=Switched,
            query=NoQuery,
            body=Switch,
            needs=CHANGE_ROLES.needs,
            refusals=(409,),
        ),
    ]
