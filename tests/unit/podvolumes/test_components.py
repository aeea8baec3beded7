"""In which pods the commands of a component run."""

from unittest.mock import create_autospec

import pytest

from appshield.capture import CapturedComponent
from appshield.kubernetes import Cluster
from appshield.language.component_spec import RUNNABLE
from appshield.podvolumes.components import (
    RESOURCES_BY_KIND,
    NoWorkloadError,
    running_pods,
)


def test_validate_warns_of_the_kinds_in_whose_pods_nothing_runs() -> None:
    """The list that it knows is the one that counts."""
    assert tuple(RESOURCES_BY_KIND) == RUNNABLE


async def test_a_kind_whose_pods_are_not_known_is_named() -> None:
    """A custom resource may be a component, for its volumes, but no command runs in it."""
    part = CapturedComponent(name="db", workload_kind="Cluster", workload_name="db")
    with pytest.raises(NoWorkloadError, match="no workload whose pods are known") as caught:
        await running_pods(create_autospec(Cluster, instance=True), "shop", part)
    assert "it names Cluster shop/db" in caught.value.why
