"""What a request needs follows from what it asks, wherever it comes from."""

from typing import get_args

import pytest

from appshield.contracts.identities import AppRef
from appshield.contracts.message import Request
from appshield.contracts.requests import (
    AnyRequest,
    RequestBackup,
    RequestCatalog,
    RequestForget,
    RequestRestore,
)
from appshield.doors.actions import ACTIONS
from appshield.doors.wanting import EVERYWHERE, WANTED, needs

APP = AppRef(cluster="c", namespace="shop", name="web")


@pytest.mark.parametrize("request_kind", get_args(AnyRequest))
def test_every_request_needs_a_right(request_kind: type[Request]) -> None:
    """A kind of request that is added and forgotten here is let through by nobody."""
    assert WANTED[request_kind]
    assert set(WANTED[request_kind]) <= set(ACTIONS)


def test_a_restore_needs_to_read_there_and_to_restore_here_and_there() -> None:
    """Reading what a version holds is a right of its own."""
    here = RequestRestore(app=APP, request_id="r", version=1)
    assert list(map(str, needs(here))) == [
        "get versions/data in namespace shop",
        "create restores in namespace shop",
    ]
    there = RequestRestore(app=APP, request_id="r", version=1, target_namespace="other")
    assert list(map(str, needs(there)))[2:] == ["create restores in namespace other"]


def test_needs_are_in_the_namespace_of_the_application() -> None:
    """But a Vault belongs to none."""
    assert [need.namespace for need in needs(RequestBackup(app=APP, request_id="b"))] == ["shop"]
    forget = RequestForget(app=APP, request_id="f", app_id="a-1", versions=(1,))
    assert list(map(str, needs(forget))) == ["delete versions in namespace shop"]
    catalog = RequestCatalog(app=APP, request_id="c", vault="primary")
    assert [need.namespace for need in needs(catalog)] == [EVERYWHERE]
    assert str(needs(catalog)[0]) == "update vaults everywhere"
