"""Calls beside the hot path: bounded in time and size, led nowhere they must not go, silent about
keys."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from proxy.upstream.side_calls import (
    CallFailed,
    NotPublic,
    SideCalls,
    SideLimits,
    SideReply,
    TimedOut,
    TooLarge,
    Unreachable,
)
from tests.kit.rude_upstream import (
    CLOSE,
    RESET,
    STALL,
    Certificate,
    Dribble,
    Pause,
    RudeUpstream,
    Script,
    answer,
    chunked,
    head,
    rude_upstream,
    until_eof,
)
from tests.upstream.test_guarded_names import ScriptedNames

KEY = "fc-not-to-be-seen"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
BODY = b'{"query":"tide tables"}'
OK = answer(b'{"success":true}', "Content-Type: application/json", "X-Two: a", "x-two: b")
LIMITS = SideLimits(connect_timeout_s=2.0, idle_connection_timeout_s=30.0, trust_env_proxies=False)

Opened = Callable[..., SideCalls]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Makes clients that are closed in the end."""
    made: list[SideCalls] = []

    def make(*configured: str, limits: SideLimits = LIMITS, **more: Any) -> SideCalls:
        calls = SideCalls(limits, configured=configured, **more)
        made.append(calls)
        return calls

    yield make
    for each in made:
        await each.close()


def post(
    calls: SideCalls, base: str, *, timeout_s: float = 5.0, bytes_max: int = 1000
) -> Coroutine[Any, Any, SideReply]:
    return calls.post(f"{base}/v2/search", HEADERS, BODY, timeout_s=timeout_s, bytes_max=bytes_max)


async def refused(asking: Coroutine[Any, Any, SideReply], kind: type[CallFailed]) -> str:
    """The words of the failure; the key is in none of them."""
    with pytest.raises(kind) as caught:
        await asking
    assert type(caught.value) is kind
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for words in (str(caught.value), repr(caught.value), repr(vars(caught.value))):
        assert KEY not in words
    return str(caught.value)


async def test_what_is_sent_and_what_comes_back(opened: Opened) -> None:
    async with rude_upstream([OK]) as upstream:
        reply = await post(opened(upstream.base_url), upstream.base_url)
        asked = upstream.requests[0]
    assert reply.status == 200
    assert reply.headers[b"content-type"] == b"application/json"
    assert reply.headers[b"x-two"] == b"b"
    assert reply.body == b'{"success":true}'
    assert asked.line == b"POST /v2/search HTTP/1.1"
    assert asked.body == BODY
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["user-agent"] == "hatz-messages-gateway"
    assert asked.headers["content-length"] == str(len(BODY))


async def test_reading_sends_no_body(opened: Opened) -> None:
    async with rude_upstream([OK]) as upstream:
        calls = opened(upstream.base_url)
        reply = await calls.get(f"{upstream.base_url}/keys", HEADERS, timeout_s=5.0, bytes_max=1000)
        asked = upstream.requests[0]
    assert (reply.status, reply.body) == (200, b'{"success":true}')
    assert asked.line == b"GET /keys HTTP/1.1" and asked.body == b""


async def test_a_place_inside_is_led_to_once_it_is_admitted(opened: Opened) -> None:
    async with rude_upstream([OK]) as upstream:
        calls = opened()
        await refused(post(calls, upstream.base_url), NotPublic)
        calls.admit(f"{upstream.base_url}/v2/anything")
        assert (await post(calls, upstream.base_url)).status == 200
        assert upstream.accepted == 1
    with pytest.raises(ValueError, match="not an http"):
        calls.admit("ftp://inside.example/")


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 400, 402, 404, 429, 500, 503])
async def test_every_status_is_an_answer_and_no_redirect_is_followed(
    opened: Opened, status: int
) -> None:
    async with rude_upstream([OK]) as elsewhere:
        body = b"" if status == 204 else b"words"
        said = answer(body, f"Location: {elsewhere.base_url}/inside", status=status)
        async with rude_upstream([said]) as upstream:
            reply = await post(opened(upstream.base_url, elsewhere.base_url), upstream.base_url)
            assert len(upstream.requests) == 1
        assert elsewhere.accepted == 0
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers[b"location"].endswith(b"/inside")


async def test_nothing_is_opened_before_the_first_call(opened: Opened) -> None:
    async with rude_upstream([OK]) as upstream:
        calls = opened(upstream.base_url)
        assert not calls.is_open
        await post(calls, upstream.base_url)
        assert calls.is_open
        await calls.close()
        assert not calls.is_open
        await upstream.until(lambda: upstream.hung_up == 1)


