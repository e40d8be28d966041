"""Scripts of the shelves of web search, played: text in, text out."""

import re
from typing import Any

import msgspec

from proxy.domain.fault import Fault
from proxy.web_search.citations import citation_json
from proxy.web_search.citing import BLOCKS, MARKS
from proxy.web_search.firecrawl import SearchOptions, SearchRequest, search_request
from proxy.web_search.firecrawl_reply import read_search_reply
from proxy.web_search.history import Retelling
from proxy.web_search.hit import Failed, Found, Hit, Outcome, Sources
from proxy.web_search.loop import Bounds, Dangling, SearchLoop
from proxy.web_search.markers import Break, Citation, MarkSplitter, Words
from proxy.web_search.native_history import without_our_searches
from proxy.web_search.orders import Ask, End, Order, Search, ShowCall, ShowResult
from proxy.web_search.past_results import PastResults
from proxy.web_search.query import query_of_words
from proxy.web_search.search_ids import CallIds, search_id
from proxy.web_search.tokens import Index, SearchSeal
from proxy.web_search.tool import SearchTool, read_wish
from proxy.web_search.when_off import refuse_if_off

SEAL = SearchSeal([b"the secret of now", b"the secret of before"])
OLD_SEAL = SearchSeal([b"the secret of before"])
GONE_SEAL = SearchSeal([b"a secret given up"])
TENANT = "tenant_1"
NOW_S = 1_795_000_000
MESSAGE_ID = "msg_gw_0123456789abcdefghijkl"
HITS = {
    1: Hit("https://moon.example/phases", "Moon phases", "The moon is full tonight.", None, 1),
    2: Hit("https://sky.example/", "Sky", "Stars are out. Clouds at dawn.", "May 1, 2026", 2),
    3: Hit("https://sun.example/", "Sun", "", None, 3),
}
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def tidy(raw: bytes) -> str:
    """JSON in lines."""
    return msgspec.json.format(raw, indent=2).decode() + "\n"


# ------------------------------------------------------------ search_tool


def tool(given: str) -> str:
    """A request's top level as a wish."""
    heads, body = _heads(given)
    try:
        wish = read_wish(_FIELDS.decode(body), counting=heads.get("counting") == "yes")
        if wish is not None and "off" in heads:
            refuse_if_off(wish, msgspec.convert(heads["off"], Any))
    except Fault as fault:
        return f"{fault.status} {fault.error_type}: {fault.message}\n"
    return tidy(msgspec.json.encode(wish))


def read_tool(raw: str) -> SearchTool:
    """A search tool out of its JSON."""
    wish = read_wish(_FIELDS.decode(b'{"tools":[%b]}' % raw.encode()))
    assert wish is not None
    return wish.tool


# ------------------------------------------------------------ search_loop


def loop(given: str) -> str:
    """Events, each with its orders."""
    heads, script = _heads(given)
    most = heads.get("max uses")
    player = SearchLoop(
        MESSAGE_ID,
        Bounds(
            deadline_s=float(heads.get("deadline", 100)),
            max_uses=int(most) if most else None,
            rounds_max=int(heads.get("rounds", 10)),
            enabled=heads.get("enabled") != "no",
        ),
        Sources(),
        forced=query_of_words(heads["forced"]) if "forced" in heads else None,
        has_client_tools=heads.get("client tools") == "yes",
    )
    said: list[str] = []
    shown: list[str] = []
    for line in script.splitlines():
        clock, _, event = line.partition("s ")
        said.append(f">> {event}")
        orders = _happen(player, event, float(clock), shown)
        shown += [order.id for order in orders if isinstance(order, ShowCall)]
        said += [f"<< {_order(order)}" for order in orders]
    said.append(
        f"{player.state.value}: {player.uses} uses, {player.searches} searches, "
        f"{player.credits} credits"
    )
    return "\n".join(said) + "\n"


def _happen(player: SearchLoop, event: str, now_s: float, shown: list[str]) -> list[Order]:
    name, _, rest = event.partition(" ")
    match name:
        case "begin":
            left = [Dangling(*_pair(item)) for item in rest.split(" | ")] if rest else []
            return player.begin(left, now_s)
        case "called" | "cut":
            call_id, arguments = _pair(rest)
            return player.called(call_id, arguments, now_s, cut_off=name == "cut")
        case "found":
            which, _, what = rest.partition(" ")
            search = shown[int(which)] if which in map(str, range(len(shown))) else which
            return player.found(search, _outcome(what), now_s)
        case "ended":
            reason, _, more = rest.partition(" ")
            return player.round_ended(reason, now_s, client_calls=bool(more))
        case "pause":
            return player.pause()
    assert name == "failed", event
    player.failed()
    return []


def _pair(item: str) -> tuple[str, bytes]:
    first, _, second = item.partition(" ")
    return first, second.encode()


def _outcome(what: str) -> Outcome:
    if not what.startswith("pages"):
        return Failed(msgspec.convert(what, Any))
    titles = what.split()[1:]
    hits = [Hit(f"https://{title.lower()}.example/", title) for title in titles]
    return Found(tuple(hits), credits=2)


