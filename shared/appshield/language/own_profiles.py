"""A user's own profiles, from the API server's objects, before those that are shipped. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from appshield.language.in_force import profile_in_force
from appshield.language.kinds import Profile
from appshield.language.profiles import Profiles, shipped_profiles


class OwnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What an object of kind Profile comes to.

    `profile` is in force, None where nothing was ever accepted; `refused` says why the newest
    document is not; `doubles` names the profile of the same type that counts instead.
    """

    name: str
    profile: Profile | None
    refused: str = ""
    doubles: str = ""

    @property
    def problem(self) -> str:
        """What a person has to know; empty where all is well."""
        if self.refused:
            holds = "does not count" if self.profile is None else "counts as it was accepted last"
            return f"profile {self.name} {holds}: {self.refused}"
        if self.doubles and self.profile is not None:
            same = f"{self.doubles} is of type {self.profile.spec.type} too"
            return f"profile {self.name} does not count: {same}"
        return ""


def own_profiles(objects: Iterable[dict[str, Any]]) -> tuple[OwnProfile, ...]:
    """Say what each object of kind Profile comes to, by name."""
    first: dict[str, str] = {}
    found = []
    for obj in sorted(objects, key=lambda one: str(one["metadata"]["name"])):
        name = obj["metadata"]["name"]
        profile, refused = profile_in_force(obj)
        counts = name if profile is None else first.setdefault(profile.spec.type, name)
        doubles = "" if counts == name else counts
        found.append(OwnProfile(name=name, profile=profile, refused=refused, doubles=doubles))
    return tuple(found)


def profiles_in_force(objects: Iterable[dict[str, Any]]) -> tuple[Profiles, tuple[str, ...]]:
    """Return the profiles that hold in a cluster, and what is wrong with the objects.

    Args:
        objects: every object of kind Profile.
    """
    own = own_profiles(objects)
    in_force = [one.profile for one in own if one.profile is not None]
    problems = tuple(one.problem for one in own if one.problem)
    return shipped_profiles().with_own(in_force), problems
