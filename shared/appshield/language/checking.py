"""What types alone cannot say: rules between the fields of a document.

Works on plain data, not on the typed value, so that every rule still speaks when another field is
wrong: what has the wrong type counts as absent here, `shape` reports it.
"""

import difflib
from collections.abc import Callable
from urllib.parse import urlsplit

from appshield.language.checking_protection import (
    check_expression,
    check_keep,
    check_protect,
    check_targets,
)
from appshield.language.expressions import HEALTH, MATCH, REACTION
from appshield.language.kinds import NAMESPACED_KINDS
from appshield.language.plain_data import Fields, Problems, each_of, exactly_one, fields_of, unique
from appshield.language.problems import Path, Problem
from appshield.language.profiles import shipped_profiles
from appshield.language.resolved import DATABASE_PREFIX

ACTIONS = ("backup", "restore", "notify", "pause")
STATES = ("degraded", "progressing", "healthy")
_OF_EVERY_OBJECT = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""What the metadata of an object may hold; an API server of later may know more."""


def check_rules(kind: str, document: Fields) -> Problems:
    """Yield every broken rule of a document of this kind."""
    metadata = fields_of(document.get("metadata"))
    if kind not in NAMESPACED_KINDS and metadata.get("namespace"):
        yield Problem(
            ("metadata", "namespace"), f"a {kind} stands in no namespace", "remove the field"
        )
    yield from _check_metadata(metadata)
    yield from _OF_KIND[kind](fields_of(document.get("spec")), ("spec",))


def _check_metadata(metadata: Fields) -> Problems:
    """Find misspelt fields; others are the API server's and passed over."""
    for name in [name for name in metadata if name not in _OF_EVERY_OBJECT]:
        near = difflib.get_close_matches(str(name)[:80], _OF_EVERY_OBJECT, n=1, cutoff=0.75)
        if near:
            right = f"did you mean {near[0]}?"
            yield Problem(("metadata", str(name)), "unknown field", right, at_key=True)


def _check_application(spec: Fields, path: Path) -> Problems:
    yield from _check_selector(fields_of(spec.get("resources")), (*path, "resources", "selector"))
    yield from unique(spec.get("components"), "name", (*path, "components"))
    seen: dict[str, str] = {}
    for component, at in each_of(spec, "components", path):
        yield from _check_pairs(component, at)
        yield from _check_dump(component, component.get("profile", spec.get("type")), at)
        volumes = fields_of(component.get("volumes"))
        yield from _check_selector(volumes, (*at, "volumes", "selector"))
        yield from _check_live(component, spec.get("type"), at)
        yield from _check_data_of(component, spec, at)
        workload = fields_of(component.get("workload"))
        key = f"{workload.get('kind')} {workload.get('name')}"
        if key in seen and len(workload) > 1:
            wrong = f"{key} already belongs to component {seen[key]}"
            yield Problem((*at, "workload"), wrong, "give each workload to one component")
        seen.setdefault(key, str(component.get("name")))
    yield from check_protect(spec, path)
    yield from check_targets(spec, path)


def _check_policy(spec: Fields, path: Path) -> Problems:
    if not any(spec.get(field) for field in ("protect", "react", "verify", "alerts")):
        yield Problem(path, "does nothing", "add protect, react, verify or alerts")
    yield from check_expression(spec.get("match"), MATCH, (*path, "match"))
    yield from check_protect(spec, path)
    yield from check_targets(spec, path)
    for reaction, at in each_of(spec, "react", path):
        yield from check_expression(reaction.get("when"), REACTION, (*at, "when"))
        if isinstance(reaction.get("do"), dict):
            yield from exactly_one(reaction["do"], ACTIONS, "action", (*at, "do"))
        notify = fields_of(fields_of(reaction.get("do")).get("notify"), missing={"signal": ""})
        if not notify.keys() & {"signal", "webhook"}:
            yield Problem((*at, "do", "notify"), "tells nobody", "add signal or webhook")
        if isinstance(notify.get("webhook"), str):
            wrong = _endpoint_problem(notify["webhook"], path_allowed=True)
            if wrong:
                right = "write for example https://alerts.example.org/appshield"
                yield Problem((*at, "do", "notify", "webhook"), wrong, right)
        elif "secret" in notify:
            at_secret = (*at, "do", "notify", "secret")
            yield Problem(at_secret, "signs nothing: there is no webhook", "remove the field")


def _check_profile(spec: Fields, path: Path) -> Problems:
    yield from _check_pairs(spec, path)
    yield from _check_dump(spec, "", path)
    for health, at in each_of(spec, "health", path):
        if not health.keys() & set(STATES):
            yield Problem(at, "says nothing", f"add {', '.join(STATES)}")
        for state in STATES:
            yield from check_expression(health.get(state), HEALTH, (*at, state))