async def test_a_connection_serves_again_and_no_cookie_is_kept(opened: Opened) -> None:
    said = answer(b"{}", "Set-Cookie: session=1")
    async with rude_upstream([said]) as upstream:
        calls = opened(upstream.base_url)
        for _ in range(3):
            await post(calls, upstream.base_url)
        assert upstream.accepted == 1
        assert all("cookie" not in each.headers for each in upstream.requests)


async def test_no_netrc_is_read(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "netrc"
    path.write_text("default login somebody password theirs\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    limits = SideLimits(connect_timeout_s=2.0, idle_connection_timeout_s=30.0)
    async with rude_upstream([OK]) as upstream:
        await post(opened(upstream.base_url, limits=limits), upstream.base_url)
        assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"


# ------------------------------------------------------------------ size


@pytest.mark.parametrize(
    "script",
    [
        [answer(b"x" * 1000)],
        [chunked(b"x" * 400, b"x" * 600)],
        [until_eof(b"x" * 1000), CLOSE],
        [head("Content-Length: 1000"), Dribble(b"x" * 1000)],
        [answer(gzip.compress(b"x" * 1000), "Content-Encoding: gzip")],
    ],
    ids=["length", "chunks", "to the end", "dribbled", "gzip"],
)
async def test_a_body_of_just_the_cap_is_read_however_it_comes(
    opened: Opened, script: Script
) -> None:
    async with rude_upstream(script) as upstream:
        reply = await post(opened(upstream.base_url), upstream.base_url, bytes_max=1000)
    assert reply.body == b"x" * 1000


@pytest.mark.parametrize(
    "script",
    [
        [head("Content-Length: 1000000000"), b"x" * 1001, STALL],
        [chunked(b"x" * 1001)[:-5], STALL],
        [until_eof(b"x" * 1001), STALL],
        [answer(gzip.compress(b"x" * 50_000_000), "Content-Encoding: gzip")],
    ],
    ids=["length", "chunks", "to the end", "bomb"],
)
async def test_a_body_beyond_the_cap_is_not_read_on(opened: Opened, script: Script) -> None:
    async with rude_upstream(script) as upstream:
        words = await refused(
            post(opened(upstream.base_url), upstream.base_url, bytes_max=1000), TooLarge
        )
        assert words == f"127.0.0.1:{upstream.port}: more than 1000 bytes"
        await upstream.until(lambda: upstream.hung_up == 1)


# ------------------------------------------------------------------ time


@pytest.mark.parametrize(
    "script",
    [
        [STALL],
        [b"HTTP/1.1 200 OK\r\nConte", STALL],
        [head("Content-Length: 5"), b"he", STALL],
        [head("Content-Length: 100"), *[step for _ in range(100) for step in (b"x", Pause(0.05))]],
    ],
    ids=["no answer", "half a head", "half a body", "too slow"],
)
async def test_what_is_not_whole_in_time_is_left(opened: Opened, script: Script) -> None:
    async with rude_upstream(script) as upstream:
        calls = opened(upstream.base_url)
        words = await refused(post(calls, upstream.base_url, timeout_s=0.2), TimedOut)
        assert words == f"127.0.0.1:{upstream.port}: no whole reply in time"
        await upstream.until(lambda: upstream.hung_up == 1)


async def test_a_connection_that_does_not_come_about_ends_earlier_than_the_call(
    opened: Opened,
) -> None:
    limits = SideLimits(connect_timeout_s=0.2, idle_connection_timeout_s=30.0)
    # It takes the connection and never says a word of TLS.
    async with rude_upstream(on_connect=[STALL]) as upstream:
        base = f"https://127.0.0.1:{upstream.port}"
        began = asyncio.get_running_loop().time()
        await refused(post(opened(base, limits=limits), base, timeout_s=20), TimedOut)
        assert asyncio.get_running_loop().time() - began < 5


async def test_cancelling_a_call_closes_its_connection(opened: Opened) -> None:
    for script in ([STALL], [head("Content-Length: 5"), b"he", STALL]):
        async with rude_upstream(script) as upstream:
            calls = opened(upstream.base_url)
            task = asyncio.create_task(post(calls, upstream.base_url))
            await upstream.until(lambda upstream=upstream: upstream.requests)  # type: ignore[misc]
            await asyncio.sleep(0.02)  # into the body, where there is one
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await upstream.until(lambda upstream=upstream: upstream.hung_up == 1)  # type: ignore[misc]


async def test_closing_ends_calls_under_way_and_no_later_one_begins(opened: Opened) -> None:
    async with rude_upstream([STALL]) as upstream:
        calls = opened(upstream.base_url)
        task = asyncio.create_task(post(calls, upstream.base_url))
        await upstream.until(lambda: upstream.requests)
        await calls.close()
        with pytest.raises(Unreachable):
            await task
        await refused(post(calls, upstream.base_url), Unreachable)
        await calls.close()
        assert upstream.accepted == 1


# ------------------------------------------------------------------ what breaks


@pytest.mark.parametrize(
    "script",
    [
        [RESET],
        [CLOSE],
        [head("Content-Length: 5"), b"he", CLOSE],
        [head("Content-Length: 5"), b"he", RESET],
        [chunked(b"hello")[:-5], CLOSE],
        [b"SSH-2.0-OpenSSH_9.6\r\n", CLOSE],
        [head("Content-Length: -5"), CLOSE],
        [head("Content-Length: 5", "Content-Encoding: gzip"), b"plain", CLOSE],
        [head("X-Long: " + "x" * 20_000), CLOSE],
    ],
)
async def test_a_reply_that_breaks_is_told_as_such(opened: Opened, script: Script) -> None:
    async with rude_upstream(script) as upstream:
        await refused(post(opened(upstream.base_url), upstream.base_url), Unreachable)
        await upstream.until(lambda: upstream.hung_up == 1)


async def test_nobody_there(opened: Opened) -> None:
    async with rude_upstream() as upstream:
        base = upstream.base_url
    words = await refused(post(opened(base), base), Unreachable)
    assert "refused" in words.lower() or "connect" in words.lower()


async def test_a_name_nobody_has(opened: Opened) -> None:
    base = "http://nobody.invalid"
    await refused(post(opened(base), base), Unreachable)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "no address", "http://", "http://a:99999/", "http://a:b/"]
)
async def test_what_is_no_address_is_never_asked(opened: Opened, url: str) -> None:
    await refused(post(opened(), url), Unreachable)


