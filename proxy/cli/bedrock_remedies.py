"""doctor: what Bedrock's answer to a question that costs nothing says, and what to do about it.

The words are Amazon's, collected where people reported them; a name or a status decides where no
words are known.
"""

import re

from proxy.cli.finding import Finding, fail, ok, warn
from proxy.providers.bedrock.surfaces import MANTLE
from proxy.providers.bedrock.surfaces import Deployment as Place

_GEOGRAPHIES = (
    ("us-gov-", "us-gov."),
    ("us-", "us."),
    ("ca-", "ca."),
    ("eu-", "eu."),
    ("ap-northeast-1", "jp."),
    ("ap-northeast-3", "jp."),
    ("ap-southeast-2", "au."),
    ("ap-southeast-4", "au."),
    ("ap-", "apac."),
)
"""Regions, by how they begin, and the inference profiles there."""

_RULES = (
    (
        r"signature expired|signature not yet current|requesttimetooskewed",
        "credentials refused",
        "this machine's clock is wrong: set it by NTP",
    ),
    (
        r"expiredtoken|token included in the request is expired|token has expired",
        "credentials expired",
        "sign in again (`aws sso login`), or look at what gives the keys out; a Bedrock API key "
        "ends as well: make another",
    ),
    (
        r"scoped to (?:a valid|correct) (?:region|service)",
        "credentials refused",
        "are `region` and `base_url` of the same region, and is `signing_service` right?",
    ),
    (
        r"unrecognizedclient|invalidsignature|missingauth|invalid api key|token.{0,20}is invalid",
        "credentials refused",
        "are the keys of this account and partition, and not revoked?",
    ),
    (
        r"marketplace",
        "no access",
        "subscribe to the model once for the account, in Bedrock's model catalogue, as somebody "
        "with aws-marketplace:Subscribe; the gateway's role does not need that",
    ),
    (
        r"use case details",
        "no access",
        "hand in Anthropic's use case form once for the account, in Bedrock's model catalogue",
    ),
    (
        r"not authorized to perform|explicit deny|service control policy",
        "no access",
        "allow the role {actions} on the model, in every region that the inference profile leads "
        "to; a service control policy may deny one",
    ),
    (
        r"guardrail",
        "guardrail refused",
        "does the guardrail exist in {region} in this version, and may the role "
        "bedrock:ApplyGuardrail on it?",
    ),
    (
        r"service ?tier|performance ?config|latency",
        "terms refused",
        "the model is not served on these terms in {region}; change `bedrock` of the deployment",
    ),
    (
        r"on-demand throughput",
        "not served by this id",
        "it wants an inference profile: write {profiles} as the deployment's `model`, or a "
        "profile's ARN",
    ),
    (
        r"end of its life|legacy",
        "not known there",
        "the model has been withdrawn; deploy a newer one",
    ),
    (
        r"identifier is invalid|does not exist|could not be found",
        "not known there",
        "is the id right, and is the model served in {region}? An inference profile is known in "
        "its own geography only: {profiles}",
    ),
)
_COMPILED = [(re.compile(words), seen, remedy) for words, seen, remedy in _RULES]
_ACCOUNT = ("credentials refused", "credentials expired")
"""The same for all models: they are not named."""


def judged(what: str, place: Place, status: int, names: str, message: str) -> Finding:
    """The finding about one deployment. `names` are those of the error, in lower case."""
    where = f"{place.model} ({place.surface.value}, {place.region})"
    if status in (400, 401, 403, 404):
        said = f"{names} {message}".lower()
        for words, seen, remedy in _COMPILED:
            if words.search(said) is not None:
                about = seen if seen in _ACCOUNT else f"{where}: {seen}"
                return fail(what, f"{about} ({status}): {message or names}", _told(remedy, place))
    if status in (401, 403):
        remedy = (
            "request access to the model in the Bedrock console, and allow the role {actions} on it"
        )
        return fail(what, f"{where}: no access ({status}): {message}", _told(remedy, place))
    if status == 404:
        remedy = "is the id right, and is the model served in the region {region}?"
        return fail(what, f"{where}: not known there ({status}): {message}", _told(remedy, place))
    if status == 429:
        return warn(what, f"{where}: rate limited (429)", "access was not checked; try later")
    if status >= 500:
        return warn(what, f"{where}: it is in trouble ({status})", "try again later")
    return ok(what, f"{where}: access granted")


def _told(remedy: str, place: Place) -> str:
    actions = "bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream"
    if place.surface in MANTLE:
        actions = "bedrock-mantle:CreateInference"
    return remedy.format(actions=actions, region=place.region, profiles=_profiles(place))


def _profiles(place: Place) -> str:
    """The ids of the inference profiles that there may be in the region."""
    if place.model.startswith("arn:"):
        return "the id of one"
    bare = re.sub(r"^(?:us-gov|us|eu|jp|au|ca|apac|global)\.", "", place.model)
    here = next((g for begin, g in _GEOGRAPHIES if place.region.startswith(begin)), "")
    return " or ".join([geography + bare for geography in (here, "global.") if geography])
