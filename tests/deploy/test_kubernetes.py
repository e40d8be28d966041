"""The manifests are what Kubernetes takes, and they fit together and the gateway."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from proxy.config.load import parse
from tests.deploy.compose import instructions

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
VERSIONS = ("1.28", "1.31", "1.34")


def documents() -> list[dict[str, Any]]:
    return [
        document
        for name in KUSTOMIZATION["resources"]
        for document in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
    ]


def the(kind: str, name: str = "hatz-gateway") -> dict[str, Any]:
    [found] = [
        each for each in documents() if each["kind"] == kind and each["metadata"]["name"] == name
    ]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", documents(), ids=lambda each: each["kind"])
def test_kubernetes_takes_every_manifest(document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_what_it_would_not_take_is_caught() -> None:
    wrong = the("StatefulSet")
    wrong["spec"]["template"]["spec"]["containers"][0]["readyProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_file_is_applied_into_the_namespace() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])
    for document in documents():
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == KUSTOMIZATION["namespace"]


def pods() -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["name"]: each["spec"]["template"]
        for each in documents()
        if each["kind"] in ("StatefulSet", "Job")
    }


def test_selectors_find_the_gateway_and_nothing_else() -> None:
    labels = the("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        the("StatefulSet")["spec"]["selector"]["matchLabels"],
        the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        the("Service")["spec"]["selector"],
        the("Service", "hatz-gateway-pods")["spec"]["selector"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= pods()["hatz-gateway-migrate"]["metadata"]["labels"].items()
    assert the("StatefulSet")["spec"]["serviceName"] == "hatz-gateway-pods"


def test_ports_and_volumes_that_are_named_are_there() -> None:
    container = pods()["hatz-gateway"]["spec"]["containers"][0]
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    for service in ("hatz-gateway", "hatz-gateway-pods"):
        assert {port["targetPort"] for port in the("Service", service)["spec"]["ports"]} <= set(
            named
        )
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] in named
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    claims = {
        each["metadata"]["name"] for each in the("StatefulSet")["spec"]["volumeClaimTemplates"]
    }
    for pod in pods().values():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]} | claims
        for each in pod["spec"]["containers"][0]["volumeMounts"]:
            assert each["name"] in volumes
    [workdir] = instructions("WORKDIR")[1:]
    places = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert places["var"] == f"{workdir}/var"


def test_the_configuration_is_one_and_its_references_are_in_the_secret() -> None:
    environ = the("Secret")["stringData"]
    settings = parse(the("ConfigMap")["data"]["gateway.toml"], environ)
    assert settings.server.host == "0.0.0.0"
    container = pods()["hatz-gateway"]["spec"]["containers"][0]
    assert settings.server.port == container["ports"][0]["containerPort"]
    references = [settings.storage.url, settings.counters.url]
    references += [provider.api_key for provider in settings.providers]
    for reference in references:
        assert reference.startswith("env:") and reference[4:] in environ
    assert not [value for value in environ.values() if "sk-" in value]


def test_pods_are_nobody_and_may_write_only_their_volumes() -> None:
    [user] = instructions("USER")
    for pod in pods().values():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["runAsUser"] == int(user)
        assert pod["spec"]["automountServiceAccountToken"] is False
        [container] = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert container["resources"]["limits"]["memory"]


def test_streams_may_finish_before_a_pod_is_killed_and_the_readiness_is_seen_before() -> None:
    settings = parse(the("ConfigMap")["data"]["gateway.toml"], the("Secret")["stringData"])
    pod = pods()["hatz-gateway"]["spec"]
    server = settings.server
    assert pod["terminationGracePeriodSeconds"] > server.drain_notice_s + server.drain_timeout_s
    ready = pod["containers"][0]["readinessProbe"]
    assert server.drain_notice_s > ready["periodSeconds"] * ready["failureThreshold"]


def test_all_do_not_go_at_once() -> None:
    assert (
        the("StatefulSet")["spec"]["replicas"]
        > the("PodDisruptionBudget")["spec"]["maxUnavailable"]
    )
    assert the("StatefulSet")["spec"]["updateStrategy"] == {"type": "RollingUpdate"}
