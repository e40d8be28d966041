"""`/v1/admin/in-flight`: the requests that are under way at this moment, for support.

Asked of the process that happens to answer; with several workers the others are left out, and the
answer says so.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.admin.scope import Reach
from proxy.domain.in_flight import InFlight
from proxy.domain.permissions import MSP_VIEW, VIEW_USAGE

SEE: Final = Reach(own=(VIEW_USAGE,), msp=(MSP_VIEW,))
ROWS_MAX: Final = 500
UnderWay = Callable[[], Sequence[InFlight]]


class InFlightList(msgspec.Struct, frozen=True):
    """Oldest first, 500 at most; `total_count` is how many there are. `workers` are the processes
    that serve, of which this answer shows the one called `worker`."""

    data: list[InFlight]
    total_count: int
    worker: str
    workers: int


class InFlightPage:
    """The handler."""

    def __init__(self, under_way: UnderWay, worker: str, workers: Callable[[], int]) -> None:
        self._under_way = under_way
        self._worker = worker
        self._workers = workers

    async def read(self, asked: Asked[NoQuery, None]) -> InFlightList:
        """`GET`: all of them, or those of the caller's tenant."""
        confined = SEE.confined(asked.caller)
        rows = [each for each in self._under_way() if confined in (None, each.tenant_id)]
        return InFlightList(rows[:ROWS_MAX], len(rows), self._worker, self._workers())

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/admin/in-flight",
                summary="Requests under way at this moment",
                handler=self.read,
                reply=InFlightList,
                query=NoQuery,
                body=NoBody,
                needs=SEE.needs,
            )
        ]
