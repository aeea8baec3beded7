"""What a workload or a claim says, as a digest: whether a version holds it as it stands now.

A gate compares them. Only the spec counts, as the API server writes it: status, annotations and the
server's own fields change without anybody changing the object. The number of replicas is left out,
as autoscalers change it at any moment and a version does not depend on it.
"""

import hashlib
import json
from collections.abc import Iterable

from appshield.manifests.objects import Object, group_of, kind_of, mapping, name_of

STATEFUL_KINDS = frozenset(
    {
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("", "PersistentVolumeClaim"),
    }
)
"""Kinds, by group, whose objects a gate protects."""
STATES_MAX = 2_000
"""How many a version remembers, so that what it says about itself fits into a message."""
_DIGITS = 16


def states(objects: Iterable[Object]) -> dict[str, str]:
    """Return the digest of each object of such a kind, by `Kind/name`; the rest is left out."""
    found = {
        state_name(obj): state_of(obj)
        for obj in objects
        if (group_of(obj), kind_of(obj)) in STATEFUL_KINDS
    }
    return {name: found[name] for name in sorted(found)[:STATES_MAX]}


def state_name(obj: Object) -> str:
    """Name an object as `states` does."""
    return f"{kind_of(obj)}/{name_of(obj)}"


def state_of(obj: Object) -> str:
    """Return a digest of what an object says, the same for the same spec."""
    spec = {name: value for name, value in mapping(obj, "spec").items() if name != "replicas"}
    text = json.dumps(spec, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def template_of(obj: Object) -> str:
    """Return a digest of the pod template of a workload: another one is a rollout."""
    text = json.dumps(mapping(mapping(obj, "spec"), "template"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
