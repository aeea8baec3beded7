"""Profiles: documents like all others, and what a component takes from one."""

from typing import Any

import pytest

from appshield.language.kinds import API_VERSION, Application, Profile
from appshield.language.object_reading import read_object
from appshield.language.own_profiles import profiles_in_force
from appshield.language.problems import DocumentError
from appshield.language.profiles import (
    Profiles,
    shipped_document,
    shipped_documents,
    shipped_profiles,
)
from appshield.language.reading import read_documents
from appshield.language.resolved import ResolvedComponent
from appshield.language.resolving import resolve

HOOK = {"command": ["own"]}
TYPES = {
    "database/postgresql",
    "database/mysql",
    "database/mariadb",
    "database/mongodb",
    "cache/redis",
    "search/opensearch",
    "queue/nats",
    "web",
    "stateless",
}


def component(name: str = "db", **fields: Any) -> dict[str, Any]:
    return {"name": name, "workload": {"kind": "StatefulSet", "name": name}, **fields}


def resolved(
    *components: dict[str, Any], profiles: Profiles | None = None, **spec: Any
) -> list[ResolvedComponent]:
    read = read_object(
        {
            "apiVersion": API_VERSION,
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"components": list(components), **spec},
        }
    )
    assert isinstance(read, Application)
    return list(resolve(read, profiles).components)


def own(name: str, type_: str = "database/postgresql", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Profile",
        "metadata": {"name": name},
        "spec": {"type": type_, **spec},
    }


@pytest.mark.parametrize(
    ("file", "text"), shipped_documents().items(), ids=lambda value: value[:40]
)
def test_a_shipped_profile_is_a_document_that_a_user_may_copy(file: str, text: str) -> None:
    """It passes the same checks, is named after its type, and says what it does."""
    (read,) = read_documents(text, file)
    profile = read.resource
    assert isinstance(profile, Profile)
    assert (
        profile.metadata.name == profile.spec.type.replace("/", "-") == file.removesuffix(".yaml")
    )
    assert profile.spec.description
    assert shipped_document(profile.spec.type) == text


def test_every_type_that_is_promised_is_shipped_and_only_what_was_proved_says_so() -> None:
    """The proofs are tests/cluster/test_profiles.py."""
    found = {profile.spec.type: profile for profile in shipped_profiles().all()}
    assert found.keys() >= TYPES
    proved = {type_ for type_, profile in found.items() if profile.spec.proved}
    databases = {"database/postgresql", "database/mariadb", "cache/redis"}
    assert proved == databases | {"queue/nats", "web", "stateless"}


def test_a_component_takes_what_it_leaves_open() -> None:
    """The document goes before the profile, the profile before the default."""
    (db,) = resolved(component(profile="database/postgresql", quiesce=HOOK, resume=HOOK))
    assert db.quiesce is not None
    assert db.quiesce.command == ("own",)
    assert db.single_volume
    assert db.origins == {
        "profile": "document",
        "strategy": "profile",
        "quiesce": "document",
        "resume": "document",
        "volumes.method": "default",
        "volumes.exclude": "default",
        "volumes.single": "profile",
        "allowLive": "default",
    }


def test_only_the_hooks_that_the_strategy_needs_are_taken() -> None:
    """A profile that can dump makes no second copy of every snapshot."""
    (db,) = resolved(component(profile="database/postgresql"))
    assert (db.strategy, db.quiesce is not None, db.dump) == ("snapshot", True, None)
    (db,) = resolved(component(profile="database/postgresql", strategy="dump"))
    assert db.dump is not None
    assert db.load is not None
    assert (db.quiesce, db.resume) == (None, None)
    (db,) = resolved(component(profile="database/postgresql", strategy="none"))
    assert [db.quiesce, db.resume, db.dump, db.load] == [None] * 4


def test_a_hook_of_the_document_stays_whatever_the_strategy() -> None:
    """A dump declared beside a snapshot is an extra copy that somebody wants."""
    (db,) = resolved(component(profile="database/postgresql", dump=HOOK, load=HOOK))
    assert db.dump is not None
    assert (db.dump.command, db.origins["dump"]) == (("own",), "document")


def test_the_type_of_an_application_stands_for_its_only_component() -> None:
    """Which of several is the database nobody can know, and a web server understands no SQL."""
    (db,) = resolved(component(), type="database/postgresql")
    assert db.quiesce is not None
    assert db.origins["profile"] == "default"
    first, second = resolved(component(), component("web"), type="database/postgresql")
    assert [first.quiesce, second.quiesce] == [None, None]
    named, _ = resolved(
        component(profile="database/postgresql"), component("web"), type="database/postgresql"
    )
    assert named.quiesce is not None


def test_an_unknown_profile_gives_nothing() -> None:
    """A name of one's own is no error: policies match on it."""
    (db,) = resolved(component(profile="ours/ledger"))
    assert (db.strategy, db.quiesce, db.single_volume) == ("snapshot", None, False)
    assert set(db.origins.values()) == {"document", "default"}


def test_a_users_own_profile_goes_before_the_shipped_one() -> None:
    """Whole: nothing of the shipped one shines through."""
    found, problems = profiles_in_force([own("ours", strategy="one-replica")])
    assert problems == ()
    assert not found.is_shipped("database/postgresql")
    assert found.is_shipped("cache/redis")
    (db,) = resolved(component(profile="database/postgresql"), profiles=found)
    assert (db.strategy, db.quiesce, db.single_volume) == ("one-replica", None, False)


def test_a_profile_that_is_wrong_or_a_double_does_not_count_and_is_told_of() -> None:
    """The first by name holds, whatever the order of the listing."""
    objects = [
        own("b", strategy="none"),
        own("a", strategy="one-replica"),
        own("wrong", "cache/redis", quiesce=HOOK),
    ]
    for listing in (objects, objects[::-1]):
        found, problems = profiles_in_force(listing)
        profile = found.of("database/postgresql")
        assert profile is not None
        assert profile.metadata.name == "a"
        assert len(problems) == 2
        assert problems[0] == "profile b does not count: a is of type database/postgresql too"
        assert problems[1].startswith("profile wrong does not count: Profile wrong: spec.quiesce")
        assert found.is_shipped("cache/redis")


def test_a_refused_profile_stays_in_force_as_it_was_accepted_last() -> None:
    """Also where the newer document names another type."""
    kept = {"inForce": '{"type": "cache/redis", "strategy": "none"}'}
    wrong = own("ours", "database/postgresql", quiesce=HOOK) | {"status": kept}
    found, (problem,) = profiles_in_force([wrong])
    profile = found.of("cache/redis")
    assert profile is not None
    assert (profile.metadata.name, profile.spec.strategy) == ("ours", "none")
    assert found.is_shipped("database/postgresql")
    assert problem.startswith("profile ours counts as it was accepted last: Profile ours: spec.qu")


def test_a_dump_may_come_from_a_profile_that_is_not_shipped() -> None:
    """Whether it has one is seen when the application is read, not when the document is."""
    assert resolved(component(profile="ours/ledger", strategy="dump"))[0].dump is None
    with pytest.raises(DocumentError, match="neither has profile stateless"):
        resolved(component(profile="stateless", strategy="dump"))
