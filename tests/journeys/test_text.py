"""The main walk: a message goes out, its stream comes back."""

from tests.kit.journey import (
    TEXT,
    ask,
    gateway,
    provider,
    renamed,
)


async def test_a_stream_comes_back_byte_for_byte_but_for_the_models_name(tmp_path):
    async with provider() as there, gateway(tmp_path, [there]) as here:
        reply = await here.post(ask("haiku"))
        assert reply.status == 200 and reply.whole
        assert reply.body == renamed(TEXT)
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["x-hatz-requested-model"] == "haiku"
        assert reply.headers["x-hatz-resolved-via"] == "alias"
        assert here.open_streams == 0
