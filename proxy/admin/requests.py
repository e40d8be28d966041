"""`GET /v1/requests/{request_id}`: the support record of one request (domain.md 18).

Own requests for everybody, those of their workspace for its administrators; what is not theirs to
see does not exist for them. Never content: the books hold none.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.ids import is_request_id
from proxy.ledger.support_record import Record, RecordStore, records_of

Admit = Callable[[web.Request, bool], Awaitable[Caller]]
"""Who asks; the second argument: may the key come as Bearer? Raises Fault."""

_HEADERS: Final = {"Cache-Control": "no-store"}
_encode = msgspec.json.Encoder().encode


class _Found(msgspec.Struct, frozen=True):
    request_id: str
    records: list[Record]


class RequestLookup:
    """The handler. A client may repeat an id, so one id can have several records."""

    def __init__(self, records: RecordStore, admit: Admit) -> None:
        self._records = records
        self._admit = admit

    async def read(self, request: web.Request) -> web.Response:
        """`GET`: every record of the id that the caller may see; 404 where there is none."""
        caller = await self._admit(request, False)
        request_id = request.match_info["request_id"]
        # What cannot be an id has no record: the store need not be asked.
        found = (
            await records_of(self._records, request_id, caller) if is_request_id(request_id) else []
        )
        if not found:
            raise Fault(
                Kind.NOT_FOUND,
                "There is no request with this id that you may see.",
                hint="Records appear up to 2 seconds after a request has ended.",
                retry=False,
                reason="request_not_found",
            )
        body = _encode(_Found(request_id, found))
        return web.Response(body=body, content_type="application/json", headers=_HEADERS)
