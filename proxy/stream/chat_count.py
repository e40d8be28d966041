"""What one answer of a chat server has used: as reported, else as estimated (translation.md 2.4,
3.6)."""

import msgspec

from proxy.domain.usage import Usage
from proxy.stream.chat_usage import merge, read_usage
from proxy.stream.said import Said

_TIERS = {"default": "standard", "priority": "priority"}


class ChatCount:
    """`usage` begins with our estimate of the input, and is made true as reports come.

    Some servers report with every chunk: the first is read, of all others only the last.
    """

    __slots__ = ("_has_input", "_has_output", "_last", "estimated", "said", "service_tier", "usage")

    def __init__(self, usage: Usage, input_tokens: int) -> None:
        self.usage = usage
        usage.input_tokens = max(1, input_tokens)
        self.said = Said()
        self.service_tier = ""
        self.estimated = False
        """Is `usage` ours, in part or whole?"""
        self._has_input = self._has_output = False
        self._last: bytes | msgspec.Raw = b""

    def take(self, raw: msgspec.Raw) -> None:
        """A report."""
        if self._has_input:
            self._last = raw
        else:
            self._merge(raw)

    def tier(self, name: object) -> None:
        """The class of service the provider names."""
        if isinstance(name, str):
            self.service_tier = _TIERS.get(name, "")

    def settle(self) -> None:
        """All reports are in: what none of them said is estimated."""
        self._merge_last()
        if not self._has_output and self.said.chars:
            self.usage.output_tokens = self.said.estimate_tokens()
            self.estimated = True
        if not self._has_input:
            self.estimated = True

    def settle_early(self) -> None:
        """The stream was left: the output is at least what went by."""
        self._merge_last()
        estimate = self.said.estimate_tokens()
        if estimate > self.usage.output_tokens:
            self.usage.output_tokens = estimate
            self.estimated = True
        if not self._has_input:
            self.estimated = True

    def fills(self, context_window: int) -> bool:
        """Do the reports prove that the context window is full?"""
        usage = self.usage
        total = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens
        return not self.estimated and 0 < context_window <= total + usage.output_tokens

    def _merge_last(self) -> None:
        last, self._last = self._last, b""
        if last:
            self._merge(last)

    def _merge(self, raw: bytes | msgspec.Raw) -> None:
        said = read_usage(raw)
        if said is not None:
            has_input, has_output = merge(said, self.usage)
            self._has_input |= has_input
            self._has_output |= has_output
