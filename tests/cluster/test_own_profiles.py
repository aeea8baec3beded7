"""A profile of one's own on the real thing: applied, it counts; refused, the last one does."""

from pathlib import Path

import msgspec
import pytest

from appshield.kubernetes import Object
from appshield.kubernetes.kinds import EVENT, PROFILE
from command_line import CommandLine
from installation import Installation
from waiting import wait_until

NAME = "ledger"
TYPE = "database/ledger"


def profile(**spec: object) -> bytes:
    body = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Profile",
        "metadata": {"name": NAME},
        "spec": {"type": TYPE, **spec},
    }
    return msgspec.json.encode(body)


@pytest.mark.timeout(120)
async def test_a_refused_profile_leaves_the_last_one_in_force(
    installation: Installation, tmp_path: Path
) -> None:
    """Kubectl brings a wrong one: status, events and the command line say so."""
    appshield = CommandLine(installation.home.folder)
    cluster = installation.cluster
    file = tmp_path / "profile.json"
    file.write_bytes(profile(strategy="one-replica"))
    try:
        applied = await appshield("apply", "-f", str(file))
        assert (applied.code, applied.err) == (0, "")
        assert conditions(await cluster.get(PROFILE, NAME)) == {"Accepted": "True", "Ready": "True"}

        hook = {"command": ["true"], "timeout": "0s"}
        await cluster.merge_patch(PROFILE, NAME, {"spec": {"dump": hook, "load": hook}})
        told = await wait_until(
            lambda: _refused(installation), deadline_s=30, what="the profile is refused"
        )
        assert "spec.dump.timeout" in told["status"]["conditions"][0]["message"]
        listed = await appshield("profiles")
        assert f"profile {NAME} counts as it was accepted last" in listed.err
        assert "one-replica" in next(line for line in listed.out.splitlines() if TYPE in line)
        events = [
            event["reason"]
            for event in await cluster.list(EVENT)
            if event["involvedObject"].get("name") == NAME
        ]
        assert "DocumentRefused" in events
    finally:
        await cluster.delete(PROFILE, NAME)


async def _refused(installation: Installation) -> Object | None:
    obj = await installation.cluster.get(PROFILE, NAME) or {}
    said = conditions(obj)
    return obj if said == {"Accepted": "False", "Ready": "False"} else None


def conditions(obj: Object | None) -> dict[str, str]:
    found = ((obj or {}).get("status") or {}).get("conditions", [])
    return {one["type"]: one["status"] for one in found}
