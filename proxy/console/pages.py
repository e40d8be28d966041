"""The table of pages: where each is, what it is called, and who may see it.

One list for the routes, for the navigation and for the server's own answer to a page that is not
for everybody. What a page may do with the data is not said here: that is for `/v1/*`, which asks
for its own permissions whatever page the request comes from.
"""

from typing import Final

import msgspec

from proxy.domain.permissions import (
    DISABLE_MODELS,
    MANAGE_ROLES,
    MANAGE_TENANT,
    MANAGE_USERS,
    MSP_BILLING,
    MSP_MODELS,
    MSP_ROLES,
    MSP_SETTINGS,
    MSP_TENANTS,
    MSP_USERS,
    MSP_VIEW,
    VIEW_USAGE,
)


class Page(msgspec.Struct, frozen=True):
    """`path` is also what the page's module is called; any of `needs` is enough, empty: everybody
    who is signed in."""

    path: str
    title: str
    group: str
    needs: tuple[str, ...] = ()


WORKSPACE: Final = "Workspace"
ADMIN: Final = "Admin"

PAGES: Final = (
    Page("/workspace/preferences", "AI Preferences", WORKSPACE),
    Page("/workspace/keys", "API Keys", WORKSPACE),
    Page("/workspace/usage", "Usage", WORKSPACE),
    Page("/workspace/requests", "Requests", WORKSPACE),
    Page("/workspace/connect", "Connect a client", WORKSPACE),
    Page(
        "/admin/tenants",
        "Tenants",
        ADMIN,
        (MANAGE_TENANT, MANAGE_USERS, VIEW_USAGE, MSP_VIEW, MSP_TENANTS, MSP_BILLING),
    ),
    Page("/admin/users", "Users", ADMIN, (MANAGE_USERS, MSP_VIEW, MSP_USERS)),
    Page("/admin/keys", "API keys", ADMIN, (MANAGE_USERS, MSP_VIEW, MSP_USERS)),
    Page(
        "/admin/roles",
        "Roles",
        ADMIN,
        (MANAGE_ROLES, MANAGE_USERS, MSP_VIEW, MSP_ROLES, MSP_USERS),
    ),
    Page("/admin/models", "Models", ADMIN, (DISABLE_MODELS, MSP_VIEW, MSP_MODELS, MSP_TENANTS)),
    Page("/admin/packages", "Packages", ADMIN, (MSP_VIEW, MSP_BILLING)),
    Page("/admin/limits", "Limits", ADMIN, (MSP_VIEW, MSP_SETTINGS)),
    Page("/admin/providers", "Providers", ADMIN, (MSP_VIEW, MSP_MODELS, MSP_SETTINGS)),
    Page("/admin/usage", "Usage", ADMIN, (MSP_VIEW,)),
    Page("/admin/requests", "Requests", ADMIN, (VIEW_USAGE, MSP_VIEW)),
    Page("/admin/live", "Live", ADMIN, (VIEW_USAGE, MSP_VIEW)),
    Page("/admin/audit", "Audit log", ADMIN, (MSP_SETTINGS,)),
    Page("/account", "Your account", "Account"),
)

HOME: Final = PAGES[0].path


def open_to(page: Page, permissions: frozenset[str]) -> bool:
    """May somebody with these permissions see it?"""
    return not page.needs or any(name in permissions for name in page.needs)
