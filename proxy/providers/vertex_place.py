"""Where Claude is on Google Cloud: hosts of regions, paths of models (translation.md 6)."""

import re

MULTI_REGIONS = ("us", "eu")
GLOBAL = "global"
REGION_PATTERN = re.compile(r"global|us|eu|[a-z]+(?:-[a-z]+)+[0-9]{1,2}")
PROJECT_PATTERN = re.compile(r"(?:[a-z0-9.-]{1,100}:)?[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")
MODEL_PATTERN = re.compile(r"[A-Za-z0-9._@-]{1,200}")
_UNVERSIONED = ("@default", "@latest")
_CONTINENTS = (("us-", "us"), ("europe-", "eu"))


def base_url(region: str) -> str:
    """The address of the API for a region, a multi-region (`us`, `eu`) or `global`."""
    if region == GLOBAL:
        return "https://aiplatform.googleapis.com/v1"
    if region in MULTI_REGIONS:
        return f"https://aiplatform.{region}.rep.googleapis.com/v1"
    return f"https://{region}-aiplatform.googleapis.com/v1"


def model_path(project: str, region: str, model: str, *, streamed: bool) -> str:
    """The path that asks `model`, below the base URL. `@` and `:` stay as they are."""
    verb = "streamRawPredict" if streamed else "rawPredict"
    return f"{_publisher(project, region)}/models/{model}:{verb}"


def count_path(project: str, region: str) -> str:
    """The path that counts; the model is named in the body there."""
    return f"{_publisher(project, region)}/models/count-tokens:rawPredict"


def counted_model(model: str) -> str:
    """The model's name where tokens are counted, which knows no moving versions."""
    for version in _UNVERSIONED:
        model = model.removesuffix(version)
    return model


def is_within(region: str, geo: str) -> bool:
    """Is a model of this region promised to run in `geo`, Anthropic's `inference_geo`?"""
    if geo == GLOBAL:
        return True
    if region in MULTI_REGIONS:
        return geo == region
    return any(region.startswith(start) and geo == land for start, land in _CONTINENTS)


def _publisher(project: str, region: str) -> str:
    return f"/projects/{project}/locations/{region}/publishers/anthropic"
