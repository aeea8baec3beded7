"""What holds where a document says nothing: every default of the language, once.

Descriptions of fields quote these values and `resolving` fills them in; nothing else knows one.
"""

from typing import Final

TYPE: Final = "application"
CRITICALITY: Final = "silver"
IMAGES: Final = "pin"
FOLLOW: Final = True
STRATEGY: Final = "snapshot"
VOLUME_METHOD: Final = "auto"
ALLOW_LIVE: Final = False
SINGLE_VOLUME: Final = False
TIMEZONE: Final = "UTC"
MISSED: Final = "run-once"
TARGET: Final = "primary"
PRIORITY: Final = 0
ADDRESSING: Final = "path"
REGION: Final = "us-east-1"
PREFIX: Final = ""
LOCK_MODE: Final = "governance"
EXISTING: Final = "refuse"
RESTORE_APPROVAL: Final = "auto"
"""Of a Restore document: whoever wrote it has asked for it."""
REACTION_APPROVAL: Final = "manual"
"""Of a restore that a policy asks for: nobody looks at it."""

HOOK_TIMEOUT: Final = "30s"
"""Of quiesce and resume: an application waits while they run."""
COPY_TIMEOUT: Final = "1h"
"""Of dump and load: they move data."""
HOOK_ON_ERROR: Final = "fail"
HOOK_PODS: Final = "all"
COPY_PODS: Final = "any"
"""A dump of one replica is the data of all."""