def _check_vault(spec: Fields, path: Path) -> Problems:
    endpoint = spec.get("endpoint")
    if isinstance(endpoint, str) and endpoint:
        problem = _endpoint_problem(endpoint)
        if problem:
            yield Problem((*path, "endpoint"), problem, "write for example https://s3.example.org")
    prefix = spec.get("prefix")
    if isinstance(prefix, str) and any(part in {".", ".."} for part in prefix.split("/")):
        yield Problem((*path, "prefix"), "holds . or ..", "write a plain path such as team/shop")
    if "objectLock" in spec and spec.get("readOnly") is True:
        yield Problem(
            (*path, "objectLock"), "keeps nothing: the Vault is read only", "remove the field"
        )


def _check_backup(spec: Fields, path: Path) -> Problems:
    if isinstance(spec.get("keep"), dict):
        yield from check_keep(spec["keep"], (*path, "keep"))
    yield from check_targets(spec, path)


def _check_restore(_spec: Fields, _path: Path) -> Problems:
    """Nothing of a Restore depends on another field of it."""
    yield from ()


def _endpoint_problem(endpoint: str, *, path_allowed: bool = False) -> str:
    """Return what is wrong; the address itself is not repeated, it may hold a password."""
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "is not an http or https address"
    if parts.username is not None or parts.password is not None:
        return "holds a user or password, which belong into a Secret"
    if path_allowed:
        return ""
    more = parts.path.strip("/") or parts.query or parts.fragment
    return "has a path, query or fragment" if more else ""


def _check_selector(owner: Fields, path: Path) -> Problems:
    """Check the label selector that stands in a field of its own."""
    selector = fields_of(owner.get("selector"))
    for requirement, at in each_of(selector, "matchExpressions", path):
        operator, values = requirement.get("operator"), requirement.get("values")
        if operator in ("In", "NotIn") and not values:
            yield Problem((*at, "values"), f"{operator} compares with nothing", "list the values")
        if operator in ("Exists", "DoesNotExist") and values:
            yield Problem((*at, "values"), f"{operator} takes no values", "remove the field")


def _check_pairs(component: Fields, path: Path) -> Problems:
    if "quiesce" in component and "resume" not in component:
        yield Problem(
            (*path, "quiesce"), "a quiesce without a resume never ends", "add resume with a command"
        )
    if "dump" in component and "load" not in component:
        yield Problem(
            (*path, "dump"), "a dump without a load cannot be restored", "add load with a command"
        )


def _check_dump(component: Fields, profile: object, path: Path) -> Problems:
    """A dump may come from the profile; what is in one that is not shipped is not known here."""
    if component.get("strategy") != "dump" or "dump" in component:
        return
    shipped = shipped_profiles().of(profile) if isinstance(profile, str) else None
    if shipped is not None and shipped.spec.dump is None:
        wrong = f"strategy dump has no dump, and neither has profile {shipped.spec.type}"
        yield Problem((*path, "strategy"), wrong, "add dump and load with commands")
    elif not profile:
        yield Problem(
            (*path, "strategy"), "strategy dump has no dump", "add dump and load with commands"
        )


def _check_data_of(component: Fields, spec: Fields, path: Path) -> Problems:
    other = component.get("dataOf")
    if not isinstance(other, str):
        return
    names = [one.get("name") for one, _ in each_of(spec, "components", path)]
    others = [str(name) for name in names if name != component.get("name")]
    if other not in others:
        right = f"write one of {', '.join(others)}" if others else "remove the field"
        yield Problem((*path, "dataOf"), f"{other[:63]!r} is no other component", right)
    if component.get("strategy", "none") != "none":
        wrong = "saves volumes that a restore fills with other data"
        yield Problem((*path, "strategy"), wrong, "write none or remove the field")


def _check_live(component: Fields, application_type: object, path: Path) -> Problems:
    profile = component.get("profile", application_type)
    is_database = isinstance(profile, str) and profile.startswith(DATABASE_PREFIX)
    method = fields_of(component.get("volumes")).get("method")
    copied = component.get("strategy") in ("dump", "none")
    if is_database and method == "files" and not copied and component.get("allowLive") is not True:
        yield Problem(
            (*path, "volumes", "method"),
            "a database's files would be read while it writes",
            "use snapshot or auto, add a dump, or say allowLive: true",
        )


_OF_KIND: dict[str, Callable[[Fields, Path], Problems]] = {
    "Application": _check_application,
    "Policy": _check_policy,
    "Profile": _check_profile,
    "Vault": _check_vault,
    "Backup": _check_backup,
    "Restore": _check_restore,
}
