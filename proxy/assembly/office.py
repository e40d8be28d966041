"""The stores behind the office: storage, met with what the admin room asks for."""

from proxy.admin.table import Stores
from proxy.storage.audit import Audit
from proxy.storage.database import Database
from proxy.storage.identities import Identities
from proxy.storage.installation import Installation
from proxy.storage.keys import Keys
from proxy.storage.models import ModelSwitches
from proxy.storage.month_use import MonthUse
from proxy.storage.notes import Notes
from proxy.storage.packages import CreditPacks, Packages
from proxy.storage.rates import RateSheet
from proxy.storage.roles import Roles
from proxy.storage.templates import Templates
from proxy.storage.tenants import Tenants
from proxy.storage.usage import Usage
from proxy.storage.users import Users


def office_stores(database: Database) -> Stores:
    """All of them, over one database."""
    return Stores(
        tenants=Tenants(database),
        users=Users(database),
        identities=Identities(database),
        roles=Roles(database),
        templates=Templates(database),
        keys=Keys(database),
        packages=Packages(database),
        packs=CreditPacks(database),
        switches=ModelSwitches(database),
        rates=RateSheet(database),
        use=MonthUse(database),
        ledger=Usage(database),
        installation=Installation(database),
        audit=Audit(database),
        notes=Notes(database),
    )
