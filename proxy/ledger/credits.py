"""Usage times rates is credits, in whole micro-credits (domain.md 9).

Knows the formula and who pays; refuses to know where usage or rates come from. Rates are credits
per million tokens and a micro-credit is a millionth of a credit, so tokens times rate *is* the
number of micro-credits: nothing is ever divided or rounded.
"""

from typing import Final

from proxy.domain.entry import CLIENT_GONE, COMPLETED, PARTIAL, Outcome
from proxy.domain.model import Model, Rates
from proxy.domain.usage import Usage
from proxy.ledger.charge import Charge, Forecast

MICRO_PER_CREDIT: Final = 1_000_000
SEARCH_FEE_CREDITS: Final = 10
"""What one executed web search costs unless the operator says otherwise."""


NOTHING: Final = Charge(0, 0, 0)


def is_charged(outcome: Outcome, output_began: bool) -> bool:
    """Does the caller pay for a generation that ended like this?

    A client that leaves pays only for what had begun to reach it. Our own failure is never theirs
    to pay, and a provider's is only once it has produced something.
    """
    if outcome is CLIENT_GONE:
        return output_began
    return outcome is COMPLETED or outcome is PARTIAL


def price(
    usage: Usage, rates: Rates | None, search_fee_credits: int = SEARCH_FEE_CREDITS
) -> Charge:
    """What this usage costs. Without rates the tokens are free and the searches are not.

    Thinking tokens are part of `output_tokens`, so they are not counted again.
    """
    actions = usage.web_searches * search_fee_credits * MICRO_PER_CREDIT
    if rates is None:
        return Charge(0, 0, actions)
    return Charge(
        usage.input_tokens * rates.input
        + usage.cache_write_5m_tokens * rates.cache_write_5m
        + usage.cache_write_1h_tokens * rates.cache_write_1h
        + usage.cache_read_tokens * rates.cache_read,
        usage.output_tokens * rates.output,
        actions,
    )


BYTES_PER_TOKEN: Final = 4
OUTPUT_TOKENS_ASSUMED: Final = 1_000
"""What a reply is taken to be long until it is known. Clients ask for up to 64,000 tokens and use a
few hundred: to hold all they ask for would stop a tenant long before its limit."""


def forecast(body_bytes: int, max_tokens: int, model: Model) -> Forecast:
    """A guess to hold until the truth is known (domain.md 8.2), from the size of the body."""
    input_tokens = min(body_bytes // BYTES_PER_TOKEN, model.context_window)
    rates = model.rates
    if rates is None:
        return Forecast(0, input_tokens)
    output_tokens = min(max_tokens, OUTPUT_TOKENS_ASSUMED)
    return Forecast(input_tokens * rates.input + output_tokens * rates.output, input_tokens)