async def test_a_header_that_cannot_be_written_is_not_quoted(opened: Opened) -> None:
    async with rude_upstream([OK]) as upstream:
        calls = opened(upstream.base_url)
        headers = {"Authorization": f"Bearer {KEY}\r\nX: y"}
        asking = calls.post(upstream.base_url, headers, BODY, timeout_s=1, bytes_max=10)
        await refused(asking, Unreachable)


async def test_nothing_is_logged(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    async with rude_upstream([OK], [RESET]) as upstream:
        calls = opened(upstream.base_url)
        await post(calls, upstream.base_url)
        await refused(post(calls, upstream.base_url), Unreachable)
    said = [each for each in caplog.records if each.name != "asyncio"]
    assert said == []
    assert KEY not in caplog.text


# ------------------------------------------------------------------ TLS


async def test_a_certificate_nobody_trusts(opened: Opened, certificate: Certificate) -> None:
    async with rude_upstream([OK], tls=certificate.server_context()) as upstream:
        words = await refused(post(opened(upstream.base_url), upstream.base_url), Unreachable)
        assert "certificate" in words
        assert upstream.requests == []


async def test_the_operators_own_authority_is_trusted(
    opened: Opened, certificate: Certificate
) -> None:
    limits = SideLimits(
        connect_timeout_s=2.0, idle_connection_timeout_s=30.0, ca_file=str(certificate.path)
    )
    async with rude_upstream([OK], tls=certificate.server_context()) as upstream:
        calls = opened(upstream.base_url, limits=limits)
        replies = await asyncio.gather(*[post(calls, upstream.base_url) for _ in range(3)])
        assert [each.status for each in replies] == [200, 200, 200]
        await post(calls, upstream.base_url)
        assert upstream.accepted <= 3


async def test_an_authority_file_that_is_not_there(opened: Opened) -> None:
    limits = SideLimits(
        connect_timeout_s=2.0, idle_connection_timeout_s=30.0, ca_file="no/such/file.pem"
    )
    base = "https://127.0.0.1:1"
    assert "FileNotFoundError" in await refused(
        post(opened(base, limits=limits), base), Unreachable
    )


# ------------------------------------------------------------------ where to


async def untouched(upstream: RudeUpstream) -> bool:
    await asyncio.sleep(0.02)
    return upstream.accepted == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
async def test_no_call_goes_inside_unless_configured(opened: Opened, host: str) -> None:
    async with rude_upstream([OK]) as upstream:
        base = f"http://{host}:{upstream.port}"
        await refused(post(opened(), base), NotPublic)
        await refused(post(opened(f"http://{host}:{upstream.port + 1}"), base), NotPublic)
        assert await untouched(upstream)


@pytest.mark.parametrize(
    "base",
    [
        "http://[::1]:9",
        "http://[::ffff:127.0.0.1]:9",
        "http://[fe80::1]:9",
        "http://169.254.169.254",
        "https://10.0.0.1",
        "http://100.64.0.1",
        "http://0.0.0.0:9",
        "http://224.0.0.1",
    ],
)
async def test_addresses_of_the_inside_are_not_even_tried(opened: Opened, base: str) -> None:
    words = await refused(post(opened("https://search.example"), base), NotPublic)
    assert "not on the public internet" in words


async def test_a_configured_name_may_live_inside(opened: Opened) -> None:
    async with rude_upstream([OK]) as upstream:
        base = f"http://Search.Example:{upstream.port}"
        names = ScriptedNames(["127.0.0.1"])
        assert (await post(opened(base, names=names), base)).status == 200
        assert names.asked == [("search.example", upstream.port)]
        assert upstream.requests[0].headers["host"] == f"search.example:{upstream.port}"


async def test_another_name_that_leads_inside_does_not_get_there(opened: Opened) -> None:
    async with rude_upstream([OK]) as upstream:
        base = f"http://rebinding.example:{upstream.port}"
        for addresses in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]):
            calls = opened("https://search.example", names=ScriptedNames(addresses))
            words = await refused(post(calls, base), NotPublic)
            assert "rebinding.example is not on the public internet" in words
        assert await untouched(upstream)


