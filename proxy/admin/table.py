"""The table of all endpoints that are written as rows: one list for the routes and for the document
of the API. The older pages beside it are in `preferences.py` and `requests.py`.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from proxy.admin import (
    all_keys,
    api_keys,
    credit_packs,
    identities,
    invitations,
    me,
    model_switches,
    models,
    packages,
    rates,
    roles,
    templates,
    tenant_making,
    tenant_package,
    tenant_usage,
    tenants,
    usage,
    usage_events,
    usage_limits,
    usage_time,
    users,
)
from proxy.admin.allowance import Allowances
from proxy.admin.audit import AuditPages, AuditStore
from proxy.admin.endpoint import AnyEndpoint
from proxy.admin.in_flight import InFlightPage
from proxy.admin.installation import InstallationPages, Notes, Reload
from proxy.admin.limits import LimitDesk, NamedValues
from proxy.admin.provider_health import ProviderHealthPage
from proxy.admin.providers import ProviderPages
from proxy.admin.search_switch import SearchSwitch
from proxy.admin.sign_in_links import MakeLink, SignInLinks
from proxy.admin.stores import RoleStore, SwitchStore, TemplateStore, TenantStore, UserStore
from proxy.admin.usage_limits import Rules, UseStore
from proxy.admin.worker_answers import AskWorkers
from proxy.catalog.refresh import Shelf
from proxy.config.settings import Settings
from proxy.domain.model import Model
from proxy.limits.window import Months


class PackageStore(packages.PackageStore, Protocol):
    """All that is asked of packages."""


class KeyStore(api_keys.KeyStore, all_keys.AllKeyStore, Protocol):
    """One's own keys, and everybody's."""


class Switches(SwitchStore, models.SwitchStore, Protocol):
    """Switches of the installation, and of tenants and roles."""


class RateStore(rates.RateStore, models.CurrentRates, Protocol):
    """Rates of now, past and to come."""


class LedgerStore(
    usage.SumStore,
    usage_time.TimeStore,
    usage_events.EventStore,
    usage_limits.RequestStore,
    Protocol,
):
    """Rows and their sums."""


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """All of storage the table needs."""

    tenants: TenantStore
    users: UserStore
    identities: identities.IdentityStore
    roles: RoleStore
    templates: TemplateStore
    keys: KeyStore
    packages: PackageStore
    packs: credit_packs.PackStore
    switches: Switches
    rates: RateStore
    use: UseStore
    ledger: LedgerStore
    installation: NamedValues
    audit: AuditStore
    notes: Notes


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What the table needs to know of the running gateway. `settings` and `rules` give those of
    now; `hash_secret` is what new keys are digested with; without `mail` none is sent. `make_link`
    is None while the console is off; `ask_workers` asks all processes of the gateway;
    `search_lacks` says what is missing for searches."""

    shelf: Shelf
    months: Months
    hash_secret: bytes
    settings: Callable[[], Settings]
    rules: Callable[[], Rules]
    reload: Reload
    ask_workers: AskWorkers
    mail: invitations.Mail | None = None
    make_link: MakeLink | None = None
    search_lacks: Callable[[], str] = lambda: ""

    def configured_rules(self) -> Rules:
        """What the file says, whatever was changed since."""
        limits = self.settings().limits
        return Rules(limits.ladder, limits.hard_stop)

    def configured_models(self) -> dict[str, Model]:
        """The models as the file has them."""
        return {model.id: model for model in self.settings().models}


def table(stores: Stores, house: House) -> list[AnyEndpoint]:
    """Every row."""
    return [*_account(stores, house), *_people(stores, house), *_agreed(stores, house)]


