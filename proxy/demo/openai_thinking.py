"""Is thinking on in a chat request? Every vendor is asked in another way. Pure."""

from proxy.demo.loose_json import mapping, text
from proxy.demo.vendor import Vendor

_TEMPLATE_SWITCHES = ("enable_thinking", "thinking")


def effort(body: dict[str, object], vendor: Vendor) -> str:
    """The effort that holds: the one asked for, else the vendor's own."""
    return text(body.get("reasoning_effort")) or vendor.effort_default


def thinking_is_on(body: dict[str, object], vendor: Vendor) -> bool:
    """Whether this vendor's model may think here."""
    match vendor.thinks:
        case "never":
            return False
        case "always":
            return True
        case "by_effort":
            return effort(body, vendor) != "none"
        case "when_asked" | "unless_told":
            return not _switched_off(body)


def _switched_off(body: dict[str, object]) -> bool:
    template = mapping(body.get("chat_template_kwargs"))
    return (
        body.get("reasoning_effort") == "none"
        or mapping(body.get("thinking")).get("type") == "disabled"
        or mapping(body.get("reasoning")).get("enabled") is False
        or any(template.get(switch) is False for switch in _TEMPLATE_SWITCHES)
    )
