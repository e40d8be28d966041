"""Text of the kinds that models are sent, for measuring the token estimate.

All of it is our own or is there with Python: files of this repository, the standard library, texts
written for this purpose (`texts/`), and things made by arithmetic, the same on every machine. The
weights of the estimate were fitted to `samples`; how good they are is said by `held_out`.
"""

import base64
import datetime as dt
import hashlib
import json
import pathlib
import pydoc_data.topics
import random
import traceback
from collections.abc import Callable, Iterator, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXTS = pathlib.Path(__file__).parent / "texts"
LIBRARY = pathlib.Path(json.__file__).parents[1]
PIECE_CHARS = 6_000
PIECES_MAX = 80

_MODULES = (
    *("argparse", "ast", "bdb", "calendar", "csv", "dataclasses", "difflib", "fractions", "ftplib"),
    *("heapq", "imaplib", "inspect", "ipaddress", "locale", "mailbox", "optparse", "pathlib"),
    *("pickle", "plistlib", "random", "shutil", "smtplib", "statistics", "subprocess", "tarfile"),
    *("textwrap", "threading", "trace", "typing", "unittest/mock", "uuid", "zipfile", "zipapp"),
)


def samples() -> dict[str, list[str]]:
    """Per kind of text some pieces of it, as a model would read them."""
    return {kind: pieces(make())[:PIECES_MAX] for kind, make in _KINDS.items()}


def held_out() -> dict[str, list[str]]:
    """The same for texts that the weights of the estimate have never seen."""
    return {kind: pieces(make())[:PIECES_MAX] for kind, make in _HELD_OUT.items()}


def pieces(texts: Iterator[str]) -> list[str]:
    """Texts cut at ends of lines into pieces of about the same length."""
    cut: list[str] = []
    for text in texts:
        lines: list[str] = []
        chars = 0
        for line in text.splitlines(keepends=True):
            lines.append(line)
            chars += len(line)
            if chars >= PIECE_CHARS:
                cut.append("".join(lines))
                lines, chars = [], 0
        if chars > PIECE_CHARS // 40:
            cut.append("".join(lines))
    return cut


def _own(name: str) -> Callable[[], Iterator[str]]:
    return lambda: iter([(TEXTS / name).read_text(encoding="utf-8")])


def _files(*patterns: str) -> Iterator[str]:
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            yield path.read_text(encoding="utf-8")


def _english() -> Iterator[str]:
    yield (TEXTS / "english.txt").read_text(encoding="utf-8")
    topics = pydoc_data.topics.topics
    # What is mostly words, filled as a person would write it.
    for name in sorted(topics):
        paragraphs = [each.replace("\n", " ") for each in topics[name].split("\n\n")]
        yield "\n\n".join([each for each in paragraphs if len(each) > 200 and "   " not in each])


def _python() -> Iterator[str]:
    for name in _MODULES:
        yield (LIBRARY / f"{name}.py").read_text(encoding="utf-8")[:PIECE_CHARS]
    yield from _files("proxy/ledger/*.py", "proxy/wire/*.py")


def _numbered() -> Iterator[str]:
    """Files as a coding agent's tool shows them."""
    for name in _MODULES[:20]:
        text = (LIBRARY / f"{name}.py").read_text(encoding="utf-8")[:PIECE_CHARS]
        yield "\n".join([f"{n:6}\t{line}" for n, line in enumerate(text.splitlines(), 1)])


def _tools() -> Iterator[str]:
    for _ in range(4):
        yield "\n".join([json.dumps(tool, separators=(",", ":")) for tool in tools()])


