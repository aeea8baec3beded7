"""What `appshield apply` tells the audit, over a real bus; who writes is whoever sits there."""

from pathlib import Path

import msgspec

from appshield.contracts.audit import AuditEvent
from appshield.contracts.streams import OBSERVATIONS
from appshield.doors.requesting import run_asked_by
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import BACKUP, VAULT
from command_line import Backstage, CommandLine, backstage
from fake_kubernetes import FakeKubernetes

DOCUMENT = """\
apiVersion: appshield.io/v1alpha1
kind: Vault
metadata: { name: primary }
spec:
  endpoint: https://s3.example.org/
  bucket: backups
  prefix: /team/shop/
  credentialsSecret: { namespace: appshield, name: s3 }
  caSecret: { namespace: appshield, name: s3-ca }
  objectLock: { days: 30 }
  keySecret: { namespace: appshield, name: root-key }
"""


async def test_a_document_is_on_record_before_it_is_written(tmp_path: Path) -> None:
    """That it begins, then how it went, also where the cluster refuses it; one request each."""
    file = tmp_path / "vault.yaml"
    file.write_text(DOCUMENT)
    async with backstage(tmp_path) as behind, FakeKubernetes() as fake:
        appshield = CommandLine(behind.home.folder, KUBECONFIG=fake.kubeconfig)
        refused = await appshield("apply", str(file))  # a cluster that knows no Vaults
        assert refused.code != 0
        fake.serve(VAULT)
        applied = await appshield("apply", str(file))
        assert applied.code == 0, applied.err
        assert await _told(behind) == ["begun", "refused", "begun", "succeeded"]
        events = await _events(behind)
    assert {(one.action, one.object, one.door) for one in events} == {
        ("write-document", "Vault primary", "local")
    }
    assert all("@" in one.actor for one in events)
    first, second, third, fourth = (one.request_id for one in events)
    assert first == second != third == fourth
    assert [one.cause for one in events] == ["", "", "", "generation 1"]


async def test_what_a_document_asks_for_is_named_where_it_was_written(tmp_path: Path) -> None:
    """By its run: the entries about that are of the object, which says who wrote it."""
    file = tmp_path / "backup.yaml"
    file.write_text(
        "apiVersion: appshield.io/v1alpha1\n"
        "kind: Backup\n"
        "metadata: { name: now, namespace: shop }\n"
        "spec: { application: shop }\n"
    )
    async with backstage(tmp_path) as behind, FakeKubernetes() as fake:
        fake.serve(BACKUP)
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        appshield = CommandLine(behind.home.folder, KUBECONFIG=fake.kubeconfig)
        applied = await appshield("apply", str(file))
        assert applied.code == 0, applied.err
        made = fake.take(BACKUP, "now", "shop")
        assert made is not None
        begun, ended = await _events(behind)
    assert (begun.run, ended.run) == ("", run_asked_by(made))


async def test_documents_can_be_applied_while_the_bus_is_down(tmp_path: Path) -> None:
    """As with kubectl; it says that the audit does not know."""
    file = tmp_path / "vault.yaml"
    file.write_text(DOCUMENT)
    async with backstage(tmp_path) as behind:
        home = behind.home
    async with FakeKubernetes() as fake, Cluster.connect(fake.access) as cluster:
        fake.serve(VAULT)
        said = await CommandLine(home.folder, KUBECONFIG=fake.kubeconfig)("apply", str(file))
        assert said.code == 0, said.err
        assert await cluster.get(VAULT, "primary") is not None
    assert "the audit does not know of this" in said.err


async def _events(behind: Backstage) -> list[AuditEvent]:
    stored = [one.body async for one in behind.bus.read(OBSERVATIONS)]
    return [msgspec.json.decode(body, type=AuditEvent) for body in stored]


async def _told(behind: Backstage) -> list[str]:
    return [one.outcome for one in await _events(behind)]
