"""The nodes that scale a resource with the load: Kubernetes, Docker Swarm, EC2 (nodes.md 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tickscript.declare import declare, slot
from tickscript.errors import EvaluationError
from tickscript.nodes.base import STREAM, Demand, Node, demand
from tickscript.nodes.types import DURATION, INT, LAMBDA, NANOSECONDS, STRING

if TYPE_CHECKING:
    from tickscript import ast

_REPLICAS = "How many replicas there should be: a lambda with an int result."
_MIN = "Never fewer than this."
_MAX = "Never more than this; 0 means any number."
_CURRENT = "Name under which the lambda sees the present number."
_INCREASE = "No second increase within this time."
_DECREASE = "No second decrease within this time."


class _Autoscale(Node):
    provides_edge: ClassVar[str | None] = STREAM
    resource_word: ClassVar[str] = ""

    current_field: str
    min: int
    replicas: ast.Lambda | None

    @property
    def resource(self) -> str:
        """The resource's name, "" when a tag gives it."""
        raise NotImplementedError

    @property
    def resource_tag(self) -> str:
        """The tag that names the resource, "" when it has a fixed name."""
        raise NotImplementedError

    def check(self) -> None:
        if bool(self.resource) == bool(self.resource_tag):
            raise EvaluationError(f"must specify exactly one of {self.resource_word} or {self.resource_word}Tag")
        if self.min < 1:
            raise EvaluationError(f"min must be >= 1, got {self.min}")
        if self.replicas is None:
            raise EvaluationError("must provide a replicas lambda expression")

    def demand(self, wanted: Demand) -> Demand:  # noqa: ARG002  (what comes out is about the resource)
        tags = (self.resource_tag,) if self.resource_tag else ()
        return demand(self.replicas, tags=tags)


@declare
class K8sAutoscale(_Autoscale):
    """Sets the number of replicas of a Kubernetes resource, and emits a point for each change."""

    method: ClassVar[str] = "k8sAutoscale"
    description: ClassVar[str] = "k8s_autoscale"
    type_of: ClassVar[str] = "k8sAutoscale"
    resource_word: ClassVar[str] = "ResourceName"
    json_order: ClassVar[tuple[str, ...]] = (
        "cluster", "namespace", "kind", "resourceName", "resourceNameTag", "currentField", "max", "min", "replicas",
        "namespaceTag", "kindTag", "resourceTag", "increaseCooldown", "decreaseCooldown",
    )  # fmt: skip
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('requests')\n        .groupBy('deployment')\n    |window()\n        .period(1m)\n"
        "        .every(1m)\n    |sum('count')\n        .as('total')\n    |k8sAutoscale()\n        .resourceNameTag('deployment')\n"
        '        .min(2)\n        .max(20)\n        .replicas(lambda: int(ceil("total" / 1000.0)))\n        .decreaseCooldown(5m)'
    )

    cluster: str = slot(STRING, "", "The configured cluster; the default one if empty.")
    namespace: str = slot(STRING, "", "The namespace; the configured default if empty.")
    resource_kind: str = slot(
        STRING, "deployments", "Kind of the resource: deployments, replicasets or replicationcontroller.", name="kind"
    )
    resource_name: str = slot(STRING, "", "Name of the resource; excludes resourceNameTag.")
    resource_name_tag: str = slot(STRING, "", "Tag that names the resource.")
    current_field: str = slot(STRING, "", _CURRENT)
    max: int = slot(INT, 0, _MAX)
    min: int = slot(INT, 1, _MIN)
    replicas: ast.Lambda | None = slot(LAMBDA, None, _REPLICAS)
    increase_cooldown: int = slot(DURATION, 0, _INCREASE)
    decrease_cooldown: int = slot(DURATION, 0, _DECREASE)
    namespace_tag: str = slot(STRING, "namespace", "Tag of the emitted point for the namespace.")
    kind_tag: str = slot(STRING, "kind", "Tag of the emitted point for the kind.")
    resource_output_tag: str = slot(STRING, "resource", "Tag of the emitted point for the name.", name="resourceTag")

    @property
    def resource(self) -> str:
        return self.resource_name

    @property
    def resource_tag(self) -> str:
        return self.resource_name_tag

    def check(self) -> None:
        super().check()
        if self.resource_kind not in {"deployments", "replicasets", "replicationcontroller"}:
            raise EvaluationError(
                "invalid Kind, must be 'deployments', 'replicasets' or 'replicationcontrollers', "
                f"got {self.resource_kind}"
            )


