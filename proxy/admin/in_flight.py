"""`/v1/admin/in-flight`: the requests that are under way at this moment, for support.

Whichever process answers asks all others; each leaves out what is not the caller's to see before it
says anything.
"""

from operator import attrgetter
from typing import Final

from proxy.admin.endpoint import AnyEndpoint, Asked, Endpoint, NoBody, NoQuery
from proxy.admin.scope import Reach
from proxy.admin.worker_answers import AskWorkers, OfWorkers, told
from proxy.domain.in_flight import ROWS_MAX, InFlight, UnderWay
from proxy.domain.permissions import MSP_VIEW, VIEW_USAGE
from proxy.observe.roll_call import Question

SEE: Final = Reach(own=(VIEW_USAGE,), msp=(MSP_VIEW,))
IN_FLIGHT: Final = "in_flight"
"""What workers are asked for: an `UnderWay`."""


class InFlightList(OfWorkers, frozen=True, kw_only=True):
    """Oldest first, 500 at most; `total_count` is how many there are."""

    data: list[InFlight]
    total_count: int


class InFlightPage:
    """The handler."""

    def __init__(self, ask: AskWorkers) -> None:
        self._ask = ask

    async def read(self, asked: Asked[NoQuery, None]) -> InFlightList:
        """`GET`: all of them, or those of the caller's tenant."""
        question = Question(IN_FLIGHT, SEE.confined(asked.caller))
        of, said = await told(self._ask, question, UnderWay)
        rows = [row for each in said for row in each.rows]
        rows.sort(key=attrgetter("age_s"), reverse=True)
        return InFlightList(
            **of, data=rows[:ROWS_MAX], total_count=sum([each.count for each in said])
        )

    def endpoints(self) -> list[AnyEndpoint]:
        """The rows of the table."""
        return [
            Endpoint(
                method="GET",
                path="/v1/admin/in-flight",
                summary="Requests under way at this moment, over all workers",
                handler=self.read,
                reply=InFlightList,
                query=NoQuery,
                body=NoBody,
                needs=SEE.needs,
            )
        ]
