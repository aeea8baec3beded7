"""From a namespace that runs to a document in force, with what `init` and `explain` say alone."""

from pathlib import Path
from uuid import uuid4

import pytest

from appshield.kubernetes.kinds import APPLICATION, PROFILE
from appshield.local.cluster import ClusterFacts
from cluster_application import NAME, deploy, namespace_of_its_own
from command_line import CommandLine
from installation import Installation

pytestmark = pytest.mark.timeout(300)

OWN = """\
apiVersion: appshield.io/v1alpha1
kind: Profile
metadata: { name: %s }
spec:
  type: %s
  images: [busybox]
  quiesce: { command: [sync] }
  resume: { command: ["true"] }
"""


async def test_init_explain_apply_explain(
    installation: Installation, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """A user's own profile recognises the workload; the document is explained before it holds."""
    appshield = CommandLine(installation.home.folder)
    type_ = f"own/{uuid4().hex[:6]}"
    profile, document = tmp_path / "profile.yaml", tmp_path / "document.yaml"
    name = type_.replace("/", "-")
    profile.write_text(OWN % (name, type_))
    async with namespace_of_its_own(installation, "explained") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        await installation.cluster.delete(APPLICATION, NAME, namespace=namespace)
        applied = await appshield("apply", "-f", str(profile))
        assert applied.code == 0, applied.err
        try:
            listed = await appshield("profiles")
            assert f"{type_} not proved {name}" in " ".join(listed.out.split())
            written = await appshield("init", namespace)
            assert written.code == 0, written.err
            document.write_text(written.out)
            assert (await appshield("validate", "-f", str(document))).code == 0

            before = await appshield("explain", "-f", str(document))
            assert before.code == 0, before.err
            assert f"{type_} (document): not proved, Profile {name}" in before.out
            assert "volume data-db-0 of db: snapshot" in before.out
            assert "StatefulSet db makes it" in before.out
            assert before.out.splitlines()[-1] == "it is ready to be backed up"
            assert await installation.cluster.get(APPLICATION, namespace, namespace) is None

            assert (await appshield("apply", "-f", str(document))).code == 0
            after = await appshield("explain", f"{namespace}/{namespace}", "-o", "json")
            found = after.json()
            assert found["ready"] is True
            assert found["contents"]["consistency"] == "application"
            (part,) = found["application"]["components"]
            assert part["origins"]["quiesce"] == "profile"
            times = found["rules"][0]["next_times"]
            assert len(times) == 3
        finally:
            await installation.cluster.delete(PROFILE, name)
