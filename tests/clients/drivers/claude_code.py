"""Drives Claude Code in print mode and prints what it said as one JSON document.

    python claude_code.py PROGRAM [scene ...]

GATEWAY_URL, GATEWAY_URL_SEARCHLESS, GATEWAY_KEY, GATEWAY_KEY_WRONG, GATEWAY_KEY_MAPPED come from
the environment. Every run gets a home and a working directory of its own and an environment made
from nothing, so that neither settings nor credentials of whoever runs the tests get in. Where it
matters how often the client knocked, a witness stands between it and the gateway and writes down
what passes. Standard library only.
"""

import base64
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

URL = os.environ["GATEWAY_URL"]
URL_SEARCHLESS = os.environ["GATEWAY_URL_SEARCHLESS"]
KEY = os.environ["GATEWAY_KEY"]
KEY_WRONG = os.environ["GATEWAY_KEY_WRONG"]
KEY_MAPPED = os.environ["GATEWAY_KEY_MAPPED"]
KIMI = "moonshot.kimi-k2-thinking"
GPT = "gpt-5.2"
CLAUDE_ELSEWHERE = "anthropic.claude-sonnet-4-6"
CLOUDS = os.environ.get("CLIENTS_CLOUDS", "anthropic.claude-opus-4-7").split(",")
RUN_TIME_MAX_S = 60
RUNS_AT_ONCE = 2


def main():
    """Play every scene, or those named; two at a time, for each is mostly start-up work."""
    program, *wanted = sys.argv[1:]
    names = [n for n in SCENES if not wanted or n in wanted]
    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        runs = pool.map(lambda name: play(program, **SCENES[name]), names)
        seen = dict(zip(names, runs, strict=True))
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    json.dump({"version": asked.stdout.strip(), **seen}, sys.stdout)


def play(program, prompt, flags=(), witnessed=False, **environment):
    """One run of the client: its exit code, its messages, and what the witness saw."""
    with tempfile.TemporaryDirectory(prefix="claude-code-") as place:
        home, work = Path(place, "home"), Path(place, "work")
        home.mkdir()
        work.mkdir()
        (work / "dot.png").write_bytes(base64.b64decode(RED_DOT))
        prompt = prompt.replace("{work}", str(work))
        witness = Witness() if witnessed else None
        began = time.monotonic()
        outcome = run(
            # The prompt comes first: --allowedTools would take it for one more tool.
            [program, "-p", prompt, "--output-format", "stream-json", "--verbose", *flags],
            work,
            {
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "TMPDIR": place,
                "LANG": "C.UTF-8",
                "SHELL": "/bin/sh",
                "ANTHROPIC_BASE_URL": witness.url if witness else URL,
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "DISABLE_AUTOUPDATER": "1",
                "DISABLE_TELEMETRY": "1",
                "DISABLE_ERROR_REPORTING": "1",
                **environment,
            },
        )
        outcome["seconds"] = time.monotonic() - began
        outcome["exchanges"] = witness.close() if witness else None
        outcome["discovered"] = discovered(home)
        return outcome


def run(command, work, environment):
    """Run the client to its end, or end it with all it started when its time is up."""
    process = subprocess.Popen(
        command,
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=RUN_TIME_MAX_S)
        timed_out = False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        timed_out = True
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {
        "exit": process.returncode,
        "timed_out": timed_out,
        "stderr": err[-2000:],
        **told(lines),
    }


def told(lines):
    """The parts of the client's own report that the tests look at."""
    result = next((line for line in lines if line["type"] == "result"), {})
    messages = [line["message"] for line in lines if line["type"] == "assistant"]
    results = [
        block
        for line in lines
        if line["type"] == "user" and isinstance(line["message"]["content"], list)
        for block in line["message"]["content"]
        if block["type"] == "tool_result"
    ]
    blocks = [block for message in messages for block in message["content"]]
    return {
        "result": result.get("result"),
        "is_error": result.get("is_error"),
        "subtype": result.get("subtype"),
        "turns": result.get("num_turns"),
        "usage": result.get("usage"),
        "models": sorted({message["model"] for message in messages}),
        "blocks": [block["type"] for block in blocks],
        "tools": [block["name"] for block in blocks if block["type"] == "tool_use"],
        "searches": [
            line["tool_use_result"]
            for line in lines
            if line["type"] == "user" and "searchCount" in (line.get("tool_use_result") or ())
        ],
        "tool_results": [block.get("content") for block in results],
        "model_asked": next(
            (line.get("model") for line in lines if line["type"] == "system"), None
        ),
        "retries": [line for line in lines if line.get("subtype") == "api_retry"],
    }


