"""One tenant whose allowance a test can have used, with the parts that tell its administrators."""

import itertools
import ssl

import msgspec

from proxy.domain.entry import COMPLETED, Entry
from proxy.domain.people import Actor, User
from proxy.domain.terms import DEFAULT_LADDER, Ladder
from proxy.limits.window import Months
from proxy.notices.outbox import Finish, Outbox, Patience, as_it_is
from proxy.notices.watch import AllowanceWatch
from proxy.notices.wording import House
from proxy.storage.database import Database
from proxy.storage.entries import Entries
from proxy.storage.letters import Letters
from proxy.storage.months import months_of
from proxy.storage.packages import Packages
from proxy.storage.tenants import Tenants
from proxy.storage.users import Users
from proxy.upstream.mail_server import MailAccount, MailServer
from tests.kit.mail_server import Mailbox

CREDIT = 1_000_000
ZONE = "Europe/Berlin"
HOUSE = House("https://gateway.example.com", "Msp Support <help@msp.example>")
QUICK = Patience(
    look_s=0.05, first_s=0.05, most_s=0.2, away_first_s=0.05, away_most_s=0.1, give_up_after_s=60.0
)
_NUMBERS = itertools.count()


class Workspace(msgspec.Struct):
    """`now_ms` is a moment in September 2026."""

    database: Database
    tenant_id: str
    package_id: str
    admin: User
    user: User
    now_ms: int = 1_790_000_000_000
    rules: tuple[Ladder, bool] = (DEFAULT_LADDER, False)

    @classmethod
    async def furnished(cls, database: Database) -> "Workspace":
        by = Actor.operator(1_789_000_000_000)
        package = await Packages(database).create("Starter", by, monthly_credits=1_000 * CREDIT)
        tenant = await Tenants(database).create("Acme", by, package_id=package.id)
        users = Users(database)
        admin = await users.create(
            "ada@acme.example",
            tenant.id,
            by,
            role="client_admin",
            first_name="Ada",
            status="Active",
        )
        user = await users.create("bob@acme.example", tenant.id, by, status="Active")
        return cls(database, tenant.id, package.id, admin, user)

    @property
    def by(self) -> Actor:
        """Somebody of the MSP, now."""
        return Actor("user_root", "root@msp.example", self.now_ms, "req_1")

    async def use(self, credits: float) -> None:
        """Have so many credits used, beside those that are."""
        row = Entry(
            event_id=f"evt_{next(_NUMBERS)}",
            request_id="req_1",
            started_at=self.now_ms,
            ended_at=self.now_ms,
            tenant_id=self.tenant_id,
            user_id=self.user.id,
            role="general_user",
            key_id="key_1",
            requested_model="m",
            model="m",
            resolved_via="exact",
            outcome=COMPLETED,
            status=200,
            credits_in=round(credits * CREDIT),
        )
        await Entries(self.database, months_of(ZONE)).insert([row])

    def outbox(
        self,
        box: Mailbox,
        patience: Patience = QUICK,
        waiting_max: int = 100,
        finish: Finish = as_it_is,
    ) -> Outbox:
        """On its way to this server."""
        account = MailAccount(
            host="localhost", port=box.port, tls="none", sender="gateway@example.com", timeout_s=10
        )
        return Outbox(
            Letters(self.database),
            MailServer(account, ssl.create_default_context()),
            wall_ms=lambda: self.now_ms,
            waiting_max=waiting_max,
            patience=patience,
            finish=finish,
        )

    def watch(self, outbox: Outbox) -> AllowanceWatch:
        """Of all tenants."""
        return AllowanceWatch(
            Letters(self.database),
            Tenants(self.database, lambda: self.now_ms),
            Packages(self.database),
            outbox,
            months=Months(ZONE),
            rules=lambda: self.rules,
            house=HOUSE,
        )

    async def letters(self) -> list[tuple[str, str, str]]:
        """Kind, recipient and outcome of all there are."""
        rows = await self.database.fetch(
            "SELECT kind, recipient, outcome FROM letters ORDER BY created_at, id"
        )
        return [(kind, recipient, outcome) for kind, recipient, outcome in rows]
