"""The table of the endpoints about people: who is who, what they may, what was agreed with them.

One list for the routes and for the document of the API.
"""

import msgspec

from proxy.admin import (
    api_keys,
    me,
    model_switches,
    roles,
    templates,
    tenant_making,
    tenant_package,
    tenants,
    users,
)
from proxy.admin.allowance import Allowances
from proxy.admin.endpoint import AnyEndpoint
from proxy.admin.stores import (
    PackageStore,
    RoleStore,
    SwitchStore,
    TemplateStore,
    TenantStore,
    UserStore,
    UseStore,
)
from proxy.catalog.refresh import Shelf
from proxy.domain.model import REFERENCE_RATES, Rates
from proxy.limits.window import Months


class Stores(msgspec.Struct, frozen=True):
    """All of storage the table needs; several may be the same object."""

    tenants: TenantStore
    users: UserStore
    roles: RoleStore
    packages: PackageStore
    templates: TemplateStore
    keys: api_keys.KeyStore
    switches: SwitchStore
    use: UseStore


def people(
    stores: Stores,
    shelf: Shelf,
    hash_secret: bytes,
    months: Months,
    *,
    reference: Rates = REFERENCE_RATES,
) -> list[AnyEndpoint]:
    """The rows. `hash_secret` is what new keys are digested with, `reference` the rates whose
    multiplier is 1."""
    allowances = Allowances(stores.packages, stores.use, months)
    user_pages = users.UserPages(stores.users, stores.roles, stores.tenants)
    return [
        *me.endpoints(),
        *api_keys.endpoints(api_keys.ApiKeys(stores.keys, hash_secret)),
        *tenants.endpoints(
            tenants.TenantPages(stores.tenants, stores.packages, allowances, shelf, user_pages)
        ),
        *tenant_making.endpoints(
            tenant_making.TenantMaking(
                stores.tenants, stores.users, stores.roles, stores.packages, stores.templates
            )
        ),
        *templates.endpoints(templates.TemplatePages(stores.templates, stores.packages, shelf)),
        *tenant_package.endpoints(
            tenant_package.TenantPackage(stores.tenants, stores.packages, allowances)
        ),
        *model_switches.endpoints(
            model_switches.ModelSwitchPages(
                shelf,
                stores.switches,
                tenants=stores.tenants,
                roles=stores.roles,
                packages=stores.packages,
                reference=reference,
            )
        ),
        *users.endpoints(user_pages),
        *roles.endpoints(roles.RolePages(stores.roles, stores.users, stores.tenants, shelf)),
    ]
