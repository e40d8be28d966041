"""Scenes of web searches that the gateway makes: to the SDK they are Anthropic's own."""

import uuid

from python_client import CLAUDE_ELSEWHERE, GPT, KIMI, URL_SEARCHLESS, ask, client_of, raised, sent
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
