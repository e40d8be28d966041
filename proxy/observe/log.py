"""The program's own log: one JSON line (or one readable line) per event on standard error.

Secrets cannot get here: they are never formatted into a message (see `config/secrets.py`), and no
request body is ever logged.
"""

import logging
import sys
import traceback

import msgspec


class _Event(msgspec.Struct, omit_defaults=True):
    at: int
    level: str
    where: str
    message: str
    trace: str = ""


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = _Event(
            at=int(record.created * 1000),
            level=record.levelname.lower(),
            where=record.name,
            message=record.getMessage(),
            trace="".join(traceback.format_exception(*record.exc_info)) if record.exc_info else "",
        )
        try:
            return msgspec.json.encode(event).decode()
        except UnicodeEncodeError:
            # Half a surrogate pair, out of some header or path: the line counts more than it.
            event.message = event.message.encode("utf-8", "replace").decode()
            event.trace = event.trace.encode("utf-8", "replace").decode()
            return msgspec.json.encode(event).decode()


def set_up(form: str, level: int = logging.INFO) -> None:
    """Send all logging to standard error as `json` or `console` lines."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(_JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
