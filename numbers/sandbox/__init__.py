"""A local stand-in for Twilio's and Telnyx's HTTP APIs, with memory.

Numbers bought here stay bought, can be listed, changed and released. What a number does when it
is bought is decided by its last four digits: see `SCENARIOS`. Standard library only.
"""

from .scenarios import SCENARIOS
from .server import SandboxServer

__all__ = ["SCENARIOS", "SandboxServer"]
