"""Claude on Google Cloud: Anthropic's own events behind Google's paths, tokens and errors.

The answer is Anthropic's to the byte, so it runs through the same pipes. The request is written by
`vertex_body.py`; which betas go with it, `vertex_betas.py` says; what was refused within the hour
is left out. One instance for each deployment: each learns for itself.
"""

from collections.abc import Callable, Iterable, Mapping

from proxy.domain.call import COUNT, Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.providers.anthropic import Anthropic
from proxy.providers.compat_lessons import CompatLessons, is_left_out
from proxy.providers.credential import Credential
from proxy.providers.vertex_betas import (
    SCOPE_BETA,
    SEARCH_BETA,
    TOOL_SEARCH_BETA,
    accepted_betas,
)
from proxy.providers.vertex_blocks import are_marked, searches
from proxy.providers.vertex_body import Setting, count_fields, message_fields, pieces_of
from proxy.providers.vertex_faults import google_fault
from proxy.providers.vertex_lessons import named
from proxy.providers.vertex_place import count_path, model_path
from proxy.wire.artefacts import bears_artefacts, without_artefacts
from proxy.wire.body import Body
from proxy.wire.google_error import read_google_error
from proxy.wire.http import Origin, Piece


class Vertex(Anthropic):
    """One deployment: a model of a project in a region."""

    counts = True
    translates = False

    def __init__(
        self,
        name: str,
        origin: Origin,
        prefix: str,
        *,
        project: str,
        region: str,
        model: str,
        credential: Credential,
        betas: Iterable[str] = (),
        event_bytes_max: int,
        without_searches: Callable[[Call, Body], Body],
    ) -> None:
        """`prefix` is the API's version, `/v1`; `betas` are more that are known to work there."""
        super().__init__(
            name,
            origin,
            prefix,
            credential=None,
            event_bytes_max=event_bytes_max,
            without_searches=without_searches,
        )
        self.credential = credential
        self._region = region
        self._betas = tuple(betas)
        self._lessons = CompatLessons(named)
        fixed = (
            f" HTTP/1.1\r\nhost: {origin.authority}\r\ncontent-type: application/json\r\n"
            "accept: application/json\r\naccept-encoding: identity\r\n"
            "user-agent: hatz-messages-gateway\r\n"
        )
        self._whole_head, self._stream_head, self._count_head = [
            f"POST {prefix}{path}{fixed}".encode("ascii")
            for path in (
                model_path(project, region, model, streamed=False),
                model_path(project, region, model, streamed=True),
                count_path(project, region),
            )
        ]

    def __repr__(self) -> str:
        return f"Vertex({self.name!r}, {self.origin.authority!r})"

    def request(self, call: Call, body: Body, upstream_model: str) -> list[Piece]:
        """The client's request as Google Cloud takes it, without a token: the credential adds
        that."""
        headers = call.arrival.headers
        left_out = self._lessons.left_out(call.arrival.received_ms / 1000)
        is_count = call.arrival.errand is COUNT
        # A count goes without betas: which of them are taken there is another question yet.
        betas = [] if is_count else accepted_betas(headers, self._betas)
        betas = [beta for beta in betas if not is_left_out(beta, left_out)]
        tools = body.fields.get("tools")
        marked = tools is not None and are_marked(tools)
        if tools is not None and marked and searches(tools):
            if is_count:
                raise self._uncountable()
            if SEARCH_BETA not in betas:
                betas.append(SEARCH_BETA)  # Google asks for it, Anthropic itself does not
        setting = Setting(
            region=self._region,
            left_out=left_out,
            tool_search=TOOL_SEARCH_BETA in betas,
            scoped=SCOPE_BETA in headers.get(b"anthropic-beta", b""),
            marked_tools=marked,
        )
        if is_count:
            head = self._count_head
            fields = count_fields(call, body, upstream_model, setting)
        else:
            if bears_artefacts(body):
                body = self._without_searches(call, without_artefacts(body))
            head = self._stream_head if call.streamed else self._whole_head
            fields = message_fields(call, body, setting)
        pieces = pieces_of(fields)
        line = b"anthropic-beta: %b\r\n" % ",".join(betas).encode("latin-1") if betas else b""
        rest = b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
            line,
            call.onward,
            call.arrival.request_id.encode(),
            sum(map(len, pieces)),
        )
        return [head + rest, *pieces]

    def fault(
        self, call: Call, status: int, headers: Mapping[bytes, bytes], body: bytes, now_s: float
    ) -> Fault:
        """Google's refusals are worded anew, the model's keep their words."""
        error = read_google_error(body)
        if error is None:
            return super().fault(call, status, headers, body, now_s)
        return google_fault(
            self.name, error, status=status, headers=headers, call=call, now_s=now_s
        )

    def learn(self, status: int, body: bytes, now_s: float) -> str:
        """A beta, a hint or a dialect that is not known there, left out from now on."""
        return self._lessons.learn(status, body, now_s)

    def learned(self, now_s: float) -> tuple[str, ...]:
        """What is left out at present."""
        return self._lessons.learned(now_s)

    def _uncountable(self) -> Fault:
        return Fault(
            Kind.UPSTREAM_BROKEN,
            "The model provider does not count requests that may search the web.",
            detail=f"provider {self.name}: no search tool where tokens are counted",
            source=Source.UPSTREAM,
        )