def _account(stores: Stores, house: House) -> list[AnyEndpoint]:
    """For everybody: who they are, their keys, what was used."""
    limits = house.settings().limits
    zone = limits.time_zone
    return [
        *me.endpoints(),
        *api_keys.endpoints(api_keys.ApiKeys(stores.keys, house.hash_secret)),
        *usage_limits.UsageLimits(
            stores.use,
            stores.ledger,
            stores.tenants,
            stores.packages,
            catalog=lambda: house.shelf.current,
            rules=house.rules,
            months=house.months,
            reference=limits.reference_rates,
        ).endpoints(),
        *usage.UsageSums(stores.ledger, zone).endpoints(),
        *usage_time.UsageTimes(stores.ledger, zone).endpoints(),
        *usage_events.UsageEvents(stores.ledger, zone).endpoints(),
    ]


def _people(stores: Stores, house: House) -> list[AnyEndpoint]:
    """Tenants, users, roles and their models."""
    shelf = house.shelf
    allowances = Allowances(stores.packages, stores.use, house.months)
    user_pages = users.UserPages(stores.users, stores.roles, stores.tenants)
    tenant_pages = tenants.TenantPages(
        stores.tenants, stores.packages, allowances, shelf, user_pages
    )
    making = tenant_making.TenantMaking(
        stores.tenants,
        stores.users,
        stores.roles,
        stores.packages,
        stores.templates,
        house.mail,
    )
    invitation_pages = invitations.InvitationPages(
        stores.users, stores.roles, stores.tenants, house.mail
    )
    package = tenant_package.TenantPackage(stores.tenants, stores.packages, allowances)
    month = tenant_usage.TenantUsagePage(stores.tenants, stores.ledger, allowances, house.months)
    switches = model_switches.ModelSwitchPages(
        shelf,
        stores.switches,
        tenants=stores.tenants,
        roles=stores.roles,
        packages=stores.packages,
        reference=house.settings().limits.reference_rates,
    )
    role_pages = roles.RolePages(stores.roles, stores.users, stores.tenants, shelf)
    return [
        *tenants.endpoints(tenant_pages),
        *tenant_making.endpoints(making),
        *templates.endpoints(templates.TemplatePages(stores.templates, stores.packages, shelf)),
        *tenant_package.endpoints(package),
        *tenant_usage.endpoints(month),
        *model_switches.endpoints(switches),
        *invitations.endpoints(invitation_pages),
        *users.endpoints(user_pages),
        *all_keys.endpoints(
            all_keys.AllKeys(
                stores.keys, stores.tenants, api_keys.ApiKeys(stores.keys, house.hash_secret)
            )
        ),
        *SignInLinks(
            user_pages, house.make_link, lambda: house.settings().server.address
        ).endpoints(),
        *identities.IdentityPages(stores.identities, user_pages).endpoints(),
        *roles.endpoints(role_pages),
    ]


def _agreed(stores: Stores, house: House) -> list[AnyEndpoint]:
    """For the MSP: what can be agreed with tenants, and what the gateway runs with."""

    def model_ids() -> frozenset[str]:
        return house.shelf.current.ids

    return [
        *packages.PackageDesk(stores.packages, model_ids).endpoints(),
        *credit_packs.PackDesk(stores.packs, stores.tenants, house.months).endpoints(),
        *models.ModelDesk(
            lambda: house.shelf.current,
            house.configured_models,
            stores.switches,
            stores.rates,
            reference=house.settings().limits.reference_rates,
        ).endpoints(),
        *rates.RateDesk(stores.rates, model_ids).endpoints(),
        *LimitDesk(stores.installation, house.configured_rules).endpoints(),
        *ProviderPages(house.settings).endpoints(),
        *InstallationPages(house.settings, house.reload, stores.notes).endpoints(),
        *SearchSwitch(
            stores.installation,
            lambda: house.settings().web_search.enabled,
            lambda: house.search_lacks(),
        ).endpoints(),
        *AuditPages(stores.audit).endpoints(),
        *ProviderHealthPage(house.ask_workers, house.settings).endpoints(),
        *InFlightPage(house.ask_workers).endpoints(),
    ]