# ------------------------------------------------------------------ through a proxy

BY_PROXY = SideLimits(connect_timeout_s=2.0, idle_connection_timeout_s=30.0)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


async def test_a_proxy_of_the_environment_is_gone_through(
    opened: Opened, no_proxy: pytest.MonkeyPatch
) -> None:
    async with rude_upstream([OK]) as proxy:
        # By name: the proxy itself is where the operator said, inside or not.
        no_proxy.setenv("HTTP_PROXY", f"http://me:secret@localhost:{proxy.port}")
        base = "http://search.example:3002"
        calls = opened(base, limits=BY_PROXY)
        for _ in range(2):
            assert (await post(calls, base)).status == 200
        for asked in proxy.requests:
            assert asked.line == b"POST http://search.example:3002/v2/search HTTP/1.1"
            assert asked.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
            assert asked.headers["authorization"] == f"Bearer {KEY}"


async def test_tls_goes_through_a_tunnel_that_learns_no_key(
    opened: Opened, no_proxy: pytest.MonkeyPatch
) -> None:
    async with rude_upstream([answer(b"", status=407)]) as proxy:
        no_proxy.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
        base = "https://search.example"
        words = await refused(post(opened(base, limits=BY_PROXY), base), Unreachable)
        assert words == "search.example: the proxy answered 407"
        asked = proxy.requests[0]
        assert asked.line == b"CONNECT search.example:443 HTTP/1.1"
        assert asked.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
        assert "authorization" not in asked.headers


async def test_what_is_not_configured_is_not_asked_of_a_proxy(
    opened: Opened, no_proxy: pytest.MonkeyPatch
) -> None:
    async with rude_upstream([OK]) as proxy:
        no_proxy.setenv("HTTP_PROXY", proxy.base_url)
        no_proxy.setenv("NO_PROXY", "outside.example")
        calls = opened("http://search.example", limits=BY_PROXY)
        await post(calls, "http://search.example")
        await refused(post(calls, "http://inside.example"), NotPublic)
        # Nor may the proxy be called as if it were the search service.
        await refused(post(calls, proxy.base_url), NotPublic)
        assert len(proxy.requests) == 1


async def test_the_environment_counts_only_if_the_operator_says_so(
    opened: Opened, no_proxy: pytest.MonkeyPatch
) -> None:
    async with rude_upstream([OK]) as proxy, rude_upstream([OK]) as upstream:
        no_proxy.setenv("HTTP_PROXY", proxy.base_url)
        base = f"http://search.example:{upstream.port}"
        calls = opened(base, names=ScriptedNames(["127.0.0.1"]))
        assert (await post(calls, base)).status == 200
        assert proxy.accepted == 0


async def test_a_proxy_that_is_not_http_is_told(
    opened: Opened, no_proxy: pytest.MonkeyPatch
) -> None:
    no_proxy.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    base = "http://search.example"
    await refused(post(opened(base, limits=BY_PROXY), base), Unreachable)
