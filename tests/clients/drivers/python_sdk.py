"""Drives one version of the Python `anthropic` SDK and prints what it saw as one JSON document.

Run with that SDK's folder on PYTHONPATH and the environment `python_client.py` tells of. Each scene
writes down what an application would see; judging is the tests' work. One scene that fails
unexpectedly is recorded as such and does not stop the others. Scenes of models on the OpenAI wire
stand in `python_foreign.py`, of web searches in `python_search.py`, of Claude on other clouds in
`python_cloud.py`.
"""

import asyncio
import json
import sys
import time
import traceback

import anthropic
import python_cloud
import python_foreign
import python_search
from python_client import (
    HAIKU,
    IS_NEW,
    KEY,
    KEY_WRONG,
    KIMI,
    OPUS,
    OSLO,
    PAUSE,
    ROME,
    SILENCE,
    URL,
    WEATHER,
    Answer,
    Wire,
    ask,
    client_of,
    raised,
    said,
    tool_round,
)


def scene_text():
    wire = Wire()
    message = client_of(wire).messages.create(**ask("Say hello."))
    return {**said(message), "exchange": wire.exchanges[0]}


def scene_stream_helper():
    wire = Wire()
    with client_of(wire).messages.stream(**ask("Say hello.")) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    return {**said(message), "pieces": pieces, "exchange": wire.exchanges[0]}


def scene_stream_raw():
    events = list(client_of().messages.create(**ask("Say hello."), stream=True))
    deltas = [e.usage for e in events if e.type == "message_delta"]
    return {
        "types": [e.type for e in events],
        "model": events[0].message.model,
        "input_tokens_first": events[0].message.usage.input_tokens,
        "output_tokens_last": deltas[-1].output_tokens,
    }


def scene_stream_long():
    with client_of().messages.stream(**ask("LONG 400", max_tokens=4096)) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    return {
        **said(message),
        "pieces": len(pieces),
        "characters": len("".join(pieces)),
    }


def scene_silence():
    """A provider that lets one wait, first for its first byte and then in the middle."""
    client = client_of()
    began = time.monotonic()
    with client.messages.stream(**ask(SILENCE)) as stream:
        opened_s = time.monotonic() - began
        message = stream.get_final_message()
    bare = client.messages.with_streaming_response.create(**ask(SILENCE), stream=True)
    with bare as response:
        lines = [
            line.removeprefix("event: ") for line in response.iter_lines() if "event: " in line
        ]
    refused = raised(
        lambda: list(
            client_of(max_retries=0).messages.create(**ask("SLOW 5 ERROR 529"), stream=True)
        )
    )
    return {**said(message), "opened_s": opened_s, "events": lines, "refused": refused}


def scene_asynchronous():
    async def talk():
        async with anthropic.AsyncAnthropic(base_url=URL, api_key=KEY) as client:
            plain, streamed = await asyncio.gather(
                client.messages.create(**ask("Say hello.")), stream(client)
            )
            listed = [m.id async for m in client.models.list(limit=2)]
        return {"plain": said(plain), "streamed": said(streamed), "listed": listed}

    async def stream(client):
        async with client.messages.stream(**ask("Say hello.")) as stream:
            return await stream.get_final_message()

    return asyncio.run(talk())


def scene_model_names():
    names = {
        "exact": OPUS,
        "alias": "opus",
        "native": "claude-opus-5-5",
        "native_dated": "claude-haiku-4-5-20251001",
        "long_context": "claude-sonnet-5-5[1m]",
        "other_vendor": KIMI,
    }
    seen = {}
    for way, name in names.items():
        wire = Wire()
        client = client_of(wire)
        message = client.messages.create(**ask("Say hello.", model=name))
        with client.messages.stream(**ask("Say hello.", model=name)) as stream:
            streamed = stream.get_final_message().model
        seen[way] = {
            "asked": name,
            "model": message.model,
            "streamed": streamed,
            "requested_model": wire.exchanges[0]["requested_model"],
            "resolved_via": wire.exchanges[0]["resolved_via"],
        }
    return seen


