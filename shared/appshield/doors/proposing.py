"""A first document for a namespace: what runs there, recognised by the profiles. Pure.

A proposal, not a decision: each line of it says why it is there, and a person changes what they
know better.
"""

import fnmatch
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import yaml

from appshield.kubernetes import Object
from appshield.language import defaults
from appshield.language.kinds import API_VERSION, Profile
from appshield.language.profiles import Profiles
from appshield.language.resolved import DATABASE_PREFIX
from appshield.manifests.objects import (
    by_reference,
    controller_of,
    entries,
    kind_of,
    labels_of,
    mapping,
    name_of,
)
from appshield.manifests.references import claims_of, references
from appshield.manifests.workloads import pod_template

_KINDS = ("StatefulSet", "Deployment", "DaemonSet")
_NO_DATA = "stateless"
_FILES = "web"
_GENERIC = frozenset({_NO_DATA, _FILES})
_PART_OF = "app.kubernetes.io/part-of"


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One workload as a component, and why it is described so."""

    name: str
    kind: str
    profile: str
    why: str
    proved: bool

    @property
    def is_database(self) -> bool:
        """Whether data is lost between two versions that no one can type in again."""
        return self.profile.startswith(DATABASE_PREFIX)


def proposals(objects: Iterable[Object], profiles: Profiles) -> list[Proposal]:
    """Describe every workload of a namespace that keeps data or is recognised, by name."""
    known = list(by_reference(objects).values())
    found = []
    for obj in known:
        if kind_of(obj) not in _KINDS or controller_of(obj) is not None:
            continue
        keeps_data = _keeps_data(obj, known)
        profile, why = _recognised(obj, profiles, keeps_data=keeps_data)
        if profile is None and not keeps_data:
            continue
        found.append(
            Proposal(
                name=name_of(obj),
                kind=kind_of(obj),
                profile=profile.spec.type if profile else _FILES,
                why=why if profile else "it has volumes, and no profile knows its image or port",
                proved=bool(profile and profile.spec.proved),
            )
        )
    return found


def document_text(
    namespace: str, objects: Iterable[Object], profiles: Profiles, vaults: Iterable[str]
) -> str:
    """Write the first document of a namespace, with comments that say why."""
    known = list(by_reference(objects).values())
    found = proposals(known, profiles)
    metadata = {"name": _name(known, namespace), "namespace": namespace}
    lines = [
        f"# A first document for namespace {namespace}, written by `appshield init`.",
        "# Nothing is applied yet: read it, change it, then",
        "#   appshield explain -f FILE    shows what it means",
        "#   appshield apply -f FILE      puts it into force",
        f"apiVersion: {API_VERSION}",
        "kind: Application",
        f"metadata: {_quoted(metadata)}",
        "spec:",
        *_indented(_what_it_is(found)),
        *_indented(_membership(known)),
        *_indented(_components(found)),
        *_indented(_protection(found)),
        *_indented(_targets(vaults)),
    ]
    return "\n".join(lines) + "\n"


def _what_it_is(found: list[Proposal]) -> Iterator[str]:
    databases = [one for one in found if one.is_database]
    main = next(iter(databases or found), None)
    type_ = main.profile if main else _NO_DATA
    if main is None:
        yield "# No workload here has a volume or is known by a profile."
    else:
        yield f"# What {main.kind} {main.name} is; policies match on it."
    yield f"type: {_quoted(type_)}"
    if databases:
        yield "# There is a database, whose loss is felt at once: bronze, silver, gold or platinum."
        yield "criticality: gold"
    else:
        yield "# Nothing here looks like a database: bronze, silver, gold or platinum."
        yield f"criticality: {defaults.CRITICALITY}"


def _membership(known: list[Object]) -> Iterator[str]:
    parts = sorted({part for obj in known if (part := labels_of(obj).get(_PART_OF))})
    yield "# Everything in the namespace belongs to it. Where several share one, choose by labels:"
    labels = f"{_PART_OF}: {_quoted(parts[0] if parts else 'NAME')}"
    yield f"# resources: {{ selector: {{ matchLabels: {{ {labels} }} }} }}"
    if len(parts) > 1:
        yield f"# The label {_PART_OF} has several values here: {', '.join(parts)}."


def _components(found: list[Proposal]) -> Iterator[str]:
    if not found:
        return
    yield "components:"
    for one in found:
        yield f"  # {one.why}"
        if one.profile not in _GENERIC and not one.proved:
            yield "  # This profile was not proved against the real server: try a restore first."
        yield f"  - name: {_quoted(_component_name(one, found))}"
        yield f"    workload: {{ kind: {one.kind}, name: {_quoted(one.name)} }}"
        yield f"    profile: {_quoted(one.profile)}"


def _protection(found: list[Proposal]) -> Iterator[str]:
    yield "protect:"
    if any(one.is_database for one in found):
        yield "  # A database changes all the time: at most an hour is lost."
        yield "  - name: hourly"
        yield '    "on": { schedule: "0 * * * *", jitter: 10m }'
        yield "    keep: { last: 24, daily: 14, weekly: 8, monthly: 12 }"
    elif found:
        yield "  # Files change by the day: at most a day is lost."
        yield "  - name: nightly"
        yield '    "on": { schedule: "30 2 * * *", jitter: 1h }'
        yield "    keep: { last: 7, daily: 30, monthly: 12 }"
    else:
        yield "  # Without data only a change of the objects is worth a version."
        yield "  - name: weekly"
        yield '    "on": { schedule: "30 2 * * 0", jitter: 1h }'
        yield "    keep: { last: 4, monthly: 6 }"


def _targets(vaults: Iterable[str]) -> Iterator[str]:
    names = sorted(vaults)
    if defaults.TARGET in names:
        yield f"# Vaults that are there: {', '.join(names)}; {defaults.TARGET} is the default."
        yield f"targets: [{defaults.TARGET}]"
    elif names:
        yield f"# Vaults that are there: {', '.join(names)}."
        yield f"targets: [{_quoted(names[0])}]"
    else:
        yield "# No Vault is there yet; `appshield vault add` makes one."
        yield f"targets: [{defaults.TARGET}]"


def _recognised(obj: Object, profiles: Profiles, *, keeps_data: bool) -> tuple[Profile | None, str]:
    """Find the profile of a workload: by its images first, then by its ports."""
    known = [one for one in profiles.all() if one.spec.type not in _GENERIC]
    template = pod_template(obj)
    parts = entries(template.spec if template else {}, "containers")
    for part in parts:
        image = str(part.get("image") or "")
        for profile in known:
            if any(fnmatch.fnmatchcase(_image_name(image), one) for one in profile.spec.images):
                return profile, f"Recognised by its image {' '.join(image.split())}."
    for part in parts:
        for port in entries(part, "ports"):
            for profile in known if keeps_data else ():
                if port.get("containerPort") in profile.spec.ports:
                    listens = f"it listens on port {port.get('containerPort')}"
                    return profile, f"Recognised by its port only: {listens} and has a volume."
    return None, ""


def _image_name(image: str) -> str:
    """Return the last part of an image's name, without tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _keeps_data(obj: Object, known: list[Object]) -> bool:
    edges = [*references(obj), *claims_of(obj, known)]
    mounts = any(edge.to.kind == "PersistentVolumeClaim" for edge in edges)
    return mounts or bool(entries(mapping(obj, "spec"), "volumeClaimTemplates"))


def _name(known: list[Object], namespace: str) -> str:
    parts = {part for obj in known if (part := labels_of(obj).get(_PART_OF))}
    return parts.pop() if len(parts) == 1 else namespace


def _component_name(one: Proposal, found: list[Proposal]) -> str:
    same = [other for other in found if other.name == one.name]
    name = one.name.replace(".", "-")[:50]
    return f"{name}-{one.kind.lower()}" if len(same) > 1 else name


def _quoted(text: Any) -> str:  # noqa: ANN401 - whatever YAML writes
    return yaml.safe_dump(text, default_flow_style=True, width=10_000, sort_keys=False).split("\n")[
        0
    ]


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
