"""How commands reach the installation of this machine; and `appshield up`, which runs it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from appshield.bus import Bus
from appshield.cli.output import say
from appshield.contracts.agents import Agent
from appshield.contracts.streams import AGENTS
from appshield.errors import InvalidInputError, NotFoundError, UnavailableError
