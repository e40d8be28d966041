"""The words of letters: who, which workspace, how much, until when, what still works, whom to ask.

Plain text: no mail reader gets it wrong, and names of tenants and people cannot become markup.
Credits are micro-credits. Pure.
"""

from typing import Literal, NamedTuple

import msgspec

from proxy.domain.people import CREDIT, User
from proxy.ledger.report import format_credits
from proxy.limits.rules import EVERYTHING

SUBJECT_NAME_CHARACTERS_MAX = 60


LINK_MARK = "\x1flink\x1f"
"""Stands for a link that is not made yet; no name of anybody holds such characters."""
WayIn = Literal["told", "password", "elsewhere"]
"""How who is invited comes in: whoever invited them sees to it; they choose a password by a link;
they sign in by the identity provider."""


class House(msgspec.Struct, frozen=True):
    """What all letters say of this installation: `link` leads to it, `contact` is whom to ask,
    `way_in` how one comes in, `label` what the button of the identity provider says (empty: there
    is none)."""

    link: str
    contact: str = ""
    way_in: WayIn = "told"
    label: str = ""

    @property
    def asked(self) -> str:
        """Whom to ask, in words."""
        return self.contact or "whoever runs this gateway for you"


class Standing(NamedTuple):
    """A tenant's month. `resets` is a moment with its zone, in words; `still_works` what is left
    once everything is used, empty: nothing."""

    tenant: str
    package: str
    has_packs: bool
    used: int
    limit: int
    resets: str
    still_works: str

    @property
    def percent(self) -> int:
        """The used share, never rounded up to one that is not reached."""
        return 100 * self.used // self.limit

    @property
    def figures(self) -> str:
        packs = ", credit packs included" if self.has_packs else ""
        return (
            f"    Used       {format_credits(self.used / CREDIT)} credits ({self.percent} %)\n"
            f"    Allowance  {format_credits(self.limit / CREDIT)} credits"
            f" (package {self.package}{packs})\n"
            f"    Resets     {self.resets}\n"
        )


class Words(NamedTuple):
    """Subject and body of a letter."""

    subject: str
    body: str


def approaching(standing: Standing, first_name: str, house: House) -> Words:
    """The allowance will soon be used."""
    return Words(
        f"{_short(standing.tenant)}: {standing.percent} % of this month's credits are used",
        f"{_greeting(first_name)}\n\n"
        f'the workspace "{standing.tenant}" has used most of its credits for this month.\n\n'
        f"{standing.figures}\n"
        f"{_now(standing)} Once the allowance is used, the dearest models are\n"
        "restricted first, and more of them the further use goes beyond it; requests to\n"
        "them are refused with status 429 until the month resets, the package is upgraded\n"
        "or a credit pack is added.\n\n"
        f"{_ending(standing, house)}",
    )


def reached(standing: Standing, first_name: str, house: House) -> Words:
    """The allowance is used."""
    works = standing.still_works or "nothing: every model is restricted"
    if works == EVERYTHING:
        works += "; the dearest are restricted first as use goes on"
    return Words(
        f"{_short(standing.tenant)}: this month's credits are used",
        f"{_greeting(first_name)}\n\n"
        f'the workspace "{standing.tenant}" has used its credits for this month.\n\n'
        f"{standing.figures}\n"
        f"What still works: {works}.\n"
        "Requests to restricted models are refused with status 429 until the month resets, the\n"
        "package is upgraded or a credit pack is added; the last two count at once. No\n"
        "other model answers in the place of one that is restricted.\n\n"
        f"{_ending(standing, house)}",
    )


def invitation(user: User, inviter: str, house: House) -> Words:
    """Somebody is to use the gateway. `inviter` is an address, or empty."""
    who = inviter or "An administrator"
    return Words(
        f"Invitation to the workspace {_short(user.tenant)}",
        f"{_greeting(user.first_name)}\n\n"
        f'{who} invited you to the workspace "{user.tenant}" on the gateway at\n\n'
        f"    {house.link}\n\n"
        f"    You        {user.email}\n"
        f"    Your role  {user.role}\n\n"
        f"{_way_in(inviter, house)}\n\n"
        f"Questions: {house.asked}.\n\n"
        "If you do not know what this is about, you need not do anything.\n",
    )


def _way_in(inviter: str, house: House) -> str:
    """What to do now."""
    if house.way_in == "password":
        return (
            "To accept, choose your password here:\n\n"
            f"    {LINK_MARK}\n\n"
            f"{_or_elsewhere(house)}"
            "Then make an API key for your client; the page above says how to connect one."
        )
    if house.way_in == "elsewhere":
        return (
            f'To accept, sign in there by "{house.label}" with this address. Then make an API key\n'
            "for your client; the page says how to connect one."
        )
    answer = "Answer this letter to tell them" if inviter else f"Tell {house.asked}"
    return (
        f"{answer} that you accept: your account is then made active, and\n"
        "you get an API key for your client. The page above says how to connect one."
    )


def _or_elsewhere(house: House) -> str:
    if not house.label:
        return ""
    return f'Or sign in there by "{house.label}" with this address.\n\n'


def _short(name: str) -> str:
    """A name in a subject."""
    if len(name) <= SUBJECT_NAME_CHARACTERS_MAX:
        return name
    return name[: SUBJECT_NAME_CHARACTERS_MAX - 1] + "…"


def _now(standing: Standing) -> str:
    """A ladder may begin before everything is used."""
    if standing.still_works == EVERYTHING:
        return "Nothing is restricted yet."
    return f"What works now: {standing.still_works or 'nothing'}.\n"


def _greeting(first_name: str) -> str:
    return f"Hello {first_name}," if first_name else "Hello,"


def _ending(standing: Standing, house: House) -> str:
    return (
        f"Who used how much: {house.link}\n"
        f"An upgrade, a credit pack, questions: {house.asked}.\n\n"
        f'You get this letter because you administer the workspace "{standing.tenant}".\n'
        "It is sent at most once a month.\n"
    )
