"""Who looks on: the calls of this process that are under way, read off the wheel that watches them
anyway. Nothing is kept for it, so nothing costs a request anything.
"""

from heapq import nsmallest

from proxy.domain.in_flight import ROWS_MAX, InFlight, UnderWay
from proxy.gateway.relay import Relay
from proxy.gateway.search_turns import SearchTurns
from proxy.gateway.wheel import Wheel
from proxy.ledger.client_label import client_of


def in_flight(
    wheel: Wheel, now_s: float, tenant_id: str | None = None, worker: str = ""
) -> UnderWay:
    """All, or those of a tenant; the oldest first. A request that searches is one, whichever of
    its turns is under way; `now_s` is the monotonic clock."""
    watched = [
        each
        for each in wheel.watched()
        if isinstance(each, Relay | SearchTurns) and tenant_id in (None, each.call.caller.tenant_id)
    ]
    searching = {each.call.arrival.request_id for each in watched if isinstance(each, SearchTurns)}
    found = [
        each
        for each in watched
        if isinstance(each, SearchTurns) or each.call.arrival.request_id not in searching
    ]
    # Made for those that are shown only: there may be thousands.
    oldest = nsmallest(ROWS_MAX, found, key=lambda each: each.call.arrival.clock_s)
    return UnderWay([_seen(each, now_s, worker) for each in oldest], len(found))


def _seen(carried: Relay | SearchTurns, now_s: float, worker: str) -> InFlight:
    call, stage, provider, attempts = carried.call, carried.stage, "", 1
    if isinstance(carried, Relay):
        provider, attempts = carried.provider, carried.attempts
    else:
        stage = f"search: {stage}"
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
        worker=worker,
    )
