"""What a restore makes, as far as rights are asked for: what it never makes needs none."""

import pytest
from msgspec.structs import replace

from appshield.manifests.kinds import MADE_WHEN_NAMED
from appshield.rights.restoring import ANY, kinds_made
from planned_versions import version

CLASSES = tuple(f"{kind}.{group}" for group, kind in sorted(MADE_WHEN_NAMED))
FACTS = replace(version(1).facts, kinds=("ConfigMap", "PersistentVolumeClaim", *CLASSES))


def test_classes_of_another_clusters_machines_need_no_right() -> None:
    """Every application with snapshots has one; else no team could restore its own."""
    assert kinds_made(FACTS, (), "elsewhere") == ("ConfigMap", "PersistentVolumeClaim")


@pytest.mark.parametrize("kind", CLASSES)
def test_a_class_that_is_asked_for_needs_the_right_to_make_it(kind: str) -> None:
    """Its path names it: it is made where it is absent."""
    name, _, group = kind.partition(".")
    path = f"manifests/{name.lower()}.{group}/fast.json"
    assert kinds_made(FACTS, (path,), "elsewhere") == (kind,)


def test_into_its_own_namespace_the_document_comes_back_too() -> None:
    """Elsewhere another application would be made of it."""
    namespace = FACTS.app.namespace
    assert "Application.appshield.io" in kinds_made(FACTS, (), namespace)


def test_a_version_of_before_kinds_were_written_down_needs_every_right() -> None:
    """What it would make is not known."""
    assert kinds_made(replace(FACTS, kinds=()), (), "elsewhere") == (ANY,)
