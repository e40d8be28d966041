"""Claude on Bedrock's mantle: Anthropic's own Messages API at another address.

Body, headers and events are Anthropic's and go through as they are, so this is `anthropic.py` but
for three things: a search or a file by URL is not to be had there, betas it does not know are
learned from its refusals, and the request is signed.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from proxy.domain.call import Call
from proxy.domain.fault import Fault
from proxy.providers.anthropic import anthropic_fault
from proxy.providers.anthropic_request import RequestWriter, forwarded_lines
from proxy.providers.bedrock.account import Account
from proxy.providers.bedrock.faults import bedrock_fault, not_served
from proxy.providers.compat_lessons import CompatLessons, without_betas, without_fields
from proxy.stream.passed_reply import passed_reply
from proxy.stream.passthrough import Passthrough
from proxy.stream.whole_reply import WholeReply
from proxy.wire.artefacts import bears_artefacts, without_artefacts
from proxy.wire.body import Body
from proxy.wire.fault_body import read_error_body
from proxy.wire.http import Piece
from proxy.wire.overflow import read_overflow

_KNOWN_OVERFLOW = re.compile(r"prompt is too long|exceed context limit", re.IGNORECASE)


class BedrockMantle:
    """One deployment of Claude."""

    counts = True
    cites = True
    translates = True
    """It has no search of its own."""

    def __init__(self, account: Account, without_searches: Callable[[Call, Body], Body]) -> None:
        """`without_searches` as for `providers/anthropic.py`."""
        place, key = account.place, account.api_key
        self.name = account.name
        self.origin = place.origin
        self.credential = account.credential
        self._event_bytes_max = account.event_bytes_max
        self._without_searches = without_searches
        self._lessons = CompatLessons()
        prefix = place.prefix.removesuffix("/anthropic") + "/anthropic"
        bearer = ("authorization", f"Bearer {key}") if key else None
        self._writer = RequestWriter(place.origin, prefix, bearer, forwards_query=False)

    def __repr__(self) -> str:
        return f"BedrockMantle({self.name!r}, {self.origin.authority!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """The client's body and betas, without what was refused within the hour."""
        if bears_artefacts(body):
            body = self._without_searches(call, without_artefacts(body))
        forwarded = forwarded_lines(call.arrival.headers)
        left_out = self._lessons.left_out(call.arrival.received_ms / 1000)
        if left_out:
            body = without_fields(body, left_out)
            forwarded = without_betas(forwarded, left_out)
        return self._writer.written(call, body, upstream_model, forwarded)

    def pipe(self, call: Call) -> Passthrough:
        """Events go through; `message_start` gets the resolved model's name."""
        return Passthrough(
            msgspec.json.encode(call.model.id), call.arrival.request_id, self._event_bytes_max
        )

    def reply(self, call: Call, body: bytes) -> WholeReply:
        """The message with the resolved model's name; the count of tokens as it is."""
        return passed_reply(call, body)

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """Claude's own refusals are Anthropic's; those of the service around it are AWS's."""
        read = read_error_body(body)
        if status in (401, 402, 403) or read is None or _is_mantles_own(read[0].message, status):
            return bedrock_fault(self.name, status, headers, body, call=call, now_s=now_s)
        fault = anthropic_fault(self.name, status, headers, body, now_s)
        return not_served(fault, call) if status == 404 else fault

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A beta or a field that the endpoint does not know, left out from now on."""
        return self._lessons.learn(status, body, now_s)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """What is left out at present."""
        return self._lessons.learned(now_s)


def _is_mantles_own(message: str, status: int) -> bool:
    """Are these mantle's words for a prompt that is too long, and not Claude's, which clients know?
    (translation.md 7.3)"""
    if _KNOWN_OVERFLOW.search(message) is not None:
        return False
    return read_overflow(message, status=status) is not None
