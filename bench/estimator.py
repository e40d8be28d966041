"""How good the token estimate is: estimated over counted tokens, per kind of text, and its speed.

    python -m bench.estimator [--markdown]

The count is that of OpenAI's o200k_base, by an npm package that brings the vocabulary along; it is
installed into `.clients/` on the first run. Whole requests are counted as the texts in them, four
tokens for a message and the definitions of tools as compact JSON, which is about what providers do.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bench.estimator_samples import conversation, held_out, samples
from proxy.wire.body import read_body
from proxy.wire.token_estimate import MESSAGE_TOKENS, estimate_request, estimate_text
from tests.clients import install

HERE = Path(__file__).parent / "tokenizer"
FOLDER = install.CLIENTS / "tokenizer"
COUNT_S_MAX = 300
TURNS = (1, 10, 50, 200)
ROUNDS = 20
AS_THEY_ARE = ("tool definitions", "tool inputs")
"""These are JSON of a request, not texts in it."""


class Measured(NamedTuple):
    """One kind of text. Ratios are estimated over counted: of all, the lowest and the highest of a
    piece, and of all as it stands in JSON."""

    kind: str
    counted: int
    bytes_per_token: float
    ratio: float
    lowest: float
    highest: float
    in_json: float | None


def main() -> int:
    """Print the table; 0 when every kind could be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.estimator", description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="as a table for a README")
    options = parser.parse_args()
    try:
        install_tokenizer()
    except install.InstallFailed as failed:
        print(f"estimator: {failed}", file=sys.stderr)
        return 1
    rows = [
        *measure_texts(samples(), ""),
        *measure_texts(held_out(), " (never fitted to)"),
        *measure_requests(),
    ]
    print(_markdown(rows) if options.markdown else _table(rows))
    print()
    for line in speed():
        print(line)
    return 0


def install_tokenizer() -> None:
    """The npm package, once."""
    wanted = HERE / "package.json"
    stamp = install.stamp_of(wanted)
    if install.is_installed(FOLDER, stamp):
        return
    install.require_npm()
    FOLDER.parent.mkdir(exist_ok=True)
    install.clear(FOLDER)
    shutil.copy(wanted, FOLDER)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    install.watch("the tokenizer", [*npm, "--loglevel=error"], FOLDER, cwd=FOLDER)
    install.seal(FOLDER, stamp)


def counted(texts: Sequence[str]) -> list[int]:
    """Tokens of each text, by o200k_base."""
    done = subprocess.run(
        ["node", HERE / "count_tokens.mjs", FOLDER],
        input=json.dumps(texts).encode(),
        capture_output=True,
        timeout=COUNT_S_MAX,
        check=True,
    )
    counts: list[int] = json.loads(done.stdout)
    return counts


def measure_texts(kinds: Mapping[str, Sequence[str]], remark: str) -> list[Measured]:
    """Every kind of text by itself, as it is and as it stands in JSON."""
    rows = []
    for kind, texts in kinds.items():
        true = counted(texts)
        plain = [estimate_text(text.encode()) for text in texts]
        escaped = [estimate_text(orjson.dumps(text)[1:-1]) for text in texts]
        ratios = [estimate / count for estimate, count in zip(plain, true, strict=True)]
        rows.append(
            Measured(
                kind + remark,
                sum(true),
                sum([len(text.encode()) for text in texts]) / sum(true),
                sum(plain) / sum(true),
                min(ratios),
                max(ratios),
                None if kind in AS_THEY_ARE else sum(escaped) / sum(true),
            )
        )
    return rows


def measure_requests() -> list[Measured]:
    """Whole requests of a coding agent, short and long."""
    rows = []
    for turns in TURNS:
        asked = [conversation("m", turns, seed) for seed in range(4)]
        true = [sum(counted(_texts(request))) + _framing(request) for request in asked]
        raws = [orjson.dumps(request) for request in asked]
        plain = [estimate_request(read_body(raw, needs_max_tokens=True)) for raw in raws]
        ratios = [estimate / count for estimate, count in zip(plain, true, strict=True)]
        sizes = sum(map(len, raws)) / sum(true)
        ratio = sum(plain) / sum(true)
        kind = f"agent, {turns} tool round{'s' if turns > 1 else ''}"
        rows.append(Measured(kind, sum(true), sizes, ratio, min(ratios), max(ratios), None))
    return rows


def _texts(request: dict[str, Any]) -> list[str]:
    """All that a model reads of a request of ours."""
    texts = [block["text"] for block in request["system"]]
    texts += [json.dumps(tool, separators=(",", ":")) for tool in request["tools"]]
    for message in request["messages"]:
        for block in message["content"]:
            match block["type"]:
                case "text":
                    texts.append(block["text"])
                case "tool_use":
                    texts += [block["name"], json.dumps(block["input"], separators=(",", ":"))]
                case "tool_result" if type(block["content"]) is str:
                    texts.append(block["content"])
                case "tool_result":
                    texts += [part["text"] for part in block["content"]]
    return texts


def _framing(request: dict[str, Any]) -> int:
    return MESSAGE_TOKENS * (len(request["messages"]) + 1)


def speed() -> list[str]:
    """Milliseconds for a megabyte."""
    lines = []
    for turns in (10, 200):
        raw = orjson.dumps(conversation("m", turns))
        body = read_body(raw, needs_max_tokens=True)
        taken_s = []
        for _ in range(ROUNDS):
            began_s = time.perf_counter()
            estimate_request(body)
            taken_s.append(time.perf_counter() - began_s)
        best_ms, usual_ms = min(taken_s) * 1e3, statistics.median(taken_s) * 1e3
        megabytes = len(raw) / 1e6
        lines.append(
            f"request of {megabytes:.2f} MB: {usual_ms:.2f} ms, at best {best_ms:.2f} ms"
            f" ({best_ms / megabytes:.2f} ms/MB)"
        )
    return lines


def _cells(row: Measured) -> list[str]:
    in_json = "" if row.in_json is None else f"{row.in_json:.2f}"
    spread = f"{row.lowest:.2f} to {row.highest:.2f}"
    return [row.kind, f"{row.counted:,}", f"{row.bytes_per_token:.2f}", f"{row.ratio:.2f}", spread,
            in_json]  # fmt: skip


_TITLES = ("Text", "tokens", "bytes/token", "estimate/true", "pieces", "in JSON")


def _table(rows: Sequence[Measured]) -> str:
    lines = [_TITLES, *map(_cells, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_TITLES))]
    return "\n".join(
        [
            "  ".join(
                [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
            ).rstrip()
            for line in lines
        ]
    )


def _markdown(rows: Sequence[Measured]) -> str:
    rules = ["---", *["---:"] * (len(_TITLES) - 1)]
    return "\n".join([f"| {' | '.join(line)} |" for line in (_TITLES, rules, *map(_cells, rows))])


if __name__ == "__main__":
    raise SystemExit(main())
