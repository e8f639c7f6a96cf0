"""Lints the chart and renders it with Helm's own code, and holds what comes of it against the
schemas of Kubernetes, of the oldest version that the chart allows and the newest that is known.

Prints what is wrong, one thing a line, and how much was looked at; exit code 1 if something is.
Runs in the environment that setup.sh makes beside it; it reaches no cluster and no network.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import yaml

CHART = Path(__file__).resolve().parent.parent.parent / "deploy" / "helm" / "junctor"
URL = {"publicUrl": "https://hooks.example.com"}
EVERYTHING: dict[str, Any] = {
    **URL,
    "image": {"repository": "registry.example.com/junctor", "tag": "1.2.3"},
    "imagePullSecrets": [{"name": "pull"}],
    "trustedProxies": "10.0.0.0/8",
    "settings": {"JUNCTOR_GAP_MINUTES": "10"},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "host": "hooks.example.com",
        "tlsSecret": "certificate",
        "annotations": {"example.com/size": "16m"},
    },
    "backup": {"enabled": True, "existingClaim": "backups"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "only", "operator": "Exists", "effect": "NoSchedule"}],
}
WORLDS: dict[str, dict[str, Any]] = {"as it is": URL, "with everything": EVERYTHING}
REFUSED: dict[str, dict[str, Any]] = {
    "no public URL": {},
    "a value that there is not": {**URL, "replicas": 3},
    "a number that is none": {**URL, "server": {"replicas": "many"}},
}
NOT_WRONG = {"icon is recommended"}
KINDS = {"CronJob", "Deployment", "Ingress", "Job", "PodDisruptionBudget", "Service"}


def versions() -> list[str]:
    """The oldest version of Kubernetes that the chart allows, and the newest that has schemas."""
    stated = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    oldest = re.search(r"\d+\.\d+", stated)
    assert oldest is not None
    return [oldest.group(), kubernetes_validate.latest_version()]


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources that the chart makes."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="j", namespace="n")
    texts = [text for name, text in files.items() if not name.endswith(".txt")]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def main() -> int:
    """All of it."""
    wrong: list[str] = []
    looked = 0
    for world, values in WORLDS.items():
        told = helm.lint(CHART, values, strict=True)
        said = [each["error"] for each in told["messages"] if each["error"] not in NOT_WRONG]
        wrong += [f"lint, {world}: {each}" for each in [*said, *told["errors"]]]
        made = rendered(values)
        for resource in made:
            name = f"{resource['kind']} {resource['metadata']['name']}"
            for version in versions():
                looked += 1
                try:
                    kubernetes_validate.validate(resource, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    place = ".".join(str(part) for part in error.path)
                    wrong.append(f"{name}, {world}, Kubernetes {version}: {place}: {error.message}")
    if {each["kind"] for each in made} != KINDS:
        wrong.append(f"with everything there are {sorted({each['kind'] for each in made})}")
    for world, values in REFUSED.items():
        try:
            rendered(values)
        except helm.HelmError:
            continue
        wrong.append(f"{world}: it is rendered all the same")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"Helm {helm.helm_sdk_version()}: {looked} resources, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