def tools() -> list[dict[str, object]]:
    """Definitions of tools, as a coding agent has them."""
    path = {"type": "string", "description": "The absolute path of the file"}
    number = {"type": "integer", "minimum": 0, "description": "How many lines to skip"}
    flag = {"type": "boolean", "default": False, "description": "Show what would be done, only"}
    texts = {"type": "array", "items": {"type": "string"}, "maxItems": 100}
    level = {"type": "string", "enum": ["low", "medium", "high"]}
    lines = (TEXTS / "english.txt").read_text(encoding="utf-8").splitlines()
    made: list[dict[str, object]] = []
    for n, (name, fields) in enumerate(
        {
            "Read": {"file_path": path, "offset": number, "limit": number},
            "Write": {"file_path": path, "content": {"type": "string"}},
            "Edit": {"file_path": path, "old_string": texts["items"], "replace_all": flag},
            "Bash": {"command": {"type": "string"}, "timeout_ms": number, "background": flag},
            "Grep": {"pattern": {"type": "string"}, "path": path, "output_mode": level},
            "TodoWrite": {"todos": {"type": "array", "items": {"type": "object",
                "properties": {"content": {"type": "string", "minLength": 1}, "status": level},
                "required": ["content", "status"], "additionalProperties": False}}},
            "WebSearch": {"query": {"type": "string", "minLength": 2}, "allowed_domains": texts},
            "create_invoice": {"customer_id": {"type": "string", "format": "uuid"},
                "due_date": {"type": "string", "format": "date"}, "priority": level,
                "positions": {"type": "array", "items": {"type": "object", "properties": {
                    "title": {"type": "string"}, "net_cents": {"type": "integer"}}}}},
        }.items()
    ):  # fmt: skip
        made.append(
            {
                "name": name,
                "description": "\n".join(lines[n : n + 4]),
                "input_schema": {
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "type": "object",
                    "properties": fields,
                    "required": sorted(fields)[:1],
                    "additionalProperties": False,
                },
            }
        )
    return made


def _records() -> Iterator[str]:
    """JSON as tools answer it, small and spread out."""
    dice = random.Random(7)
    names = ["status", "owner", "region", "last_seen", "retries", "tags", "url", "size_bytes"]
    for indent in (None, 2) * 6:
        rows = [
            {
                "id": f"item_{dice.randrange(10**8):08}",
                "status": dice.choice(["active", "paused", "failed", "pending_review"]),
                "owner": {"email": f"{dice.choice(names)}{n}@example.com", "team": "platform"},
                "region": dice.choice(["eu-central-1", "us-east-1", "ap-southeast-2"]),
                "last_seen": dt.datetime.fromtimestamp(1.7e9 + dice.random() * 1e8, dt.UTC)
                .isoformat(timespec="milliseconds"),
                "retries": dice.randrange(5),
                "latency_ms": round(dice.random() * 300, 3),
                "enabled": dice.random() > 0.5,
                "parent": None,
                "tags": dice.sample(names, 3),
                "url": f"https://example.com/api/v2/items/{n}?expand=owner",
            }
            for n in range(20)
        ]  # fmt: skip
        yield json.dumps({"data": rows, "has_more": True}, indent=indent)


def _arguments() -> Iterator[str]:
    """Inputs of tools: JSON whose strings hold code, escapes and all."""
    for name in _MODULES[:16]:
        text = (LIBRARY / f"{name}.py").read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        yield json.dumps({"file_path": f"/srv/app/lib/{name}.py", "content": "".join(lines[:80])})
        for start in range(90, min(len(lines), 250), 40):
            part = "".join(lines[start : start + 8])
            edit = {"old_string": part, "new_string": part.upper()[:60] + part[60:]}
            yield json.dumps({"file_path": f"/srv/app/lib/{name}.py", **edit}) + "\n"
        yield json.dumps({"command": f"cd /srv/app && grep -rn 'def ' lib/{name}.py | head -20"})