def scene_count_tokens():
    client = client_of()
    messages = [{"role": "user", "content": "How long is this?"}]
    short = client.messages.count_tokens(model=HAIKU, messages=messages)
    tools = client.messages.count_tokens(model=HAIKU, messages=messages, tools=[WEATHER])
    beta = client.beta.messages.count_tokens(model="haiku", messages=messages)
    return {
        "short": short.input_tokens,
        "with_tools": tools.input_tokens,
        "beta_alias": beta.input_tokens,
        "request_id": short._request_id,
    }


def scene_models():
    wire = Wire()
    client = client_of(wire)
    pages = [m.id for m in client.models.list(limit=2)]
    requests = [e["path"] for e in wire.exchanges]
    whole = client.models.list(limit=1000)
    first = whole.data[0]
    one = client.models.retrieve(HAIKU)
    return {
        "paged": pages,
        "requests": requests,
        "whole": [m.id for m in whole.data],
        "has_more": whole.has_more,
        "first": first.to_dict(mode="json"),
        "one": one.to_dict(mode="json"),
        "alias": client.models.retrieve("opus").id,
        "unknown": raised(lambda: client.models.retrieve("no-such-model")),
        "slash": raised(lambda: client.models.retrieve("vertex_ai/claude")),
        "slash_path": wire.exchanges[-1]["path"],
    }


def scene_tool_round():
    return {"plain": tool_round(HAIKU, streamed=False), "streamed": tool_round(HAIKU)}


def scene_thinking():
    client = client_of()
    asked = ask("THINK about it.", model=OPUS, thinking={"type": "adaptive"})
    with client.messages.stream(**asked) as stream:
        kinds = [e.delta.type for e in stream if e.type == "content_block_delta"]
        streamed = stream.get_final_message()
    plain = client.messages.create(**asked)
    asked["messages"] += [
        {"role": "assistant", "content": plain.content},
        {"role": "user", "content": "And now?"},
    ]
    return {
        "streamed": said(streamed),
        "deltas": sorted(set(kinds)),
        "plain": said(plain),
        "next": said(client.messages.create(**asked)),
    }


def scene_wide_request():
    """Fields only an Anthropic upstream needs to understand must arrive there, not be refused."""
    client = client_of()
    message = client.beta.messages.create(
        **ask([{"type": "text", "text": "Say hello.", "cache_control": {"type": "ephemeral"}}]),
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        metadata={"user_id": "u" * 200},
        stop_sequences=["\n\nEND"],
        betas=["context-management-2025-06-27"],
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        extra_body={"a_field_of_the_future": {"deep": [1, 2.50, None]}},
        extra_headers={"anthropic-beta": "context-management-2025-06-27,unknown-2031-01-01"},
    )
    return said(message)


def scene_temperature():
    """The old API version takes sampling parameters; the new one knows them no more."""
    if IS_NEW:
        return {"skipped": "2026-10-21 has no temperature"}
    return said(client_of().messages.create(**ask("Say hello.", temperature=0.3, top_p=0.9)))


def scene_structured():
    client = client_of()
    message = client.messages.parse(**ask("The weather, please."), output_format=Answer)
    return {"parsed": message.parsed_output.model_dump(), **said(message)}


def scene_tool_runner():
    wire = Wire()
    ran = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city.

        Args:
            city: Its name.
        """
        ran.append(city)
        return f"{city}: 21 degrees"

    def run(**more):
        runner = client_of(wire).beta.messages.tool_runner(
            **ask(f"{ROME} {OSLO}"), tools=[get_weather], **more
        )
        return runner

    message = run().until_done()
    plain, wire.exchanges = wire.exchanges, []
    streamed = None
    for turn in run(stream=True):
        streamed = turn.get_final_message()
    return {
        "last": said(message),
        "ran": ran,
        "exchanges": plain,
        "streamed": said(streamed),
        "streamed_exchanges": wire.exchanges,
    }


def scene_credentials():
    def through(**options):
        wire = Wire()
        client = client_of(wire, **options)
        message = client.messages.create(**ask("Say hello."))
        return {"text": said(message)["text"], "credentials": wire.exchanges[0]["credentials"]}

    return {
        "api_key": through(api_key=KEY),
        "auth_token": through(auth_token=KEY, api_key=None),
        "both_equal": through(
            api_key=KEY,
            default_headers={"X-Api-Key": KEY, "Authorization": f"Bearer {KEY}"},
        ),
        "only_bearer_good": through(
            api_key=KEY,
            default_headers={"X-Api-Key": KEY_WRONG, "Authorization": f"Bearer {KEY}"},
        ),
        "only_x_api_key_good": through(
            api_key=KEY,
            default_headers={"X-Api-Key": KEY, "Authorization": f"bearer {KEY_WRONG}"},
        ),
    }


def scene_spellings():
    """Paths the SDK's own methods do not use, and base URLs as people type them."""
    client = client_of()
    body = ask("Say hello.")

    def post(path, body):
        return client.post(path, body=body, cast_to=dict[str, object])

    count = {"model": HAIKU, "messages": body["messages"]}
    twice = client_of(base_url=f"{URL}/v1")
    return {
        "messages": post("/messages", body),
        "messages_query": post("/v1/messages?beta=true", body),
        "count": post("/messages/count_tokens", count),
        "models": client.get("/models", cast_to=dict[str, object]),
        "model": client.get(f"/models/{HAIKU}", cast_to=dict[str, object]),
        "slash_ended": said(client_of(base_url=f"{URL}/").messages.create(**ask("Say hello.")))[
            "text"
        ],
        "v1_twice": said(twice.messages.create(**ask("Say hello.")))["text"],
    }


