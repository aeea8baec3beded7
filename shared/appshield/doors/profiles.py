"""The profiles that hold in a cluster, and what is to be said about them."""

from collections.abc import Sequence

from appshield.doors.listing import objects_of
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import PROFILE
from appshield.language.kinds import Profile
from appshield.language.own_profiles import profiles_in_force
from appshield.language.profiles import Profiles


async def profiles_in(cluster: Cluster) -> tuple[Profiles, Sequence[str]]:
    """Return the profiles that hold in a cluster, and why others do not count."""
    return profiles_in_force(await objects_of(cluster, PROFILE))


def status_of(profile: Profile) -> str:
    """Say whether a profile was ever proved against the real server."""
    return "proved" if profile.spec.proved else "not proved"


def origin_of(profile: Profile, found: Profiles) -> str:
    """Say where a profile comes from."""
    if found.is_shipped(profile.spec.type):
        return "shipped with AppShield"
    return f"Profile {profile.metadata.name} in the cluster"
