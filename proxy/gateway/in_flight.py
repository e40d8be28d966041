"""Who looks on: the calls of this process that are under way, read off the wheel that watches them
anyway. Nothing is kept for it, so nothing costs a request anything.
"""

from proxy.domain.call import Call
from proxy.domain.in_flight import InFlight
from proxy.gateway.relay import Relay
from proxy.gateway.search_turns import SearchTurns
from proxy.gateway.wheel import Wheel
from proxy.ledger.client_label import client_of


def in_flight(wheel: Wheel, now_s: float) -> list[InFlight]:
    """Oldest first. A request that searches is one, whichever of its turns is under way; `now_s` is
    the monotonic clock."""
    watched = wheel.watched()
    turns = [each for each in watched if isinstance(each, SearchTurns)]
    searching = {each.call.arrival.request_id for each in turns}
    relays = [
        each
        for each in watched
        if isinstance(each, Relay) and each.call.arrival.request_id not in searching
    ]
    found = [_seen(each.call, each.stage, each.provider, each.attempts, now_s) for each in relays]
    found += [_seen(each.call, f"search: {each.stage}", "", 1, now_s) for each in turns]
    return sorted(found, key=lambda each: -each.age_s)


def _seen(call: Call, stage: str, provider: str, attempts: int, now_s: float) -> InFlight:
    arrival, caller = call.arrival, call.caller
    return InFlight(
        request_id=arrival.request_id,
        errand=arrival.errand.value,
        tenant_id=caller.tenant_id,
        tenant=caller.tenant,
        user_id=caller.user_id,
        email=caller.email,
        key_id=caller.key_id,
        asked=call.asked,
        model=call.model.id,
        via=call.via,
        streamed=call.streamed,
        client=client_of(arrival.headers),
        stage=stage,
        provider=provider,
        attempts=attempts,
        age_s=round(max(0.0, now_s - arrival.clock_s), 3),
    )
