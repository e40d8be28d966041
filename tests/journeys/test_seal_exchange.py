"""The secret of seals is exchanged: conversations go on, and one whose secret is given up does so
with less (translation.md 3.5, 9.7)."""

import pytest

from tests.kit.journey import ask
from tests.kit.turns import (
    CHAT,
    COMPAT,
    KIMI,
    QUICK,
    TOOL,
    Stage,
    kinds,
    read,
    search,
    stage,
    text,
    thought,
)

WIRES = pytest.mark.parametrize("wire", (CHAT, COMPAT))
THINKS = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}
HIDDEN = {
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
    "max_tokens": 4000,
}
QUESTION = {"role": "user", "content": "How is the tide?"}


def sealed_with(folder, now: str = "", before: str = "") -> str:
    """Settings behind those of `[upstream]`."""
    lines = [QUICK, "[sealing]"]
    for name, secret in (("secret", now), ("former_secret", before)):
        if secret:
            (folder / secret).write_text(f"{secret} and many more random letters")
            lines.append(f'{name} = "file:{folder / secret}"')
    return "\n".join(lines)


async def searched(on: Stage, **thinks) -> list[dict]:
    on.plays(
        on.turn(thought("A dark thought."), text("I look."), search("tides")),
        on.turn(thought("So."), text("High. [[1]] Really.")),
    )
    body = ask(KIMI, tools=[TOOL], messages=[QUESTION], **thinks)
    said = read(await on.here.post(body))
    answer = {"role": "assistant", "content": said["content"]}
    return [QUESTION, answer, {"role": "user", "content": "Go on."}]


@WIRES
@pytest.mark.parametrize("thinks", (THINKS, HIDDEN), ids=("shown", "hidden"))
@pytest.mark.parametrize("secrets", [("", "one"), ("one", "two")], ids=("first", "later"))
async def test_a_conversation_goes_on_as_if_nothing_was_exchanged(tmp_path, wire, thinks, secrets):
    old, new = secrets
    async with stage(tmp_path, wire, upstream=sealed_with(tmp_path, old)) as on:
        messages = await searched(on, **thinks)
        seen = on.sent(1)["messages"]
    async with stage(tmp_path, wire, upstream=sealed_with(tmp_path, new, old)) as on:
        on.plays(on.turn(text("Low. [[2]]"), search("moon", "call_9")), on.turn(text("Full.")))
        said = read(await on.here.post(ask(KIMI, tools=[TOOL], messages=messages, **thinks)))
        assert said["content"][0]["citations"][0]["url"] == "https://site2.example.org/tides"
        assert on.sent(0)["messages"][: len(seen)] == seen
        now = said["content"][2]["content"][0]["encrypted_content"]
        before = messages[1]["content"][3]["content"][0]["encrypted_content"]
        assert now[:11] != before[:11], "sealed with the new one"


@WIRES
@pytest.mark.parametrize("thinks", (THINKS, HIDDEN), ids=("shown", "hidden"))
async def test_what_was_sealed_with_a_secret_given_up_is_known_by_title(tmp_path, wire, thinks):
    async with stage(tmp_path, wire, upstream=sealed_with(tmp_path, "one")) as on:
        messages = await searched(on, **thinks)
    async with stage(tmp_path, wire, upstream=sealed_with(tmp_path, "three", "two")) as on:
        on.plays(on.turn(text("Well.")))
        said = read(await on.here.post(ask(KIMI, tools=[TOOL], messages=messages, **thinks)))
        assert kinds(said) == ["text"]
        sent = str(on.sent(0)["messages"])
        assert "https://site1.example.org/tides" in sent and "I look." in sent
        assert "GWc1." not in sent and "[[1]]" not in sent
        assert "What page 1 says" not in sent
        if wire == CHAT:
            assert "A dark thought." not in sent and "GWs1." not in sent


@WIRES
async def test_an_altered_result_is_refused_whichever_secret_sealed_it(tmp_path, wire):
    async with stage(tmp_path, wire, upstream=sealed_with(tmp_path, "one")) as on:
        messages = await searched(on)
    results = [b for b in messages[1]["content"] if b["type"] == "web_search_tool_result"]
    hit = results[0]["content"][0]
    hit["encrypted_content"] = hit["encrypted_content"][:-4] + "AAAA"
    async with stage(tmp_path, wire, upstream=sealed_with(tmp_path, "two", "one")) as on:
        reply = await on.here.post(ask(KIMI, tools=[TOOL], messages=messages))
        assert reply.status == 400
        assert "encrypted_content" in reply.error["message"]
        assert not on.there.asked
