"""Where things lie in the tree of a version: readable by any client of the repository format.

    appshield/version.json              what the version says about itself (`VersionFacts`)
    appshield/application.json          the captured application without its objects
    manifests/<kind>/<name>.json        one file for each object, as it is applied again
    volumes/<claim>/...                 the files of a volume
    dumps/<component>                   the output of a dump command
    images/<digest, with - for :>/...   an image as an OCI image layout, where it is archived

Tags of the snapshot document repeat the identities, so that a listing needs no tree.
"""

import json

import msgspec

from appshield.capture.captured import CapturedApplication, Object

VERSION_FILE = "appshield/version.json"
APPLICATION_FILE = "appshield/application.json"
MANIFESTS = "manifests"
VOLUMES = "volumes"
DUMPS = "dumps"
IMAGES = "images"


def run_tag(run: str) -> str:
    """Tag a version with the run that made it."""
    return f"appshield:run={run}"


def version_tag(number: int) -> str:
    """Tag a version with its number."""
    return f"appshield:version={number}"


def app_tag(app_id: str) -> str:
    """Tag a version with its application."""
    return f"appshield:app={app_id}"


def volume_source(claim: str) -> str:
    """Name the source of a volume."""
    return f"{VOLUMES}/{claim}"


def dump_source(component: str) -> str:
    """Name the source of a dump."""
    return f"{DUMPS}/{component}"


def image_source(digest: str) -> str:
    """Name the source of an archived image."""
    return f"{IMAGES}/{digest.replace(':', '-')}"


def files_of(application: CapturedApplication) -> dict[str, bytes]:
    """Lay the captured application out as files below the root of a version."""
    files = {manifest_path(obj): _readable(obj) for obj in application.objects}
    without_objects = msgspec.structs.replace(application, objects=())
    files[APPLICATION_FILE] = without_objects.encode()
    return files


def manifest_path(obj: Object) -> str:
    """Name the file of an object: its kind with group, then its name.

    Names of objects hold no `/`; `:` occurs in names of roles and is a legal name of a file.
    """
    group = str(obj.get("apiVersion", "v1")).rpartition("/")[0]
    return manifest_file(group, str(obj.get("kind", "")), obj["metadata"]["name"])


def manifest_file(group: str, kind: str, name: str) -> str:
    """Name the file of an object whose group, empty for the core one, kind and name are known."""
    folder = f"{kind.lower()}.{group}" if group else kind.lower()
    return f"{MANIFESTS}/{folder}/{name}.json"


def _readable(obj: Object) -> bytes:
    return json.dumps(obj, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
