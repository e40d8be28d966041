"""What a role may allow (domain.md 2.2, 2.3). Rights over one's own tenant, and rights of the MSP's
people over all tenants."""

USE_GATEWAY = "gateway.use"
CREATE_KEYS = "keys.create"
VIEW_USAGE = "usage.view"
DISABLE_MODELS = "models.disable"
MANAGE_USERS = "users.manage"
MANAGE_ROLES = "roles.manage"
MANAGE_TENANT = "tenant.manage"

MSP_VIEW = "msp.view"
MSP_TENANTS = "msp.tenants"
MSP_USERS = "msp.users"
MSP_ROLES = "msp.roles"
MSP_MODELS = "msp.models"
MSP_BILLING = "msp.billing"
MSP_SETTINGS = "msp.settings"

MEANINGS = {
    USE_GATEWAY: "Use the gateway with an API key",
    CREATE_KEYS: "Create API tokens",
    VIEW_USAGE: "View the workspace's usage and requests",
    DISABLE_MODELS: "Disable models for the tenant",
    MANAGE_USERS: "Invite, change and remove users of the tenant",
    MANAGE_ROLES: "Make and change custom roles of the tenant",
    MANAGE_TENANT: "Change the tenant's settings",
    MSP_VIEW: "See all tenants, their usage and requests",
    MSP_TENANTS: "Create and change tenants",
    MSP_USERS: "Manage the users of all tenants",
    MSP_ROLES: "Manage roles for all tenants",
    MSP_MODELS: "Manage the catalogue: models, rates, switches",
    MSP_BILLING: "Manage packages and credit packs",
    MSP_SETTINGS: "Change the installation: limits, reload, audit",
}
"""The catalogue of permissions, as pages show it."""

MSP_PERMISSIONS = frozenset([name for name in MEANINGS if name.startswith("msp.")])
"""Only a role of the whole installation may have these; a tenant's custom role never."""