def _terminal() -> Iterator[str]:
    """What commands print: listings, finds with line numbers, test runs, tracebacks."""
    dice = random.Random(11)
    listing = ["total 1284"]
    for path in sorted(LIBRARY.glob("*.py"))[:150]:
        day = f"{dice.choice(['Jan', 'Mar', 'Jul', 'Nov'])} {dice.randrange(1, 29):2}"
        size = path.stat().st_size
        listing.append(f"-rw-r--r-- 1 root root {size:7} {day} 14:{size % 60:02} {path.name}")
    yield "\n".join(listing)
    for name in _MODULES[:8]:
        lines = (LIBRARY / f"{name}.py").read_text(encoding="utf-8").splitlines()
        yield "\n".join([f"lib/{name}.py:{n}:{line}" for n, line in enumerate(lines, 1)
                         if "def " in line or "raise " in line])  # fmt: skip
    tests = [f"tests/test_{name.replace('/', '_')}.py::test_case_{n} PASSED" for name in _MODULES
             for n in range(3)]  # fmt: skip
    share = [f"{line} [{100 * n // len(tests):3}%]" for n, line in enumerate(tests)]
    yield "\n".join(["=" * 27 + " test session starts " + "=" * 27, *share])
    try:
        json.loads('{"a": [1, 2,, 3]}')
    except ValueError:
        yield (traceback.format_exc() + "\n") * 8
    yield "\n".join(
        [f"2026-11-{n % 28 + 1:02}T08:{n % 60:02}:07.{n * 37 % 1000:03}Z INFO gateway request done "
         f"id=req_{hashlib.sha256(bytes([n])).hexdigest()[:20]} status=200 ms={n * 13 % 900}"
         for n in range(100)]
    )  # fmt: skip


def _numbers() -> Iterator[str]:
    """A sheet of figures."""
    dice = random.Random(5)
    for _ in range(6):
        rows = [
            f"{1_700_000_000 + n * 60},{dice.randrange(100_000)},{dice.random() * 1000:.2f},"
            f"{dice.randrange(2_000, 2_030)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}"
            for n in range(120)
        ]
        yield "\n".join(["time,bytes,latency,day", *rows])


def _html() -> Iterator[str]:
    """A page as a browsing tool brings it."""
    lines = (TEXTS / "english.txt").read_text(encoding="utf-8").splitlines()
    rows = [
        f'<tr class="row row-{n % 2}"><td><a href="/orders/{n:05}">Order {n}</a></td>'
        f'<td data-cents="{n * 1995}">{n * 19.95:.2f}</td><td>{line[:40]}</td></tr>'
        for n, line in enumerate(lines)
    ]
    yield (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Orders</title>\n'
        '<link rel="stylesheet" href="/static/main.css?v=8f3a"></head>\n<body>\n<nav><ul>\n'
        + "\n".join([f'  <li class="nav-item"><a href="#{n}">{line[:20]}</a></li>'
                     for n, line in enumerate(lines)])
        + "\n</ul></nav>\n<table>\n" + "\n".join(rows) + "\n</table>\n"
        + "\n".join([f"<p>{line}</p>" for line in lines]) + "\n</body>\n</html>\n"
    )  # fmt: skip


def _digests() -> Iterator[str]:
    """What is random: digests, base64."""
    dice = random.Random(3)
    for _ in range(3):
        yield "\n".join([hashlib.sha256(dice.randbytes(8)).hexdigest() for _ in range(90)])
        yield base64.encodebytes(dice.randbytes(4_000)).decode()


_KINDS: dict[str, Callable[[], Iterator[str]]] = {
    "English prose": _english,
    "Markdown": lambda: _files("*.md", "*/README.md"),
    "Python": _python,
    "Python, numbered lines": _numbered,
    "Go": _own("sample.go.txt"),
    "TypeScript": _own("sample.ts.txt"),
    "SQL and TOML": lambda: _files("proxy/storage/schema/*.sql", "*.toml"),
    "tool definitions": _tools,
    "JSON records": _records,
    "tool inputs": _arguments,
    "terminal": _terminal,
    "figures (CSV)": _numbers,
    "HTML": _html,
    "Chinese": _own("chinese.txt"),
    "Japanese": _own("japanese.txt"),
    "Korean": _own("korean.txt"),
    "German": _own("german.txt"),
    "French": _own("french.txt"),
    "Russian": _own("russian.txt"),
    "digests, base64": _digests,
}


