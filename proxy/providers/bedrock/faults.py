"""A refusal of Bedrock's: status, headers and body in, a Fault out (translation.md 7.2)."""

import re
from collections.abc import Mapping

from proxy.domain.call import COUNT, Call
from proxy.domain.fault import Fault, Kind, Source
from proxy.providers.bedrock.counting import counts_never
from proxy.providers.openai_chat.faults import PATIENCE_S
from proxy.wire.aws_fault import exception_name, read_aws_fault
from proxy.wire.retry_after import wait_of

_WAITING = (Kind.RATE_LIMITED, Kind.OVERLOADED)
_WRONG_TERMS = re.compile(
    r"guardrail (?:identifier|version).{0,80}(?:not exist|invalid)"
    r"|(?:latency|performance ?config\w*|service ?tier)\b.{0,80}not (?:supported|available)",
    re.I,
)
"""What the operator has set, and no client can mend."""
_LACKS = re.compile(
    r"on-demand throughput|model identifier is invalid|end of its life|use case details", re.I
)
"""Words of a refusal that is about the deployment: another one of the model may serve it."""
_ACCOUNT = re.compile(r"(arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:)\d{12}")


def bedrock_fault(
    provider: str,
    status: int,
    headers: Mapping[bytes, bytes],
    body: bytes,
    *,
    call: Call,
    now_s: float,
) -> Fault:
    """The Fault of a reply with a status other than 2xx. Header names are lower-case; `now_s` is
    Unix seconds."""
    name = exception_name(headers.get(b"x-amzn-errortype", b""))
    fault = read_aws_fault(name, body, status=status, call=call)
    fault.detail = f"provider {provider} {fault.detail}"
    if call.arrival.errand is COUNT and counts_never(status, headers, body):
        # The request is right: an estimate may stand for what is not counted here.
        return Fault(
            Kind.UPSTREAM_BROKEN,
            "The model provider does not count tokens for this model.",
            detail=fault.detail,
            source=Source.UPSTREAM,
            retry=False,
        )
    if status == 400 and _WRONG_TERMS.search(fault.message) is not None:
        return Fault(
            Kind.UPSTREAM_BROKEN,
            "The terms on which the gateway asks for this model are not to be had.",
            hint="Please tell the gateway's operator.",
            detail=f"{fault.detail}: {fault.message[:300]}",
            source=Source.UPSTREAM,
            retry=False,
        )
    if status == 404 or (status == 400 and _LACKS.search(fault.message) is not None):
        return not_served(fault, call)
    fault.message = _ACCOUNT.sub(r"\1***", fault.message)
    if fault.kind in _WAITING and fault.retry is not False:
        wait = wait_of(headers, now_s)
        if wait is not None:
            fault.retry_after_s = wait
            if wait > PATIENCE_S and fault.kind is Kind.RATE_LIMITED:
                fault.retry = False
    return fault


def not_served(fault: Fault, call: Call) -> Fault:
    """The deployment does not have the model, for now or for good, with the status that was given;
    the provider's words are the operator's."""
    return Fault(
        fault.kind,
        f"model: {call.model.id}: its provider does not serve it to this gateway.",
        hint="Choose another model or tell the gateway's operator.",
        detail=f"{fault.detail}: {fault.message[:300]}",
        source=Source.UPSTREAM,
        retry=False,
        reason="upstream_unavailable",
    )