def scene_request_id():
    wire = Wire()
    message = client_of(wire).messages.create(
        **ask("Say hello."), extra_headers={"X-Request-ID": "drive-me_42"}
    )
    refusal = raised(
        lambda: client_of().messages.create(
            **ask("Say hello.", model="no-such-model"),
            extra_headers={"X-Request-ID": "drive-me_43"},
        )
    )
    return {"message": message._request_id, "exchange": wire.exchanges[0], "refusal": refusal}


def scene_errors():
    def fail(text="Say hello.", client=None, **more):
        wire = Wire()
        maker = client or {}
        target = client_of(wire, **maker)
        return raised(lambda: target.messages.create(**{**ask(text), **more}), wire)

    def fail_streaming(text):
        def run():
            with client_of(max_retries=0).messages.stream(**ask(text)) as stream:
                heard.extend(stream.text_stream)  # keeps what came before a failure

        heard = []
        return {**raised(run), "heard": "".join(heard)}

    once = {"max_retries": 0}
    return {
        "wrong_key": fail(client={"api_key": KEY_WRONG}),
        "wrong_key_models": raised(lambda: client_of(api_key=KEY_WRONG).models.list()),
        "unknown_model": fail(model="no-such-model"),
        "unknown_path": raised(lambda: client_of().get("/v1/files", cast_to=dict[str, object])),
        "no_messages": fail(messages=[]),
        "messages_no_list": fail(messages="hello"),
        "upstream_400": fail("ERROR 400"),
        "upstream_401": fail("ERROR 401"),
        "upstream_402": fail("ERROR 402"),
        "upstream_403": fail("ERROR 403"),
        "upstream_404": fail("ERROR 404"),
        "upstream_413": fail("ERROR 413"),
        "upstream_429": fail("ERROR 429", once),
        "upstream_500": fail("ERROR 500", once),
        "upstream_503": fail("ERROR 503", once),
        "upstream_529": fail("ERROR 529", once),
        "upstream_529_streaming": fail_streaming("ERROR 529"),
        "upstream_429_retried": fail("ERROR 429", {"max_retries": 1}),
        "in_stream": fail_streaming(f"{PAUSE} ERRORMID"),
        "broken_off": fail_streaming(f"{PAUSE} BREAK"),
    }


def main():
    """Play every scene, or those named on the command line; print the document."""
    seen = {"version": anthropic.__version__}
    wanted = sys.argv[1:]
    everything = [globals(), vars(python_foreign), vars(python_search), vars(python_cloud)]
    for name, scene in [item for names in everything for item in names.items()]:
        if not name.startswith("scene_") or (wanted and name.removeprefix("scene_") not in wanted):
            continue
        try:
            seen[name.removeprefix("scene_")] = scene()
        except Exception as error:  # noqa: BLE001  the tests judge; the other scenes go on
            trace = traceback.format_exc()
            seen[name.removeprefix("scene_")] = {"failed": repr(error), "trace": trace}
    json.dump(seen, sys.stdout, default=repr)


if __name__ == "__main__":
    main()
