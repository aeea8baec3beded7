"""A component with what its profile says, and where each of its values comes from. Pure.

The document goes before the profile, the profile before the default. Of a profile only the hooks
are taken that the strategy needs: quiesce and resume where volumes are saved, dump and load where
the strategy is dump. That a profile can dump makes no second copy of every snapshot.
"""

import msgspec

from appshield.language import defaults
from appshield.language.component_spec import Component, Volumes
from appshield.language.kinds import ApplicationSpec, Profile, ProfileSpec
from appshield.language.profiles import Profiles
from appshield.language.resolved import Origin

_HOOKS = {"dump": ("dump", "load"), "none": ()}
_AROUND_A_CUT = ("quiesce", "resume")


def taken_profile(
    component: Component, spec: ApplicationSpec, profiles: Profiles
) -> Profile | None:
    """Return the profile that a component takes its values from, if there is one.

    The type of an application stands for its component only where that is the only one: which of
    several is the database nobody can know.
    """
    named = component.profile or (spec.type if len(spec.components) == 1 else None)
    return profiles.of(named) if named else None


def fill_in(component: Component, profile: Profile | None) -> tuple[Component, dict[str, Origin]]:
    """Return the component with the values of its profile, and the origin of each value."""
    said = profile.spec if profile is not None else ProfileSpec(type="none")
    origins: dict[str, Origin] = {"profile": "document" if component.profile else "default"}

    def first(name: str, own: object, other: object) -> Origin:
        origins[name] = (
            "document" if own is not None else "profile" if other is not None else "default"
        )
        return origins[name]

    # what gets the data of another component has none of its own to save
    strategy = component.strategy or ("none" if component.data_of else said.strategy)
    first("strategy", component.strategy, None if component.data_of else said.strategy)
    filled: dict[str, object] = {"strategy": strategy}
    for name in _HOOKS.get(strategy or defaults.STRATEGY, _AROUND_A_CUT):
        own, other = getattr(component, name), getattr(said, name)
        if own is not None or other is not None:
            first(name, own, other)
            filled[name] = own if own is not None else other
    for name in ("quiesce", "resume", "dump", "load"):
        if name not in origins and getattr(component, name) is not None:
            origins[name] = "document"
    volumes, others = component.volumes or Volumes(), said.volumes or Volumes()
    first("volumes.method", volumes.method, others.method)
    first("volumes.exclude", volumes.exclude or None, others.exclude or None)
    first("volumes.single", volumes.single, others.single)
    filled["volumes"] = msgspec.structs.replace(
        volumes,
        method=volumes.method or others.method,
        exclude=volumes.exclude or others.exclude,
        single=others.single if volumes.single is None else volumes.single,
    )
    first("allowLive", component.allow_live, None)
    return msgspec.structs.replace(component, **filled), origins


def origins_of(spec: ApplicationSpec) -> dict[str, Origin]:
    """Return where the values of the application itself come from."""
    resources = spec.resources
    given = {
        "type": spec.type,
        "criticality": spec.criticality,
        "resources.selector": resources and resources.selector,
        "resources.follow": resources.follow if resources else None,
        "images": spec.images,
        "targets": spec.targets or None,
    }
    return {name: "default" if value is None else "document" for name, value in given.items()}
