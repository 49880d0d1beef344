"""
Objects that Kubernetes itself does not know: what their operators take, as far as we use it.

Their own definitions are thousands of lines and come with the operators. Here are the fields that
the chart and the examples write, each as the definition of that version has it. Whoever uses
another field looks it up and adds it; until then it is refused as a typo would be.
"""

from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]

__all__ = ["KINDS", "fault"]

type Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}


def part(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Describe an object with these fields and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": required | (optional or {}),
    }


def several(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


NAMED = part({"name": TEXT})
# Parts that Kubernetes has, too; these are small enough to be right by sight.
LABELS = part({}, {"matchLabels": TEXTS, "matchExpressions": {"type": "array"}})
RESOURCES = part({}, {"requests": {"type": "object"}, "limits": {"type": "object"}})
SCALING = part(
    {},
    {
        "stabilizationWindowSeconds": COUNT,
        "selectPolicy": {"enum": ["Max", "Min", "Disabled"]},
        "policies": several(
            part({"type": {"enum": ["Percent", "Pods"]}, "value": COUNT, "periodSeconds": COUNT})
        ),
    },
)
RELABELING = part(
    {},
    {
        "targetLabel": TEXT,
        "replacement": TEXT,
        "action": {"enum": ["replace", "labeldrop"]},
        "regex": TEXT,
    },
)
ENDPOINT = part(
    {"port": TEXT},
    {
        "path": TEXT,
        "params": {"type": "object", "additionalProperties": several(TEXT)},
        "interval": DURATION,
        "relabelings": several(RELABELING),
    },
)
RULE = {
    "oneOf": [
        part({"record": TEXT, "expr": TEXT}, {"labels": TEXTS}),
        part(
            {"alert": TEXT, "expr": TEXT},
            {"for": DURATION, "keep_firing_for": DURATION, "labels": TEXTS, "annotations": TEXTS},
        ),
    ]
}


def trigger(kind: str, required: list[str], *optional: str) -> Schema:
    """Describe a trigger of KEDA, whose metadata are texts with names of that kind's own."""
    metadata = part(dict.fromkeys(required, TEXT), dict.fromkeys(optional, TEXT))
    metric = {"enum": ["AverageValue", "Value", "Utilization"]}
    return part(
        {"type": {"const": kind}, "metadata": metadata},
        {"metricType": metric, "authenticationRef": NAMED},
    )


TRIGGER = {
    "oneOf": [
        trigger("prometheus", ["serverAddress", "query", "threshold"], "ignoreNullValues"),
        trigger("cpu", ["value"]),
        trigger("rabbitmq", ["queueName", "mode", "value"], "host", "protocol"),
    ]
}
RIGHTS = part({"configure": TEXT, "write": TEXT, "read": TEXT})

KINDS: dict[tuple[str, str], Schema] = {
    ("keda.sh/v1alpha1", "ScaledObject"): part(
        {"scaleTargetRef": NAMED, "triggers": several(TRIGGER)},
        {
            "pollingInterval": COUNT,
            "minReplicaCount": COUNT,
            "maxReplicaCount": COUNT,
            "advanced": part(
                {
                    "horizontalPodAutoscalerConfig": part(
                        {},
                        {
                            "name": TEXT,
                            "behavior": part({}, {"scaleUp": SCALING, "scaleDown": SCALING}),
                        },
                    )
                }
            ),
        },
    ),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): part(
        {"secretTargetRef": several(part({"parameter": TEXT, "name": TEXT, "key": TEXT}))}
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): part(
        {"selector": LABELS, "podMetricsEndpoints": several(ENDPOINT)}
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): part(
        {"selector": LABELS, "endpoints": several(ENDPOINT)}
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): part(
        {"groups": several(part({"name": TEXT, "rules": several(RULE)}, {"interval": DURATION}))}
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): part(
        {
            "parentRefs": several(
                part(
                    {"name": TEXT},
                    {"group": TEXT, "kind": TEXT, "namespace": TEXT, "sectionName": TEXT}
                    | {"port": COUNT},
                )
            ),
            "hostnames": several(TEXT),
            "rules": several(
                part(
                    {"backendRefs": several(part({"name": TEXT, "port": COUNT}))},
                    {
                        "matches": several(
                            part(
                                {
                                    "path": part(
                                        {"type": {"enum": ["PathPrefix", "Exact"]}, "value": TEXT}
                                    )
                                }
                            )
                        )
                    },
                )
            ),
        }
    ),
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): part(
        {"replicas": COUNT},
        {
            "image": TEXT,
            "persistence": part({"storage": TEXT}, {"storageClassName": TEXT}),
            "resources": RESOURCES,
            "rabbitmq": part({}, {"additionalConfig": TEXT, "additionalPlugins": several(TEXT)}),
            "affinity": {"type": "object"},
            "override": part({"statefulSet": {"type": "object"}}),
        },
    ),
    ("rabbitmq.com/v1beta1", "Vhost"): part({"name": TEXT, "rabbitmqClusterReference": NAMED}),
    ("rabbitmq.com/v1beta1", "User"): part(
        {"importCredentialsSecret": NAMED, "rabbitmqClusterReference": NAMED},
        {"tags": several(TEXT)},
    ),
    ("rabbitmq.com/v1beta1", "Permission"): part(
        {
            "vhost": TEXT,
            "userReference": NAMED,
            "permissions": RIGHTS,
            "rabbitmqClusterReference": NAMED,
        }
    ),
    ("postgresql.cnpg.io/v1", "Cluster"): part(
        {"instances": COUNT, "storage": part({"size": TEXT}, {"storageClass": TEXT})},
        {
            "imageName": TEXT,
            "bootstrap": part(
                {
                    "initdb": part(
                        {"database": TEXT, "owner": TEXT}, {"postInitApplicationSQL": several(TEXT)}
                    )
                }
            ),
            "postgresql": part(
                {},
                {
                    "parameters": TEXTS,
                    "synchronous": part({"method": {"enum": ["any", "first"]}, "number": COUNT}),
                },
            ),
            "walStorage": part({"size": TEXT}, {"storageClass": TEXT}),
            "resources": RESOURCES,
            "affinity": part(
                {},
                {
                    "enablePodAntiAffinity": FLAG,
                    "topologyKey": TEXT,
                    "podAntiAffinityType": {"enum": ["preferred", "required"]},
                },
            ),
        },
    ),
}

METADATA = part({"name": TEXT}, {"namespace": TEXT, "labels": TEXTS, "annotations": TEXTS})


def fault(found: dict[str, Any]) -> str | None:
    """Say what is wrong with an object of one of these kinds; None when nothing is."""
    spec = KINDS[found["apiVersion"], found["kind"]]
    whole = part({"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA, "spec": spec})
    errors = jsonschema.Draft202012Validator(whole).iter_errors(found)
    error = jsonschema.exceptions.best_match(errors)
    if error is None:
        return None
    return f"{'.'.join(str(step) for step in error.absolute_path)}: {error.message}"
