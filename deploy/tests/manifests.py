"""The manifests in deploy/kubernetes/, as data."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import yaml

FOLDER = Path(__file__).resolve().parents[1] / "kubernetes"

Manifest = Dict[str, Any]


def files() -> List[str]:
    """Every file with Kubernetes objects; kustomization.yaml is read by kubectl alone."""
    return sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")


def objects(file: str) -> List[Manifest]:
    return [each for each in yaml.safe_load_all((FOLDER / file).read_text()) if each is not None]


def all_objects() -> Iterator[Tuple[str, Manifest]]:
    for file in files():
        for each in objects(file):
            yield file, each


def the(kind: str, name: str = "branchkeeper") -> Manifest:
    """The one object of this kind and name."""
    found = [each for _, each in all_objects() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def pod() -> Manifest:
    return the("Deployment")["spec"]["template"]["spec"]


def container() -> Manifest:
    (only,) = pod()["containers"]
    return only


def environment() -> Dict[str, str]:
    """The container's variables, with the values of secrets.example.yaml."""
    found = {}
    for variable in container()["env"]:
        if "value" in variable:
            found[variable["name"]] = variable["value"]
        else:
            reference = variable["valueFrom"]["secretKeyRef"]
            found[variable["name"]] = the("Secret", reference["name"])["stringData"][reference["key"]]
    return found
