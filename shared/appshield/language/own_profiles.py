"""A user's own profiles, from the API server's objects, before those that are shipped. Pure."""

from collections.abc import Iterable
from typing import Any

from appshield.language.kinds import Profile
from appshield.language.object_reading import read_object
from appshield.language.problems import DocumentError
from appshield.language.profiles import Profiles, shipped_profiles


def profiles_in_force(objects: Iterable[dict[str, Any]]) -> tuple[Profiles, tuple[str, ...]]:
    """Return the profiles that hold in a cluster, and what is wrong with objects that do not count.

    Args:
        objects: every object of kind Profile.
    """
    own: list[Profile] = []
    problems: list[str] = []
    for obj in objects:
        try:
            read = read_object(obj)
        except DocumentError as error:
            problems.append(f"a profile does not count: {error}")
            continue
        if isinstance(read, Profile):
            own.append(read)
    return shipped_profiles().with_own(own), (*problems, *_doubles(own))


def _doubles(own: list[Profile]) -> list[str]:
    first: dict[str, str] = {}
    problems = []
    for profile in sorted(own, key=lambda one: one.metadata.name):
        name, type_ = profile.metadata.name, profile.spec.type
        if first.setdefault(type_, name) != name:
            problems.append(f"profile {name} does not count: {first[type_]} is of type {type_} too")
    return problems
