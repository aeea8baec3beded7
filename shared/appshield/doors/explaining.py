"""What a document means in a cluster: everything that is needed for that is read here."""

from datetime import datetime

import msgspec

from appshield.application.reading import read_document
from appshield.doors.effective_policies import effective_protection
from appshield.doors.explanation import Document, Explanation, explained_application
from appshield.doors.listing import objects_of
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import NAMESPACE, POLICY, VAULT
from appshield.language.in_force import document_in_force
from appshield.language.kinds import Application
from appshield.language.object_reading import find_problems


async def explained_object(cluster: Cluster, obj: Object, now: datetime) -> Explanation:
    """Explain what is in force of an Application object.

    Raises:
        DocumentError: its document is refused, and none was accepted before.
    """
    in_force, application = document_in_force(obj)
    refused = bool(find_problems(obj))
    status, generation = obj.get("status") or {}, obj["metadata"].get("generation")
    told = (
        "the last that was accepted; a newer one is refused"
        if refused
        else (f"in the cluster, generation {generation}")
    )
    saved_at = status.get("lastBackupAt")
    said = Document(
        told=told,
        app_id=str(status.get("applicationId") or ""),
        last_backup_at=datetime.fromisoformat(saved_at) if saved_at else None,
    )
    return await explained(cluster, in_force, application, said, now)


async def explained(
    cluster: Cluster, obj: Object, application: Application, said: Document, now: datetime
) -> Explanation:
    """Explain what a document means, which need not be applied."""
    place = application.metadata.namespace
    there = await cluster.get(NAMESPACE, place)
    plain: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}}
    reading = await read_document(cluster, obj, application, there or plain)
    vaults = [vault["metadata"]["name"] for vault in await objects_of(cluster, VAULT)]
    policies = await objects_of(cluster, POLICY)
    protection, problems = effective_protection(application, reading, policies)
    found = explained_application(reading, protection, vaults, said, now=now)
    return msgspec.structs.replace(found, warnings=(*problems, *found.warnings))