_OTHER_MODULES = (
    *("asyncio/base_events", "asyncio/streams", "codecs", "decimal", "doctest", "email/message"),
    *("enum", "fileinput", "http/client", "logging/__init__", "platform", "queue", "selectors"),
    *("shelve", "socketserver", "ssl", "string", "tempfile", "turtle", "xml/dom/minidom"),
)


def _other_python() -> Iterator[str]:
    for name in _OTHER_MODULES:
        yield (LIBRARY / f"{name}.py").read_text(encoding="utf-8")[: 4 * PIECE_CHARS]


def _other_answers() -> Iterator[str]:
    """What a tree and a schema look like when a tool answers with them."""
    tree = {
        str(path.relative_to(LIBRARY)): {"bytes": path.stat().st_size, "lines": None}
        for path in sorted(LIBRARY.glob("*/*.py"))[:120]
    }
    yield json.dumps(tree, indent=1)
    yield json.dumps([{"path": name, **facts} for name, facts in tree.items()])


_HELD_OUT: dict[str, Callable[[], Iterator[str]]] = {
    "English prose": _own("held_out/english.txt"),
    "Python": _other_python,
    "Go": _own("held_out/sample.go.txt"),
    "TypeScript": _own("held_out/sample.ts.txt"),
    "JSON answers": _other_answers,
    "Chinese": _own("held_out/chinese.txt"),
    "Japanese": _own("held_out/japanese.txt"),
    "Korean": _own("held_out/korean.txt"),
    "German": _own("held_out/german.txt"),
    "French": _own("held_out/french.txt"),
    "Russian": _own("held_out/russian.txt"),
}


def conversation(model: str, turns: int, seed: int = 1) -> dict[str, object]:
    """The request of a coding agent after so many turns: tools, system blocks, tool rounds."""
    dice = random.Random(seed)
    code, english = list(_python()), (TEXTS / "english.txt").read_text(encoding="utf-8")
    lines = english.splitlines()
    terminal = list(_terminal())
    messages: list[dict[str, object]] = [
        {"role": "user", "content": [{"type": "text", "text": dice.choice(lines)}]}
    ]
    for turn in range(turns):
        tool_id = f"toolu_01{hashlib.sha256(bytes([seed % 256, turn % 256])).hexdigest()[:22]}"
        name = dice.choice(_MODULES)
        asked, answered = _round(dice, name, code, terminal)
        messages += [
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": dice.choice(lines)},
                    {"type": "tool_use", "id": tool_id, **asked},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": tool_id, "content": answered},
                ],
            },
        ]
    return {
        "model": model,
        "max_tokens": 32_000,
        "system": [
            {"type": "text", "text": english, "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": (ROOT / "proxy" / "README.md").read_text(encoding="utf-8")},
        ],
        "tools": tools(),
        "messages": messages,
        "stream": True,
    }


def _round(
    dice: random.Random, name: str, code: Sequence[str], terminal: Sequence[str]
) -> tuple[dict[str, object], object]:
    path = f"/srv/app/lib/{name}.py"
    source = dice.choice(code)
    match dice.randrange(3):
        case 0:
            shown = "\n".join([f"{n:6}\t{line}" for n, line in enumerate(source.splitlines(), 1)])
            return {"name": "Read", "input": {"file_path": path}}, shown
        case 1:
            command = {"command": f"cd /srv/app && ls -l lib && grep -n def lib/{name}.py"}
            answer = [{"type": "text", "text": dice.choice(terminal)[:8_000]}]
            return {"name": "Bash", "input": command}, answer
        case _:
            part = source[:400]
            change = {"file_path": path, "old_string": part, "new_string": part + source[400:700]}
            return {"name": "Edit", "input": change}, f"The file {path} has been updated."
