"""From an Application or Policy object to the fact that is told about it. Pure.

The fact carries what the planner has to know (triggers, retention, targets, what policies ask for),
never a hook or a selector: those are read where they are used.
"""

from collections.abc import Callable

from msgspec.structs import replace

from appshield.contracts.applications import ApplicationObserved, Described, Protection
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyObserved, policy_place
from appshield.kubernetes import Object
from appshield.language.in_force import application_in_force, policy_in_force
from appshield.language.profiles import Profiles
from appshield.language.reaction_names import digest_of, rule_of
from appshield.language.resolved import ResolvedApplication, ResolvedReaction
from appshield.language.resolving import (
    resolve,
    resolve_keep,
    resolve_policy,
    resolve_protection,
)
from appshield.triggers.rules import keep_of, protection_of
from appshield.watcher.reading_reactions import reaction_of

Describe = Callable[[ResolvedApplication], Described]
"""Says what policies may ask about an application."""
CONTINUES = "appshield.io/continues"
"""Annotation that names the history which a restored Application object goes on with."""

_REFUSED_CHARACTERS_MAX = 2_000


def observe(
    obj: Object, cluster: str, describe: Describe, profiles: Profiles | None = None
) -> ApplicationObserved:
    """Say what the Application in force says, and why a newer document is refused.

    Args:
        obj: the Application object.
        cluster: the cluster's name.
        describe: says what policies may ask about it.
        profiles: those in force. Default: those that are shipped.
    """
    meta = obj["metadata"]
    app = AppRef(cluster=cluster, namespace=meta["namespace"], name=meta["name"])
    adopts = (meta.get("annotations") or {}).get(CONTINUES, "")
    base = ApplicationObserved(
        app=app,
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        exists=True,
        adopts=adopts,
    )
    document, refused = application_in_force(obj)
    base = replace(base, refused=refused[:_REFUSED_CHARACTERS_MAX])
    if document is None:
        return base
    resolved = resolve(document, profiles)
    return replace(
        base,
        revision=resolved.revision,
        application_type=resolved.type,
        criticality=resolved.criticality,
        protections=tuple(protection_of(resolve_protection(r, ())) for r in document.spec.protect),
        targets=resolved.targets,
        targets_named=bool(document.spec.targets),
        described=describe(resolved),
    )


def observe_policy(obj: Object, cluster: str) -> PolicyObserved:
    """Say what the Policy in force says, and why a newer document is refused."""
    meta = obj["metadata"]
    fact = PolicyObserved(
        app=policy_place(cluster, meta["name"]),
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        exists=True,
        generation=meta.get("generation", 0),
    )
    document, refused = policy_in_force(obj)
    fact = replace(fact, refused=refused[:_REFUSED_CHARACTERS_MAX])
    if document is None:
        return fact
    resolved = resolve_policy(document)
    return replace(
        fact,
        revision=resolved.revision,
        match=resolved.match,
        protections=(
            *(protection_of(rule) for rule in resolved.protect),
            *(rule for one in resolved.react if (rule := _kept_by(one)) is not None),
        ),
        targets=resolved.targets,
        reactions=tuple(reaction_of(one) for one in resolved.react),
        rpo_alert_s=resolved.rpo_alert_s,
        rto_alert_s=resolved.rto_alert_s,
    )


def _kept_by(reaction: ResolvedReaction) -> Protection | None:
    """Return the rule by which versions stay that a reaction made; None: all of them."""
    backup = reaction.do.backup
    if backup is None or backup.keep is None:
        return None
    keep = keep_of(resolve_keep(backup.keep))
    return Protection(name=rule_of(digest_of(reaction)), trigger="reaction", keep=keep)
