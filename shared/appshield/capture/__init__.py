"""What a version holds besides data: the captured application, and where everything lies in it.

The snapshotter writes a `CapturedApplication` into the Vault's staging, sealed; the uploader stores
it in the version; the restorer reads it from there. `layout` names the places in a version's tree,
`discretion` says what may be told of the words of a hook.
"""

from appshield.capture.captured import (
    CapturedApplication,
    CapturedComponent,
    CapturedHook,
    CapturedImage,
    CapturedVolume,
)
from appshield.capture.discretion import Discretion

__all__ = [
    "CapturedApplication",
    "CapturedComponent",
    "CapturedHook",
    "CapturedImage",
    "CapturedVolume",
    "Discretion",
]
