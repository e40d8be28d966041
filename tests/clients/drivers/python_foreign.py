"""Scenes of models on the OpenAI wire: the SDK must not be able to tell them from Claude."""

import uuid

from python_client import (
    GPT,
    IS_NEW,
    KIMI,
    OPUS,
    OSLO,
    PAUSE,
    ROME,
    WEATHER,
    Answer,
    Wire,
    ask,
    client_of,
    raised,
    results_of,
    said,
    sent,
    tool_round,
    turn,
    usual_client,
)

FOREIGN = (KIMI, GPT)
THINKING = {"type": "adaptive"}
RED_DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL"
    "0Y4OHwAAAABJRU5ErkJggg=="
)


def mark():
    """A word that finds this scene's requests in the provider's log."""
    return f"mark-{uuid.uuid4().hex}"


def scene_foreign_text():
    def run(model):
        asked = ask("Say hello.", model=model)
        events = list(usual_client().messages.create(**asked, stream=True))
        return {
            "plain": said(turn(asked, streamed=False)),
            "streamed": said(turn(asked)),
            "types": [event.type for event in events],
        }

    return {model: run(model) for model in FOREIGN}


def scene_foreign_wide_request():
    """What clients send to Claude as a matter of course and no other server knows."""

    def run(model):
        more = {} if IS_NEW else {"temperature": 0.3, "top_k": 5}
        message = usual_client().beta.messages.create(
            **ask(
                [{"type": "text", "text": "Say hello.", "cache_control": {"type": "ephemeral"}}],
                model=model,
                **more,
            ),
            system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            metadata={"user_id": "u" * 200},
            betas=["context-management-2025-06-27"],
            context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            extra_body={"a_field_of_the_future": {"deep": [1, 2.50, None]}},
        )
        return said(message)

    return {model: run(model) for model in FOREIGN}


def scene_foreign_tool_round():
    def run(model):
        return {
            "plain": tool_round(model, streamed=False),
            "streamed": tool_round(model),
            "thinking": tool_round(model, thinking=THINKING),
        }

    return {model: run(model) for model in FOREIGN}


def scene_foreign_thinking():
    """Thinking that is shown, thinking that is not, and what the model gets back of either."""

    def run(display):
        marked = mark()
        thinking = THINKING if display is None else {**THINKING, "display": display}
        asked = ask(f"{marked} {ROME}", model=KIMI, thinking=thinking, tools=[WEATHER])
        plain = turn(asked, streamed=False)
        streamed = turn(asked)
        asked["messages"] += [
            {"role": "assistant", "content": streamed.content},
            {"role": "user", "content": results_of(streamed)},
        ]
        following = turn(asked)
        last = sent(marked)[-1]
        return {
            "plain": said(plain),
            "streamed": said(streamed),
            "next": said(following),
            "sent_back": [m for m in last["messages"] if m["role"] == "assistant"],
        }

    return {"shown": run(None), "omitted": run("omitted")}


def scene_foreign_image():
    image = {"type": "base64", "media_type": "image/png", "data": RED_DOT}
    marked = mark()
    content = [{"type": "text", "text": marked}, {"type": "image", "source": image}]
    message = turn(ask(content, model=GPT))
    refused = raised(lambda: turn(ask(content, model=KIMI), streamed=False))
    # The same where a tool has taken the picture.
    asked = ask(f"{marked} {ROME}", model=GPT, tools=[WEATHER])
    first = turn(asked)
    results = [{**r, "content": [{"type": "image", "source": image}]} for r in results_of(first)]
    asked["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    seen = {model: said(turn({**asked, "model": model})) for model in FOREIGN}
    return {
        "data": RED_DOT,
        "message": said(message),
        "refused": refused,
        "from_tool": seen,
        "sent": [body["messages"] for body in sent(marked)],
    }


def scene_foreign_structured():
    def run(model):
        client = usual_client()
        asked = ask("The weather, please.", model=model)
        message = client.messages.parse(**asked, output_format=Answer)
        with client.messages.stream(**asked, output_format=Answer) as stream:
            streamed = stream.get_final_message()
        return {
            "parsed": message.parsed_output.model_dump(),
            "streamed": streamed.parsed_output.model_dump(),
            **said(message),
        }

    return {model: run(model) for model in FOREIGN}


def scene_foreign_count_tokens():
    def run(model):
        wire = Wire()
        client = client_of(wire)
        messages = [{"role": "user", "content": "How long is this?"}]
        short = client.messages.count_tokens(model=model, messages=messages)
        tools = client.messages.count_tokens(model=model, messages=messages, tools=[WEATHER])
        return {
            "short": short.input_tokens,
            "with_tools": tools.input_tokens,
            "worth": [exchange["count"] for exchange in wire.exchanges],
        }

    return {model: run(model) for model in FOREIGN}


def scene_foreign_stop_sequences():
    def run(model):
        asked = ask("Say hello.", model=model, stop_sequences=["Every word", "only a small", "nö"])
        return {"plain": said(turn(asked, streamed=False)), "streamed": said(turn(asked))}

    return {model: run(model) for model in FOREIGN}


def scene_foreign_travel():
    """A conversation that begins with Kimi, goes on with Claude, Kimi again, GPT, and Claude."""
    marked = mark()
    messages = [{"role": "user", "content": f"{marked} {ROME} {OSLO}"}]
    turns = []

    def go_on(model, streamed):
        asked = ask("", model=model, thinking=THINKING, tools=[WEATHER], messages=messages)
        answer = turn(asked, streamed=streamed)
        messages.append({"role": "assistant", "content": answer.content})
        turns.append(said(answer))
        return answer

    for at, model in enumerate((KIMI, OPUS, KIMI, GPT, OPUS)):
        if at:
            messages.append({"role": "user", "content": f"THINK about it. {ROME} {OSLO}"})
        answer = go_on(model, streamed=True)
        messages.append({"role": "user", "content": results_of(answer)})
        go_on(model, streamed=False)
        messages.append({"role": "user", "content": "THINK about it."})
        go_on(model, streamed=True)
    return {"turns": turns, "sent": sent(marked)}


def scene_foreign_errors():
    def fail(text, model, **more):
        wire = Wire()
        client = client_of(wire, max_retries=0)
        return raised(lambda: client.messages.create(**ask(text, model=model, **more)), wire)

    hasty = client_of(max_retries=0)

    def fail_streaming(text, model):
        def run():
            with hasty.messages.stream(**ask(text, model=model)) as stream:
                heard.extend(stream.text_stream)

        heard = []
        return {**raised(run), "heard": "".join(heard)}

    return {
        "too_long": {model: fail("WINDOW 10", model) for model in FOREIGN},
        "busy": {model: fail("ERROR 429", model) for model in FOREIGN},
        "key": {model: fail("ERROR 401", model) for model in FOREIGN},
        "refused_streaming": {model: fail_streaming("ERROR 429", model) for model in FOREIGN},
        "in_stream": fail_streaming(f"{PAUSE} ERRORMID", KIMI),
        "broken_off": fail_streaming(f"{PAUSE} BREAK", GPT),
        "cut_short": fail_streaming(f"{PAUSE} TRUNCATE", KIMI),
    }
