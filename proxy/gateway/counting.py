"""How many tokens a request has: where its provider cannot say, by estimate.

The estimate of `wire/token_estimate.py` is made for no model in particular; what each model really
counted is learned from every translated reply (`catalog/calibration.py`). Counting never fails
because of a provider: clients take a failure for the end (translation.md D14).
"""

from typing import Final

from proxy.catalog.calibration import CLAUDE_PRIOR, Calibration
from proxy.domain.call import Call
from proxy.domain.model import Model
from proxy.domain.usage import Usage
from proxy.wire.body import Body
from proxy.wire.messages import count_body
from proxy.wire.token_estimate import estimate_request

EXACT: Final = b"x-hatz-count: exact\r\n"


class Counting:
    """Estimates, and what is learned for them."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration

    def prepare(self, call: Call, body: Body) -> None:
        """Note in `call` what its input will probably be."""
        call.raw_tokens = estimate_request(body)
        call.input_tokens, _ = self._calibrated(call.model, call.raw_tokens)

    def count(self, call: Call, body: Body | None) -> bytes:
        """The reply to a count of tokens; the header that says what it is worth goes into
        `call.notes`."""
        assert body is not None, "a count is no stream"
        tokens, worth = self._calibrated(call.model, estimate_request(body))
        call.notes = b"x-hatz-count: %b\r\n" % worth.encode()
        return count_body(tokens)

    def observe(self, call: Call, usage: Usage) -> None:
        """A translated call is over and the provider said what its input was."""
        actual = (
            usage.input_tokens
            + usage.cache_read_tokens
            + usage.cache_write_5m_tokens
            + usage.cache_write_1h_tokens
        )
        if actual > 0:
            self._calibration.observe(call.model.id, call.raw_tokens, actual)

    def _calibrated(self, model: Model, raw: int) -> tuple[int, str]:
        prior = CLAUDE_PRIOR if model.developer == "Anthropic" else 1.0
        return self._calibration.estimate(model.id, raw, prior=prior)
