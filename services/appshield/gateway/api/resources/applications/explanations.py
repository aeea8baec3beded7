"""What an application is and how it is protected: its model, what its document means, its rules."""

from datetime import datetime

import msgspec
from litestar import Response, get
from litestar.types import ControllerRouterHandler

from appshield.application.reading import read_application
from appshield.doors.actions import SEE_APPLICATIONS
from appshield.doors.explaining import explained_object
from appshield.doors.explanation import Explanation
from appshield.doors.model import Model, model_of
from appshield.doors.rules import RuleInForce, rules_in_force
from appshield.errors import NotFoundError
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.entity_tags import tagged
from appshield.gateway.api.frame.parameters import History, InNamespace, Named
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.responses import REFUSED, UNCHANGED
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.applications.histories import record_of
from appshield.kubernetes.kinds import APPLICATION

_TAGS = ["Applications"]
_PATH = "/applications/{namespace:str}/{name:str}"


class EffectivePolicies(msgspec.Struct, frozen=True, kw_only=True):
    """What protects an application in effect, as the planner works by it.

    `undecided` names policies without an answer, each with the reason; `findings` say what
    documents say twice or differently. While it is `paused_since` a time, nothing acts by itself.
    """

    policies: tuple[str, ...]
    undecided: dict[str, str]
    rules: tuple[RuleInForce, ...]
    targets: tuple[str, ...]
    findings: tuple[str, ...]
    alert_rpo_s: int
    alert_rto_s: int
    paused_since: datetime | None


@get(
    _PATH + "/model",
    opt=in_namespace(SEE_APPLICATIONS),
    tags=_TAGS,
    responses={**UNCHANGED, **REFUSED},
)
async def show_model(
    request: AnyRequest, backend: OnBackend, namespace: InNamespace, name: Named
) -> Response[Model | None]:
    """Show what an application consists of now, and why each object belongs to it.

    Objects with their edges (who owns, who refers to whom), components, volumes and how each is
    saved, what is left out, what is missing.
    """
    record = await record_of(backend, namespace, name)
    reading = await read_application(backend.clusters.own(), record.app)
    return tagged(request, model_of(reading))


@get(
    _PATH + "/explanation",
    opt=in_namespace(SEE_APPLICATIONS),
    tags=_TAGS,
    responses={**UNCHANGED, **REFUSED},
)
async def show_explanation(
    request: AnyRequest, backend: OnBackend, namespace: InNamespace, name: Named
) -> Response[Explanation | None]:
    """Show what the document in force means: origins of values, contents, next times, obstacles."""
    cluster = backend.clusters.own()
    obj = await cluster.get(APPLICATION, name, namespace)
    if obj is None:
        raise NotFoundError(
            f"there is no application {namespace}/{name}",
            why="the cluster has no Application object of that name",
        )
    return tagged(request, await explained_object(cluster, obj, backend.clock.now()))


@get(_PATH + "/effective-policies", opt=in_namespace(SEE_APPLICATIONS), tags=_TAGS)
async def show_effective_policies(
    backend: OnBackend, *, namespace: InNamespace, name: Named, history: History = ""
) -> EffectivePolicies:
    """Show the rules in force, where each comes from, and when it makes a version next."""
    record = await record_of(backend, namespace, name, history)
    return EffectivePolicies(
        policies=record.policies,
        undecided=record.undecided,
        rules=rules_in_force(record, backend.clock.now()),
        targets=record.targets,
        findings=record.findings,
        alert_rpo_s=record.rpo_alert_s,
        alert_rto_s=record.rto_alert_s,
        paused_since=record.paused.at if record.paused else None,
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (
    show_model,
    show_explanation,
    show_effective_policies,
)
