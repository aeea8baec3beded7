"""Policies and profiles: what protects many applications, and how each type is saved."""

from typing import Annotated

import msgspec
from litestar import get
from litestar.params import PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.doors.actions import SEE_POLICIES, SEE_PROFILES
from appshield.doors.policies import PolicyView, policy_view
from appshield.doors.profiles import origin_of, profiles_in
from appshield.errors import NotFoundError
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import LIMIT, Containing, Cursor, Limit, sorting
from appshield.gateway.api.frame.rights import in_cluster
from appshield.gateway.api.resources.applications.applications import seen_by
from appshield.language.kinds import Profile, document

_TAGS = ["Policies"]


class PolicySummary(msgspec.Struct, frozen=True, kw_only=True):
    """A policy in a list.

    `applications` counts those that it matches, `undecided` those for which it has no answer, of
    the applications that the caller may see. `settled`: every one of them is in line with it.
    """

    name: str
    match: str
    rules: tuple[str, ...]
    targets: tuple[str, ...]
    reactions: int
    alert_rpo_s: int
    alert_rto_s: int
    applications: int
    undecided: int
    settled: bool
    refused: str


class ProfileSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How components of a type are saved.

    `proved`: somebody brought data back that were saved while they were written. `origin` says
    where it comes from; `document` is the profile as it can be copied and changed.
    """

    type: str
    origin: str
    shipped: bool
    proved: bool
    description: str
    strategy: str
    dumps: bool
    images: tuple[str, ...]
    document: dict[str, object]


class Profiles(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the profiles that hold in the cluster, and why others do not count."""

    items: list[ProfileSummary]
    total: int
    next: str | None
    problems: tuple[str, ...]


_SORT_KEYS: dict[str, SortKey[PolicySummary]] = {
    "name": lambda one: one.name,
    "applications": lambda one: one.applications,
}

_PROFILE_SORT_KEYS: dict[str, SortKey[ProfileSummary]] = {
    "type": lambda one: one.type,
    "origin": lambda one: one.origin,
}


@get("/policies", opt=in_cluster(SEE_POLICIES), tags=_TAGS)
async def list_policies(
    backend: OnBackend,
    caller: AsCaller,
    *,
    containing: Containing = "",
    refused: Annotated[
        bool | None,
        QueryParameter(description="Only where the newest document is refused, or not."),
    ] = None,
    sort: Annotated[str, sorting(*_SORT_KEYS)] = "name",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[PolicySummary]:
    """List policies, each with how many applications it matches."""
    return page_of(
        [
            _summary(one)
            for one in await _policies(backend, caller)
            if containing in one.policy.app.name and refused in {None, bool(one.policy.refused)}
        ],
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=_SORT_KEYS,
        name=lambda one: one.name,
    )


@get("/policies/{name:str}", opt=in_cluster(SEE_POLICIES), tags=_TAGS)
async def show_policy(
    backend: OnBackend,
    caller: AsCaller,
    name: Annotated[str, PathParameter(max_length=253, description="The policy's name.")],
) -> PolicyView:
    """Show one policy with all that it matches, of what the caller may see."""
    for one in await _policies(backend, caller):
        if one.policy.app.name == name:
            return one
    raise NotFoundError(f"there is no policy {name}", next_step="GET /policies lists them.")


@get("/profiles", opt=in_cluster(SEE_PROFILES), tags=_TAGS)
async def list_profiles(
    backend: OnBackend,
    *,
    containing: Containing = "",
    proved: Annotated[
        bool | None, QueryParameter(description="Only proved ones, or others.")
    ] = None,
    sort: Annotated[str, sorting(*_PROFILE_SORT_KEYS)] = "type",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Profiles:
    """List how each type of component is saved."""
    found, problems = await profiles_in(backend.clusters.own())
    page = page_of(
        [
            _profile(one, origin_of(one, found), shipped=found.is_shipped(one.spec.type))
            for one in found.all()
            if containing in one.spec.type and proved in {None, bool(one.spec.proved)}
        ],
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=_PROFILE_SORT_KEYS,
        name=lambda one: one.type,
    )
    return Profiles(items=page.items, total=page.total, next=page.next, problems=tuple(problems))


async def _policies(backend: Backend, caller: Caller) -> list[PolicyView]:
    known = [one for one in await backend.views.policies() if one.app.cluster == backend.cluster]
    active = [one for one in await backend.views.applications() if one.state == "active"]
    seen = await seen_by(backend.access, caller, active)
    return [policy_view(policy, seen) for policy in known]


def _summary(view: PolicyView) -> PolicySummary:
    policy = view.policy
    return PolicySummary(
        name=policy.app.name,
        match=policy.match,
        rules=tuple(rule.name for rule in policy.protections),
        targets=policy.targets,
        reactions=len(policy.reactions),
        alert_rpo_s=policy.rpo_alert_s,
        alert_rto_s=policy.rto_alert_s,
        applications=len(view.applications),
        undecided=len(view.undecided),
        settled=policy.settled,
        refused=policy.refused,
    )


def _profile(profile: Profile, origin: str, *, shipped: bool) -> ProfileSummary:
    spec = profile.spec
    return ProfileSummary(
        type=spec.type,
        origin=origin,
        shipped=shipped,
        proved=bool(spec.proved),
        description=spec.description or "",
        strategy=spec.strategy or "",
        dumps=spec.dump is not None,
        images=spec.images,
        document=document(profile),
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (list_policies, show_policy, list_profiles)
