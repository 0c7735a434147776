"""Client of Branchkeeper, which keeps the schema of a fleet of branch databases in step.

`connect` gives a client for threads, `branchkeeper.aio.connect` one for asyncio. `v1` has the messages.
"""

from . import v1
from ._errors import BranchkeeperError, Violation
from ._semantics import VERSION as __version__
from ._semantics import Reason
from .client import Client, connect

__all__ = ["BranchkeeperError", "Client", "Reason", "Violation", "__version__", "connect", "v1"]
