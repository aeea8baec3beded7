"""A fake API server on which something acts: controllers, a CSI driver, a kubelet, a container.

What they do they do at once after every write. Volumes and snapshots are folders, so that what
nobody removes any more is seen to be left. One application runs in it: a StatefulSet with one
volume, whose hooks touch and remove a file.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from appshield.contracts.identities import SYSTEM_NAMESPACE, AppRef
from appshield.kubernetes import Kind, Object, kinds
from appshield.podvolumes import RUN_LABEL, claims_of
from fake_exec import FakeExec
from fake_kubernetes import FakeKubernetes
from simulation.workers import NODE

CLAIM = "data-db-0"
ROWS = "rows"
"""The file of the volume: it says of which run it was cut, in which snapshot, and how."""
SETTINGS = {"greeting": "good day"}
AT_REST, AT_WORK = "at rest", "at work"
_DRIVER = "csi.example.org"
_SERVED = (
    kinds.NAMESPACE, kinds.POD, kinds.SECRET, kinds.CONFIG_MAP, kinds.PVC, kinds.PV,
    kinds.STATEFUL_SET, kinds.APPLICATION, kinds.PROFILE, kinds.VAULT, kinds.VOLUME_SNAPSHOT,
    kinds.VOLUME_SNAPSHOT_CONTENT, kinds.VOLUME_SNAPSHOT_CLASS,
)  # fmt: skip


class ActingKubernetes(FakeKubernetes):
    """See the module; everything outside of the API server is below `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.store.kinds = list(_SERVED)
        self.kubelet_root = folder / "kubelet"
        self.resting = folder / "resting"
        self._containers = FakeExec()
        self._folder_of_volumes = folder / "volumes"
        self._folder_of_snapshots = folder / "snapshots"
        self._contents: dict[str, Object] = {}
        self._volumes: set[str] = set()
        self._mounts: dict[str, tuple[Path, Path]] = {}
        for made in (self.kubelet_root, self._folder_of_volumes, self._folder_of_snapshots):
            made.mkdir()

    def snapshots_left(self) -> list[str]:
        """Name the snapshots that the driver still keeps."""
        return sorted(path.name for path in self._folder_of_snapshots.iterdir())

    def files(self, namespace: str) -> dict[str, str]:
        """Read what the volume of the application in a namespace holds; nothing without a claim."""
        if self.take(kinds.PVC, CLAIM, namespace) is None:
            return {}
        return {path.name: path.read_text() for path in self._volume_in(namespace).iterdir()}

    def let_differ(self, app: AppRef) -> None:
        """Stop an application, and let all that a restore brings back be something else."""
        if self.take(kinds.STATEFUL_SET, "db", app.namespace) is None:
            self.run(app)
        workload = self.store.get(kinds.STATEFUL_SET, app.namespace, "db")
        self.put({**workload, "spec": {**workload["spec"], "replicas": 0}})
        settings = self.store.get(kinds.CONFIG_MAP, app.namespace, "settings")
        self.put({**settings, "data": {"greeting": "good night"}})
        for name in (ROWS, "extra"):
            (self._volume_in(app.namespace) / name).write_text("written since")

    def _volume_in(self, namespace: str) -> Path:
        name: str = self.store.get(kinds.PVC, namespace, CLAIM)["spec"]["volumeName"]
        return self._folder_of_volumes / name

    def run(self, app: AppRef) -> None:
        """Let the application run, with all that it needs of its cluster."""
        for name in (app.namespace, SYSTEM_NAMESPACE):
            self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.put(_made("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", "csi", driver=_DRIVER))
        place = {"namespace": app.namespace}
        self.put(_made("v1", "ConfigMap", "settings", **place, data=SETTINGS))
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        self.put(_made("v1", "PersistentVolumeClaim", CLAIM, **place, spec=claim))
        mounted = {"name": "data", "mountPath": "/data"}
        container = {"name": "db", "image": "db:1", "volumeMounts": [mounted]}
        labels = {"app": "db"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        self.put(
            _made(
                "apps/v1",
                "StatefulSet",
                "db",
                **place,
                spec={
                    "replicas": 1,
                    "serviceName": "db",
                    "selector": {"matchLabels": labels},
                    "template": template,
                    "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
                },
            )
        )
        component = {
            "name": "db",
            "workload": {"kind": "StatefulSet", "name": "db"},
            "quiesce": {"command": ["touch", str(self.resting)]},
            "resume": {"command": ["rm", "-f", str(self.resting)]},
        }
        self.put(
            _made(
                "appshield.io/v1alpha1",
                "Application",
                app.name,
                **place,
                spec={"type": "web", "components": [component]},
            )
        )

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/exec"):
            return await self._containers.answer(request)
        return await super()._dispatch(request)

    def _tell(self) -> None:
        self._forget_what_is_gone()
        for claim in self._of(kinds.PVC, lacking="volumeName"):
            self._bind(claim)
        for workload in self._of(kinds.STATEFUL_SET):
            self._run_pods(workload)
        for pod in self._of(kinds.POD, lacking="nodeName"):
            self._place(pod)
        for snapshot in self._of(kinds.VOLUME_SNAPSHOT):
            if "status" not in snapshot:
                self._cut(snapshot)
        self._contents = {
            one["metadata"]["name"]: one for one in self._of(kinds.VOLUME_SNAPSHOT_CONTENT)
        }
        super()._tell()

    # the snapshot controller and the driver

    def _cut(self, snapshot: Object) -> None:
        meta, source = snapshot["metadata"], snapshot["spec"]["source"]
        now = datetime.now(UTC).isoformat()
        content = source.get("volumeSnapshotContentName")
        if content is None:
            content = f"snapcontent-{meta['uid']}"
            claim = self.store.get(
                kinds.PVC, meta["namespace"], source["persistentVolumeClaimName"]
            )
            self._write_rows(claim, meta)
            volume = self._folder_of_volumes / claim["spec"]["volumeName"]
            shutil.copytree(volume, self._folder_of_snapshots / content)
            made = {
                "driver": _DRIVER,
                "deletionPolicy": "Delete",
                "source": {"volumeHandle": claim["spec"]["volumeName"]},
                "volumeSnapshotRef": {"name": meta["name"], "namespace": meta["namespace"]},
            }
            status = {"snapshotHandle": content, "readyToUse": True}
            body = _made("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent", content, spec=made)
            self.store.write(kinds.VOLUME_SNAPSHOT_CONTENT, {**body, "status": status})
        snapshot["status"] = {
            "boundVolumeSnapshotContentName": content,
            "creationTime": now,
            "readyToUse": True,
            "restoreSize": "1Mi",
        }
        self.store.write(kinds.VOLUME_SNAPSHOT, snapshot)

    def _write_rows(self, claim: Object, of_snapshot: Object) -> None:
        """Let the application have written up to this moment."""
        how = AT_REST if self.resting.exists() else AT_WORK
        rows = f"{of_snapshot['labels'][RUN_LABEL]} {of_snapshot['uid']} {how}"
        (self._folder_of_volumes / claim["spec"]["volumeName"] / ROWS).write_text(rows)

    def _handle(self, content: Object) -> str:
        spec = content["spec"]
        handle = spec["source"].get("snapshotHandle") or content["status"]["snapshotHandle"]
        return str(handle)

    def _forget_what_is_gone(self) -> None:
        for name, before in self._contents.items():
            there = self.store.of(kinds.VOLUME_SNAPSHOT_CONTENT).get(("", name))
            bound = before["spec"]["volumeSnapshotRef"]
            address = (bound["namespace"], bound["name"])
            deletes = before["spec"]["deletionPolicy"] == "Delete"
            unbound = address not in self.store.of(kinds.VOLUME_SNAPSHOT)
            if there is not None and deletes and unbound:
                self.store.remove(kinds.VOLUME_SNAPSHOT_CONTENT, "", name)
                there = None
            if there is None and deletes:
                shutil.rmtree(self._folder_of_snapshots / self._handle(before), ignore_errors=True)
        pods = {pod["metadata"]["uid"] for pod in self.store.of(kinds.POD).values()}
        for uid in self._mounts.keys() - pods:
            mount, volume = self._mounts.pop(uid)
            if volume.name in self._volumes:
                mount.rename(volume)
            shutil.rmtree(self.kubelet_root / "pods" / uid)
        bound_now = {claim["spec"].get("volumeName") for claim in self.store.of(kinds.PVC).values()}
        for name in self._volumes - bound_now:
            self._volumes.discard(name)
            self.store.remove(kinds.PV, "", name)
            shutil.rmtree(self._folder_of_volumes / name, ignore_errors=True)

    # the other controllers, the scheduler and the kubelet

    def _bind(self, claim: Object) -> None:
        meta, spec = claim["metadata"], claim["spec"]
        name = f"pv-{meta['uid']}"
        folder = self._folder_of_volumes / name
        if "dataSource" in spec:
            of = self.store.get(
                kinds.VOLUME_SNAPSHOT, meta["namespace"], spec["dataSource"]["name"]
            )
            content = of["status"]["boundVolumeSnapshotContentName"]
            handle = self._handle(self.store.get(kinds.VOLUME_SNAPSHOT_CONTENT, "", content))
            shutil.copytree(self._folder_of_snapshots / handle, folder)
        else:
            folder.mkdir()
        csi = {"driver": _DRIVER, "volumeHandle": name}
        volume = {"csi": csi, "capacity": {"storage": "1Mi"}, "volumeMode": "Filesystem"}
        self.store.write(kinds.PV, _made("v1", "PersistentVolume", name, spec=volume))
        self._volumes.add(name)
        status = {"phase": "Bound", "capacity": {"storage": "1Mi"}}
        self.store.write(
            kinds.PVC, {**claim, "spec": {**spec, "volumeName": name}, "status": status}
        )

    def _run_pods(self, workload: Object) -> None:
        meta, spec = workload["metadata"], workload["spec"]
        name, namespace = f"{meta['name']}-0", meta["namespace"]
        runs = (namespace, name) in self.store.of(kinds.POD)
        if runs and not spec["replicas"]:
            self.store.remove(kinds.POD, namespace, name)
        if runs or not spec["replicas"]:
            return
        owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "controller": True}
        owner |= {"name": meta["name"], "uid": meta["uid"]}
        about = {
            "name": name,
            "namespace": namespace,
            "labels": spec["template"]["metadata"]["labels"],
            "ownerReferences": [owner],
        }
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}
        body = {**spec["template"]["spec"], "volumes": [volume]}
        self.store.write(kinds.POD, {"metadata": about, "spec": body})
        counts = dict.fromkeys(
            ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas"), 1
        )
        revision = {"currentRevision": "1", "updateRevision": "1"}
        seen = {"observedGeneration": meta["generation"]}
        self.store.write(kinds.STATEFUL_SET, {**workload, "status": counts | revision | seen})

    def _place(self, pod: Object) -> None:
        meta = pod["metadata"]
        spec = {**pod["spec"], "nodeName": NODE}
        self.store.write(kinds.POD, {**pod, "spec": spec, "status": {"phase": "Running"}})
        if RUN_LABEL not in meta.get("labels", {}):
            return  # what the application's own pods mount nobody reads here
        [claim] = claims_of(pod)
        name = self.store.get(kinds.PVC, meta["namespace"], claim)["spec"]["volumeName"]
        mounts = self.kubelet_root / "pods" / meta["uid"] / "volumes" / "kubernetes.io~csi"
        (mounts / name).mkdir(parents=True)
        facts = {"driverName": _DRIVER, "volumeHandle": name}
        (mounts / name / "vol_data.json").write_text(json.dumps(facts))
        volume = self._folder_of_volumes / name
        volume.rename(mounts / name / "mount")
        self._mounts[meta["uid"]] = (mounts / name / "mount", volume)

    def _of(self, kind: Kind, *, lacking: str = "") -> list[Object]:
        """List the objects of a kind, or those whose spec lacks something."""
        found = self.store.select(kind, lambda _: True)
        return [one for one in found if not lacking or lacking not in one["spec"]]


def _made(api_version: str, kind: str, name: str, *, namespace: str = "", **rest: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
