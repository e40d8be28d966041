"""Where a deployment on Amazon Bedrock is asked, going by its own table and its provider's."""

from proxy.config.settings import Provider
from proxy.domain.model import Deployment
from proxy.providers.bedrock.surfaces import Deployment as Place
from proxy.providers.bedrock.surfaces import deployment_of


def place_of(provider: Provider, deployment: Deployment) -> Place:
    """Raises ValueError as `deployment_of`."""
    return deployment_of(
        deployment.model,
        asked=provider.surface,
        region=provider.region,
        base_url=provider.base_url,
        signing_service=provider.signing_service,
        base_model=deployment.base_model,
        terms=deployment.bedrock,
    )
