"""The files of the pages: scripts, styles, and the chart library another package brings.

All stand in one folder whose name is a hash of them all, so that a browser may keep them for ever
and never mixes those of two releases. Knows nobody and nothing of any account: everybody may read
them.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Final, NamedTuple

from aiohttp import web

from proxy.domain.fault import Fault, Kind

BASE: Final = "/console"
CHARTS: Final = "chart.js"
"""Chart.js, as chartkick ships it: a package on Python's index, so that `pip install` is enough."""
_TYPES: Final = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
_SMALL_BYTES: Final = 512


class _Asset(NamedTuple):
    content_type: str
    body: bytes
    is_packed: bool


class Assets:
    """All of them, read and packed once, and kept packed alone: plain they are 1 MB, and every
    browser takes them packed. `folder` is where they are this time."""

    def __init__(self) -> None:
        self._assets: dict[str, _Asset] = {}
        digest = hashlib.blake2b(digest_size=8)
        for name, body in sorted(_bodies()):
            digest.update(name.encode() + b"\0" + body)
            self._assets[name] = _packed(name, body)
        self.folder = f"{BASE}/{digest.hexdigest()}"

    async def read(self, request: web.Request) -> web.StreamResponse:
        """`GET /console/{build}/{name}`. A folder of another release has today's file, which is
        then not to be kept."""
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise Fault(Kind.NOT_FOUND, "There is no such file.")
        is_current = request.path.startswith(self.folder + "/")
        headers = {
            "Cache-Control": _FOREVER if is_current else "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Vary": "Accept-Encoding",
        }
        body = asset.body
        if asset.is_packed:
            if "gzip" in request.headers.get("accept-encoding", ""):
                headers["Content-Encoding"] = "gzip"
            else:
                # Anybody may ask for a megabyte this way: not on the loop.
                body = await asyncio.to_thread(gzip.decompress, body)
        return web.Response(
            body=body, content_type=asset.content_type, charset="utf-8", headers=headers
        )


def text_of(name: str) -> str:
    """One of our own files, as text."""
    return files("proxy.console").joinpath("files", name).read_text("utf-8")


def _bodies() -> Iterator[tuple[str, bytes]]:
    for each in files("proxy.console").joinpath("files").iterdir():
        if each.name.rpartition(".")[2] in _TYPES:
            yield each.name, each.read_bytes()
    charts = files("chartkick").joinpath("django", "static", "chartkick", "Chart.bundle.js")
    yield CHARTS, charts.read_bytes()


def _packed(name: str, body: bytes) -> _Asset:
    kind = _TYPES[name.rpartition(".")[2]]
    if len(body) <= _SMALL_BYTES:
        return _Asset(kind, body, is_packed=False)
    # Same bytes at every start: mtime is left out.
    return _Asset(kind, gzip.compress(body, 6, mtime=0), is_packed=True)