@declare
class SwarmAutoscale(_Autoscale):
    """Sets the number of replicas of a Docker Swarm service, and emits a point for each change."""

    method: ClassVar[str] = "swarmAutoscale"
    description: ClassVar[str] = "swarm_autoscale"
    type_of: ClassVar[str] = "swarmAutoscale"
    resource_word: ClassVar[str] = "ServiceName"
    json_order: ClassVar[tuple[str, ...]] = (
        "cluster", "serviceName", "serviceNameTag", "outputServiceNameTag", "currentField", "max", "min", "replicas",
        "increaseCooldown", "decreaseCooldown",
    )  # fmt: skip
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('requests')\n    |swarmAutoscale()\n        .serviceName('web')\n        .min(2)\n"
        '        .replicas(lambda: int(ceil("rate" / 1000.0)))'
    )

    cluster: str = slot(STRING, "", "The configured swarm; the default one if empty.")
    service_name: str = slot(STRING, "", "Name of the service; excludes serviceNameTag.")
    service_name_tag: str = slot(STRING, "", "Tag that names the service.")
    output_service_name_tag: str = slot(STRING, "", "Tag of the emitted point for the name; serviceNameTag if empty.")
    current_field: str = slot(STRING, "", _CURRENT)
    max: int = slot(INT, 0, _MAX)
    min: int = slot(INT, 1, _MIN)
    replicas: ast.Lambda | None = slot(LAMBDA, None, _REPLICAS)
    increase_cooldown: int = slot(DURATION, 0, _INCREASE)
    decrease_cooldown: int = slot(DURATION, 0, _DECREASE)

    @property
    def resource(self) -> str:
        return self.service_name

    @property
    def resource_tag(self) -> str:
        return self.service_name_tag


@declare
class Ec2Autoscale(_Autoscale):
    """Sets the capacity of an EC2 auto scaling group, and emits a point for each change."""

    method: ClassVar[str] = "ec2Autoscale"
    description: ClassVar[str] = "ec2_autoscale"
    json_quiet: ClassVar[bool] = True
    resource_word: ClassVar[str] = "GroupName"
    json_order: ClassVar[tuple[str, ...]] = (
        "Cluster", "GroupName", "GroupNameTag", "OutputGroupNameTag", "CurrentField", "Max", "Min", "Replicas",
        "IncreaseCooldown", "DecreaseCooldown",
    )  # fmt: skip
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('requests')\n    |ec2Autoscale()\n        .groupName('web')\n        .min(2)\n"
        '        .replicas(lambda: int(ceil("rate" / 1000.0)))'
    )

    cluster: str = slot(STRING, "", "The configured account; the default one if empty.", json="Cluster")
    group_name: str = slot(STRING, "", "Name of the group; excludes groupNameTag.", json="GroupName")
    group_name_tag: str = slot(STRING, "", "Tag that names the group.", json="GroupNameTag")
    output_group_name_tag: str = slot(
        STRING, "", "Tag of the emitted point for the name; groupNameTag if empty.", json="OutputGroupNameTag"
    )
    current_field: str = slot(STRING, "", _CURRENT, json="CurrentField")
    max: int = slot(INT, 0, _MAX, json="Max")
    min: int = slot(INT, 1, _MIN, json="Min")
    replicas: ast.Lambda | None = slot(LAMBDA, None, _REPLICAS, json="Replicas")
    increase_cooldown: int = slot(NANOSECONDS, 0, _INCREASE, json="IncreaseCooldown")
    decrease_cooldown: int = slot(NANOSECONDS, 0, _DECREASE, json="DecreaseCooldown")

    @property
    def resource(self) -> str:
        return self.group_name

    @property
    def resource_tag(self) -> str:
        return self.group_name_tag


KINDS: tuple[type[Node], ...] = (K8sAutoscale, SwarmAutoscale, Ec2Autoscale)
