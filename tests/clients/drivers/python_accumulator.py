"""Folds streams with the official Python SDK's own code.

    python python_accumulator.py FILE

FILE is a JSON list of streams as text. Each is served to a client of the SDK by a transport that
answers from memory, so that everything it does to a real stream is done here: reading events,
folding them, raising what ends in an error. Prints what became of each: `message`, or `raised`.
"""

import json
import sys
from pathlib import Path

import anthropic

try:  # the newest SDKs bring a client of their own
    import httpx2 as httpx
except ImportError:
    import httpx


def main():
    """Fold every stream of the file."""
    streams = json.loads(Path(sys.argv[1]).read_text())
    waiting = iter(streams)

    def answer(request):
        headers = {"content-type": "text/event-stream", "request-id": "req_1"}
        return httpx.Response(200, headers=headers, content=next(waiting).encode())

    client = anthropic.Anthropic(
        base_url="http://gateway.example",
        api_key="key",
        max_retries=0,
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    told = [folded(client) for _ in streams]
    json.dump({"version": anthropic.__version__, "told": told}, sys.stdout)


def folded(client):
    """What an application gets out of one stream."""
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    try:
        with client.messages.stream(**asked) as stream:
            message = stream.get_final_message()
    except anthropic.APIError as error:
        return {"raised": type(error).__name__, "body": error.body}
    except Exception as error:  # noqa: BLE001  whatever it is, the application would get it
        return {"broken": repr(error)}
    whole = message.to_dict()
    for block in whole["content"]:
        block.pop("__json_buf", None)  # where old versions keep the arguments so far
    return {"message": whole}


if __name__ == "__main__":
    main()
