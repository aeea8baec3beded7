"""What routes are given besides what a request says: who asks, and what they are built on."""

from typing import TypeAlias

from litestar.di import NamedDependency

from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller

AsCaller: TypeAlias = NamedDependency[Caller]
OnBackend: TypeAlias = NamedDependency[Backend]
