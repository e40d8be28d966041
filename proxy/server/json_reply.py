"""A JSON reply of aiohttp's, spoken by msgspec."""

import msgspec
from aiohttp import web


def json_reply(document: object, status: int = 200) -> web.Response:
    """`document` as the body."""
    return web.Response(
        body=msgspec.json.encode(document), status=status, content_type="application/json"
    )
