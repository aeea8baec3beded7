"""Container images where they are kept: read from a registry and brought back to one, by digest.

    reference = ImageReference.of("registry.example.org/shop/web:1@sha256:…")
    with Registry.reach(reference.host, hosts, credentials, purpose="pull") as registry:
        document = registry.document(reference.repository, reference.digest)

The distribution protocol of the Open Container Initiative, version 1.1. All calls block.
"""

from appshield.registry.client import ImageDocument, Registry, RegistryRefusedError
from appshield.registry.credentials import RegistryCredentials, credentials_in
from appshield.registry.documents import (
    INDEX_FILE,
    LAYOUT_FILE,
    Descriptor,
    blob_file,
    blobs_of,
    index_document,
    layout_document,
    manifest_for,
    manifests_of,
)
from appshield.registry.hosts import Purpose, RegistryHost, RegistryHosts
from appshield.registry.references import ImageReference

__all__ = [
    "INDEX_FILE",
    "LAYOUT_FILE",
    "Descriptor",
    "ImageDocument",
    "ImageReference",
    "Purpose",
    "Registry",
    "RegistryCredentials",
    "RegistryHost",
    "RegistryHosts",
    "RegistryRefusedError",
    "blob_file",
    "blobs_of",
    "credentials_in",
    "index_document",
    "layout_document",
    "manifest_for",
    "manifests_of",
]