def discovered(home):
    """The models of the gateway that the client has put into its cache."""
    cache = home / ".claude" / "cache" / "gateway-models.json"
    return json.loads(cache.read_text())["models"] if cache.exists() else None


class Witness:
    """Passes every request on to the gateway and remembers it; replies are relayed as they come."""

    def __init__(self):
        self._seen = []
        gateway = urlsplit(URL)
        seen = self._seen

        class Passage(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.pass_on()

            def do_GET(self):
                self.pass_on()

            def do_HEAD(self):
                self.pass_on()

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                inner = http.client.HTTPConnection(gateway.netloc, timeout=RUN_TIME_MAX_S)
                try:
                    headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                    inner.request(self.command, self.path, body or None, headers)
                    reply = inner.getresponse()
                    seen.append(self.note(body, reply.status))
                    self.relay(reply)
                finally:
                    inner.close()

            def note(self, body, status):
                asked = json.loads(body) if body else {}
                return {
                    "method": self.command,
                    "path": self.path,
                    "status": status,
                    "credentials": [n for n in ("authorization", "x-api-key") if n in self.headers],
                    "version": self.headers.get("anthropic-version"),
                    "model": asked.get("model"),
                    "stream": asked.get("stream", False),
                }

            def relay(self, reply):
                self.send_response_only(reply.status)
                for name, value in reply.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "keep-alive"):
                        self.send_header(name, value)
                self.send_header("connection", "close")
                self.end_headers()
                self.close_connection = True
                while piece := reply.read1(65536):
                    self.wfile.write(piece)
                    self.wfile.flush()

            def log_message(self, *_):
                """Nothing: standard output is the document."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Passage)
        self.url = f"http://127.0.0.1:{self._server.server_port}{gateway.path}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        """Stop listening; what passed by."""
        self._server.shutdown()
        self._server.server_close()
        return self._seen


BASH = 'CALL:Bash:{"command":"echo hi-from-bash-$((40+2))","description":"Say hi"} END'
TOKEN = {"ANTHROPIC_AUTH_TOKEN": KEY}

SEARCH = 'CALL:WebSearch:{"query":"the moon"} END'
READ = 'CALL:Read:{"file_path":"{work}/dot.png"} END'
TWICE = f'{BASH} CALL:Bash:{{"command":"echo hi-again-$((40+3))","description":"Say hi"}} END'
WEATHER = 'CALL:StructuredOutput:{"city":"Rome","degrees":3} END'
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
AGENT = (
    'CALL:Agent:{"description":"Greet","prompt":"Say hello.","subagent_type":"general-purpose"} END'
)
RED_DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL"
    "0Y4OHwAAAABJRU5ErkJggg=="
)

SCENES = {
    "auth_token": {"prompt": "Say hello.", **TOKEN},
    "api_key": {"prompt": "Say hello.", "ANTHROPIC_API_KEY": KEY, "witnessed": True},
    "both_token_good": {
        "prompt": "Say hello.",
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_API_KEY": KEY_WRONG,
        "witnessed": True,
    },
    "api_key_helper": {
        "prompt": "Say hello.",
        "flags": ("--settings", json.dumps({"apiKeyHelper": f"echo {KEY}"})),
        "witnessed": True,
    },
    "tool_round": {"prompt": BASH, "flags": ("--allowedTools", "Bash"), **TOKEN},
    "opus": {
        "prompt": "Say hello.",
        "flags": ("--model", "opus"),
        "witnessed": True,
        **TOKEN,
    },
    "thinking": {"prompt": "THINK about it.", "flags": ("--model", "opus"), **TOKEN},
    "product_id": {
        "prompt": "Say hello.",
        "flags": ("--model", "anthropic.claude-haiku-4-5"),
        **TOKEN,
    },
    "other_vendor": {
        "prompt": "Say hello.",
        "flags": ("--model", "moonshot.kimi-k2-thinking"),
        **TOKEN,
    },
    "kimi_tools": {
        "prompt": TWICE,
        "flags": ("--allowedTools", "Bash", "--model", KIMI),
        **TOKEN,
    },
    "mapped_tools": {
        "prompt": TWICE,
        "flags": ("--allowedTools", "Bash", "--model", "haiku"),
        "witnessed": True,
        "ANTHROPIC_AUTH_TOKEN": KEY_MAPPED,
    },
    "gpt_tools": {
        "prompt": TWICE,
        "flags": ("--allowedTools", "Bash", "--model", GPT),
        **TOKEN,
    },
    **{
        f"cloud_tools {model}": {
            "prompt": f"THINK {TWICE}",
            "flags": ("--allowedTools", "Bash", "--model", model),
            "witnessed": True,
            **TOKEN,
        }
        for model in CLOUDS
    },
    "gpt_image": {"prompt": READ, "flags": ("--model", GPT), **TOKEN},
    "kimi_image": {"prompt": READ, "flags": ("--model", KIMI), **TOKEN},
    "kimi_cut_short": {
        "prompt": "PAUSE 0.2 TRUNCATE",
        "flags": ("--model", KIMI),
        "witnessed": True,
        **TOKEN,
    },
    "kimi_structured": {
        "prompt": WEATHER,
        "flags": ("--model", KIMI, "--json-schema", json.dumps(SCHEMA)),
        **TOKEN,
    },
    "kimi_agent": {
        "prompt": AGENT,
        "flags": ("--allowedTools", "Agent", "--model", KIMI),
        "witnessed": True,
        **TOKEN,
    },
    "kimi_too_long": {
        "prompt": "WINDOW 10",
        "flags": ("--model", KIMI),
        "witnessed": True,
        **TOKEN,
    },
    "gpt_cut_short": {
        "prompt": "PAUSE 0.2 TRUNCATE",
        "flags": ("--model", GPT),
        "witnessed": True,
        **TOKEN,
    },
    "kimi_search": {
        "prompt": SEARCH,
        "flags": ("--allowedTools", "WebSearch", "--model", KIMI),
        "witnessed": True,
        **TOKEN,
    },
    "claude_search": {
        "prompt": SEARCH,
        "flags": ("--allowedTools", "WebSearch", "--model", CLAUDE_ELSEWHERE),
        "witnessed": True,
        **TOKEN,
    },
    "no_search": {
        "prompt": SEARCH,
        "flags": ("--allowedTools", "WebSearch", "--model", KIMI),
        "ANTHROPIC_BASE_URL": URL_SEARCHLESS,
        **TOKEN,
    },
    "search_in_trouble": {
        "prompt": SEARCH.replace("the moon", "UNSUCCESSFUL moon"),
        "flags": ("--allowedTools", "WebSearch", "--model", KIMI),
        **TOKEN,
    },
    "silence": {"prompt": "SLOW 5 PAUSE 3", **TOKEN},
    "discovery": {
        "prompt": "Say hello.",
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "witnessed": True,
        **TOKEN,
    },
    "wrong_key": {
        "prompt": "Say hello.",
        "ANTHROPIC_AUTH_TOKEN": KEY_WRONG,
        "witnessed": True,
    },
    "unknown_model": {
        "prompt": "Say hello.",
        "flags": ("--model", "no-such-model"),
        "witnessed": True,
        **TOKEN,
    },
    "in_stream_error": {"prompt": "PAUSE 0.2 ERRORMID", "witnessed": True, **TOKEN},
    "refused_400": {"prompt": "ERROR 400", "witnessed": True, **TOKEN},
}


if __name__ == "__main__":
    main()