def _order(order: Order) -> str:
    match order:
        case ShowCall():
            return f"show call {_short(order.id)} {order.arguments.decode()}"
        case Search():
            return f"search {_short(order.id)} for {order.timeout_s:g} s: {order.query}"
        case ShowResult():
            return f"show result {_short(order.id)} {_answer(order.answer)}"
        case Ask():
            calls = [
                f"{_called(call.id)} as {_short(call.id)}: {_answer(call.answer)}"
                for call in order.answered
            ]
            return f"ask, choice {order.choice}" + "".join([f"; {call}" for call in calls])
        case End():
            return f"end {order.stop_reason}"


def _answer(answer: tuple[Hit, ...] | str) -> str:
    if isinstance(answer, str):
        return answer
    return "pages" + "".join([f" [[{hit.number}]] {hit.title}" for hit in answer])


def _called(search: str) -> str:
    told = CallIds().of(search)
    return "-" if told == search else told


def _short(search: str) -> str:
    for count in range(40):
        if search.startswith(search_id(MESSAGE_ID, count)):
            return str(count)
    return search


# ------------------------------------------------------------ search_request, search_reply


def request(given: str) -> str:
    """A query to the search service."""
    heads, query = _heads(given)
    made = search_request(
        query.removesuffix("\n"),
        read_tool(heads["tool"]),
        msgspec.json.decode(heads.get("options", "{}"), type=SearchOptions),
    )
    if not isinstance(made, SearchRequest):
        return f"{made.code}\n"
    return f"POST {made.path.decode()}\n{tidy(made.body)}"


def reply(given: str) -> str:
    """What the search service answers."""
    heads, rest = _heads(given)
    head, _, body = rest.partition("\n\n")
    status, *lines = head.split("\n")
    outcome = read_search_reply(
        int(status),
        {name.encode(): value.encode() for name, _, value in [x.partition(": ") for x in lines]},
        body.removesuffix("\n").encode(),
        read_tool(heads.get("tool", '{"type":"web_search_20250305","name":"web_search"}')),
        msgspec.json.decode(heads.get("options", "{}"), type=SearchOptions),
        now_s=NOW_S,
    )
    return tidy(msgspec.json.encode(outcome))


# ------------------------------------------------------------ search_history, search_marks


def history(given: str) -> str:
    """A conversation, told to a model."""
    heads, messages = _heads(given)
    raw = msgspec.Raw(_filled(messages).encode())
    sources = Sources()
    past = PastResults(TENANT, SEAL, sources, counting=heads.get("counting") == "yes")
    try:
        if heads["wire"] == "native":
            told = without_our_searches(raw, past)
        else:
            retelling = Retelling(
                raw,
                past,
                citing=MARKS if heads["wire"] == "chat" else BLOCKS,
                off=heads.get("off") == "yes",
            )
            left = {"srvtoolu_left": sources.number([Hit("https://new.example/", "New")])}
            told = retelling.retell(left)
    except Fault as fault:
        return f"{fault.status} {fault.error_type}: {fault.message}\n"
    if told == bytes(raw):
        return "as it is\n"
    return tidy(told)


def _filled(messages: str) -> str:
    def token(found: "re.Match[str]") -> str:
        kind, number, whose = found[1], int(found[2]), found[3]
        seal = {"old": OLD_SEAL, "gone": GONE_SEAL}.get(whose, SEAL)
        tenant = "tenant_2" if whose == "foreign" else TENANT
        if kind == "hit":
            made = seal.seal_hit(tenant, HITS[number], NOW_S)
        else:
            made = seal.seal_index(tenant, Index(number, f"[[{number}]]"))
        if whose == "altered":
            made = made[:-3] + ("AAA" if not made.endswith("AAA") else "BBB")
        return made

    return re.sub(r"\$\{(hit|index) (\d)(?:, (\w+))?\}", token, messages)


def marks(given: str) -> str:
    """A model's words, and what becomes of its marks."""
    sources = Sources()
    for hit in HITS.values():
        sources.note(hit)
    splitter = MarkSplitter(sources)
    said: list[str] = []
    for line in given.splitlines():
        pieces = splitter.close() if line == "(closed)" else splitter.feed(line.encode())
        said += [_piece(piece) for piece in pieces]
    said += [_piece(piece) for piece in splitter.close()]
    return "\n".join(said) + "\n"


def _piece(piece: Words | Citation | Break) -> str:
    match piece:
        case Words():
            return f"words |{piece.inside.decode()}|"
        case Break():
            return "break"
        case Citation():
            quoted = msgspec.json.decode(citation_json(piece, SEAL, TENANT))["cited_text"]
            return f"cite {piece.hit.number} |{piece.span}| for |{piece.claim}|: {quoted}"


def _heads(given: str) -> tuple[dict[str, str], str]:
    """Lines `name: value` in front, and the rest."""
    heads: dict[str, str] = {}
    while (found := re.match(r"([a-z][a-z ]*): (.*)\n", given)) is not None:
        heads[found[1]] = found[2]
        given = given[found.end() :]
    return heads, given
