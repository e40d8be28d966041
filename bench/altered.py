"""What did the road change in a right reply? Says in words how it differs from what was played.

A proxy may rewrite an id, spell JSON its own way, add a ping: clients do not mind, so the judge
(`check.py`) lets it pass, but a comparison should say so. No IO here.
"""

from typing import Any

import msgspec

from bench import score as scores
from bench.score import Score

SPELLING = "JSON spelled anew"
PINGS = "pings added or left out"
COMMENTS = "comments added"
FIELDS_NAMED_MAX = 4


def played(score: Score, model: str) -> bytes:
    """The body the upstream plays for a score, with the model's name the client must see."""
    if not score.streamed:
        body = scores.message_reply(score).partition(b"\r\n\r\n")[2]
    else:
        chunks = b"".join(scores.burst_writes(score)).partition(b"\r\n\r\n")[2]
        body = b""
        while chunks:
            size, _, rest = chunks.partition(b"\r\n")
            body += rest[: int(size, 16)]
            chunks = rest[int(size, 16) + 2 :]
    return body.replace(b'"model":"%s"' % score.name.encode(), b'"model":"%s"' % model.encode(), 1)


def changes(expected: bytes, got: bytes, *, streamed: bool) -> str:
    """In what the right reply `got` differs from the expected one; "" when in nothing."""
    if expected == got:
        return ""
    found: list[str] = []
    if not streamed:
        fields = _different(msgspec.json.decode(expected), msgspec.json.decode(got), "")
    else:
        fields = []
        if b"\n:" in b"\n" + got:
            found.append(COMMENTS)
        before, after = _events(expected), _events(got)
        if _pings(before) != _pings(after):
            found.append(PINGS)
        pairs = zip(_without_pings(before), _without_pings(after), strict=False)
        for old, new in pairs:
            fields += [name for name in _different(old, new, "") if name not in fields]
    if fields:
        more = " …" if len(fields) > FIELDS_NAMED_MAX else ""
        found.append("other " + ", ".join(fields[:FIELDS_NAMED_MAX]) + more)
    return "; ".join(found) or SPELLING


def _events(body: bytes) -> list[dict[str, Any]]:
    datas = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [msgspec.json.decode(data) for data in datas]


def _pings(events: list[dict[str, Any]]) -> int:
    return sum(event.get("type") == "ping" for event in events)


def _without_pings(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event.get("type") != "ping"]


def _different(old: object, new: object, at: str) -> list[str]:
    """Paths of the fields that differ, are new or are gone."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return [
            path
            for name in names
            for path in _different(old.get(name), new.get(name), f"{at}.{name}" if at else name)
        ]
    return [] if old == new else [at]
