"""Scenes of web searches that the gateway makes: to the SDK they are Anthropic's own."""

import uuid

from python_client import (
    CLAUDE_ELSEWHERE,
    GPT,
    KIMI,
    OPUS,
    ROME,
    URL_SEARCHLESS,
    WEATHER,
    ask,
    client_of,
    raised,
    results_of,
    sent,
)
from python_client import turn as turn_of

MODELS = (KIMI, GPT, CLAUDE_ELSEWHERE)
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
MOON = 'Look it up: CALL:web_search:{"query":"the moon"} END'
SUN = 'Look it up: CALL:web_search:{"query":"the sun"} END'


def told(message):
    """All of a message, and what the SDK takes its parts for."""
    return {
        **message.model_dump(mode="json", exclude_unset=True),
        "classes": [type(block).__name__ for block in message.content],
        "classes_of_citations": sorted(
            {
                type(citation).__name__
                for block in message.content
                for citation in getattr(block, "citations", None) or ()
            }
        ),
    }


def scene_search():
    """Three turns; what the assistant said goes back as the SDK has it."""

    def run(model):
        marked = f"mark-{uuid.uuid4().hex}"
        asked = ask(f"{marked} {MOON}", model=model, tools=[SEARCH])
        first = turn_of(asked, streamed=False)
        with client_of().messages.stream(**asked) as stream:
            events = [event.type for event in stream]
            streamed = stream.get_final_message()
        asked["messages"] += [
            {"role": "assistant", "content": streamed.content},
            {"role": "user", "content": SUN},
        ]
        second = turn_of(asked)
        asked["messages"] += [
            {"role": "assistant", "content": second.content},
            {"role": "user", "content": "Thank you."},
        ]
        third = turn_of(asked, streamed=False)
        return {
            "plain": told(first),
            "streamed": told(streamed),
            "events": events,
            "second": told(second),
            "third": told(third),
            "sent": sent(marked),
        }

    return {model: run(model) for model in MODELS}


def scene_search_beside_a_tool():
    """A search and a tool of the client's in one turn, and the turn after the tool's result."""

    def run(model):
        asked = ask(f"{ROME} {MOON}", model=model, tools=[SEARCH, WEATHER])
        first = turn_of(asked)
        plain = turn_of(asked, streamed=False)
        asked["messages"] += [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": results_of(first)},
        ]
        second = turn_of(asked)
        return {"streamed": told(first), "plain": told(plain), "second": told(second)}

    return {model: run(model) for model in MODELS}


def scene_search_travel():
    """What one model has found goes with the conversation to others, whatever the tool's version;
    OPUS searches by itself, and knows nothing of our seals."""
    marked = f"mark-{uuid.uuid4().hex}"
    versions = ("web_search_20250305", "web_search_20260209", "web_search_20260318")
    messages = [{"role": "user", "content": f"{marked} {MOON}"}]
    turns = []
    for at, model in enumerate((KIMI, CLAUDE_ELSEWHERE, OPUS, GPT, KIMI)):
        search = {"type": versions[at % 3], "name": "web_search"}
        answer = turn_of(ask("", model=model, tools=[search], messages=messages))
        turns.append(told(answer))
        messages.append({"role": "assistant", "content": answer.content})
        messages.append({"role": "user", "content": SUN if at == 0 else "Thank you."})
    return {"turns": turns, "sent": sent(marked)}


def scene_search_in_trouble():
    """A search that fails, and one that finds nothing."""

    def run(query):
        asked = ask(f'CALL:web_search:{{"query":"{query}"}} END', model=KIMI, tools=[SEARCH])
        return {"plain": told(turn_of(asked, streamed=False)), "streamed": told(turn_of(asked))}

    return {"failing": run("UNSUCCESSFUL moon"), "nothing": run("NOTHING")}


def scene_search_off():
    client = client_of(base_url=URL_SEARCHLESS, max_retries=0)

    def run(model):
        asked = ask(MOON, model=model, tools=[SEARCH])
        return raised(lambda: client.messages.create(**asked))

    return {model: run(model) for model in MODELS}
