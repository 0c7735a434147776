"""The manifests fit Kubernetes' own schemas, and each other."""

import copy
import shutil
import subprocess
import tomllib
from typing import Callable

import kubernetes_validate
import manifests
import pytest
import yaml
from manifests import Manifest

# The oldest that the manifests are written for, because of the preStop hook that sleeps, and the newest known.
VERSIONS = ("1.30", "1.37")


def check(manifest: Manifest) -> None:
    for version in VERSIONS:
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


@pytest.mark.parametrize("file", manifests.files())
def test_a_manifest_fits_the_schema(file: str) -> None:
    found = manifests.objects(file)
    assert found
    for manifest in found:
        check(manifest)


def _misspelt(deployment: Manifest) -> None:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readynessProbe"] = container.pop("readinessProbe")


def _wrong_type(deployment: Manifest) -> None:
    deployment["spec"]["replicas"] = "two"


def _missing(deployment: Manifest) -> None:
    del deployment["spec"]["selector"]


def _misplaced(deployment: Manifest) -> None:
    deployment["spec"]["terminationGracePeriodSeconds"] = 60


@pytest.mark.parametrize("spoil", [_misspelt, _wrong_type, _missing, _misplaced])
def test_a_wrong_manifest_does_not(spoil: Callable[[Manifest], None]) -> None:
    deployment = copy.deepcopy(manifests.the("Deployment"))
    check(deployment)
    spoil(deployment)
    with pytest.raises(kubernetes_validate.ValidationError):
        check(deployment)


def test_the_kustomization_leaves_nothing_out() -> None:
    kustomization = yaml.safe_load((manifests.FOLDER / "kustomization.yaml").read_text())
    assert sorted(kustomization["resources"] + ["secrets.example.yaml"]) == manifests.files()
    assert [image["name"] for image in kustomization["images"]] == [manifests.container()["image"]]


def test_kubectl_puts_it_together() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl")
    built = subprocess.run(["kubectl", "kustomize", str(manifests.FOLDER)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    found = list(yaml.safe_load_all(built.stdout))
    for manifest in found:
        check(manifest)
        assert manifest["metadata"]["namespace"] == "branchkeeper"
    (image,) = (each["spec"]["template"]["spec"]["containers"][0]["image"] for each in found if each["kind"] == "Deployment")
    assert image.startswith("registry.example/branchkeeper:")


def test_selectors_find_the_pods() -> None:
    labels = manifests.the("Deployment")["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        manifests.the("Deployment")["spec"]["selector"]["matchLabels"],
        manifests.the("Service")["spec"]["selector"],
        manifests.the("Service", "branchkeeper-replicas")["spec"]["selector"],
        manifests.the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        manifests.the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        manifests.pod()["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector and selector.items() <= labels


def test_everything_that_is_named_exists() -> None:
    pod, container = manifests.pod(), manifests.container()
    assert pod["serviceAccountName"] == manifests.the("ServiceAccount")["metadata"]["name"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    for volume in pod["volumes"]:
        if "configMap" in volume:
            manifests.the("ConfigMap", volume["configMap"]["name"])
        if "secret" in volume:
            data = manifests.the("Secret", volume["secret"]["secretName"])["stringData"]
            assert all(item["key"] in data for item in volume["secret"].get("items", []))
    assert manifests.environment()
    port = container["ports"][0]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert container[probe]["grpc"]["port"] == port["containerPort"]
    for service in ("branchkeeper", "branchkeeper-replicas"):
        assert manifests.the("Service", service)["spec"]["ports"][0]["targetPort"] == port["name"]
    ingress = manifests.the("NetworkPolicy")["spec"]["ingress"][0]["ports"]
    assert [each["port"] for each in ingress] == [port["containerPort"]]


def test_the_time_for_stopping_is_long_enough() -> None:
    server = tomllib.loads(manifests.the("ConfigMap")["data"]["branchkeeper.toml"])["server"]
    seconds = {key: int(server[key].removesuffix("s")) for key in ("drain_delay", "shutdown_timeout")}
    hook = manifests.container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    # After shutdown_timeout, statements are stopped on their servers: 15 s at most, and a moment to write that down.
    needed = hook + seconds["drain_delay"] + seconds["shutdown_timeout"] + 20
    assert manifests.pod()["terminationGracePeriodSeconds"] >= needed
    # The nodes have learnt of it when the hook ends.
    readiness = manifests.container()["readinessProbe"]
    assert hook + seconds["drain_delay"] >= readiness["periodSeconds"]


def test_the_container_has_no_more_rights_than_it_needs() -> None:
    pod, own = manifests.pod()["securityContext"], manifests.container()["securityContext"]
    assert pod["runAsNonRoot"] is True and pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["readOnlyRootFilesystem"] is True and own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert manifests.pod()["automountServiceAccountToken"] is False
    written = {mount["mountPath"] for mount in manifests.container()["volumeMounts"] if not mount.get("readOnly")}
    assert written == {"/var/lib/branchkeeper", "/run/branchkeeper"}
