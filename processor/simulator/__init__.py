"""Codat as a small WSGI app that holds its world in memory: for the demonstration and for tests.

It has an HTTP API, a Link page, messages of both generations, and a control API that triggers every change
that can happen at Codat. The service itself does not use it.
"""

from processor.simulator.clients import ProductClient, SimulatorClient
from processor.simulator.config import Generation, SimulatorConfig
from processor.simulator.player import play
from processor.simulator.server import SimulatorServer
from processor.simulator.stories import STORIES, Story, story_named

__all__ = [
    "STORIES",
    "Generation",
    "ProductClient",
    "SimulatorClient",
    "SimulatorConfig",
    "SimulatorServer",
    "Story",
    "play",
    "story_named",
]
