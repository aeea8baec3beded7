"""Profiles: how components of each type are saved, as documents of kind Profile.

Those beside this file are shipped. A user's own is an object in the cluster; it goes before one of
the same type that is shipped. Whoever changes a shipped one proves it again, or takes `proved` off.
"""

import functools
from collections.abc import Iterable
from importlib import resources

import msgspec
import yaml

from appshield.language.kinds import Profile


class Profiles:
    """The profiles that are in force, by type."""

    def __init__(self, own: Iterable[Profile] = (), *, shipped: Iterable[Profile] = ()) -> None:
        self._shipped = {profile.spec.type: profile for profile in shipped}
        # the first by name of several with one type, so that the order of a listing does not count
        by_name = sorted(own, key=lambda profile: profile.metadata.name, reverse=True)
        self._own = {profile.spec.type: profile for profile in by_name}

    def of(self, type_: str) -> Profile | None:
        """Return the profile of a type, if there is one."""
        return self._own.get(type_) or self._shipped.get(type_)

    def is_shipped(self, type_: str) -> bool:
        """Whether the profile that is in force for a type is the shipped one."""
        return type_ in self._shipped and type_ not in self._own

    def all(self) -> list[Profile]:
        """Return those that are in force, by type."""
        return [(self._shipped | self._own)[one] for one in sorted({*self._shipped, *self._own})]

    def with_own(self, own: Iterable[Profile]) -> "Profiles":
        """Return these with a user's own before them."""
        return Profiles([*self._own.values(), *own], shipped=self._shipped.values())


def shipped_documents() -> dict[str, str]:
    """Return the text of every shipped profile by the name of its file."""
    files = sorted(resources.files(__package__).iterdir(), key=lambda file: file.name)
    return {file.name: file.read_text() for file in files if file.name.endswith(".yaml")}


def shipped_document(type_: str) -> str:
    """Return the text of the shipped profile of a type, comments included.

    Raises:
        KeyError: none is shipped.
    """
    return {_read(text).spec.type: text for text in shipped_documents().values()}[type_]


@functools.cache
def shipped_profiles() -> Profiles:
    """Return the profiles that come with AppShield."""
    return Profiles(shipped=(_read(text) for text in shipped_documents().values()))


def _read(text: str) -> Profile:
    return msgspec.convert(yaml.safe_load(text), Profile)
