"""Kills a process of a service under test at an armed point; Python imports this at each start.

The service is started with this folder in ``PYTHONPATH`` and the names of its points in ``FAULT_POINTS``
(``module:Class.method:before``, one a line). A process that comes to a point for which the folder
``FAULT_POINTS_DIR`` has a file removes that file and kills itself, as a power cut would. The clock of a
process is ahead by the seconds in the file that ``FAULT_CLOCK`` names. The product has no code for this.
"""

import functools
import importlib.machinery
import inspect
import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

_FOLDER = os.environ.get("FAULT_POINTS_DIR", "")
_POINTS = os.environ.get("FAULT_POINTS", "").split()
_CLOCK = os.environ.get("FAULT_CLOCK", "")
_CLOCK_MODULE = "processor.clock"


def _reach(point):
    try:
        Path(_FOLDER, point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _disturbed(function, point):
    when = point.rpartition(":")[2]
    before, after = (point if when == word else None for word in ("before", "after"))

    @functools.wraps(function)
    def call(*args, **options):
        if before:
            _reach(before)
        result = function(*args, **options)
        if after:
            _reach(after)
        return result

    @functools.wraps(function)
    async def call_async(*args, **options):
        if before:
            _reach(before)
        result = await function(*args, **options)
        if after:
            _reach(after)
        return result

    return call_async if inspect.iscoroutinefunction(function) else call


def _off_s():
    return float(Path(_CLOCK).read_text() or 0)


def _ahead(function):
    @functools.wraps(function)
    def call():
        return function() + timedelta(seconds=_off_s())

    return call


def _set_clock(unix_time):
    time.time = lambda: unix_time() + _off_s()


def _disturb(module, points):
    for point in points:
        class_name, method = point.split(":")[1].split(".")
        owner = getattr(module, class_name)
        setattr(owner, method, _disturbed(owner.__dict__[method], point))


def _points_of(name):
    return [point for point in _POINTS if point.partition(":")[0] == name]


class _Finder:
    """Replaces the functions of the points, and the clock, as soon as their module was imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        points = _points_of(name)
        is_clock = bool(_CLOCK) and name == _CLOCK_MODULE
        wanted = points or is_clock
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if wanted else None
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            if is_clock:
                module.utc_now = _ahead(module.utc_now)
            _disturb(module, points)

        spec.loader.exec_module = exec_module
        return spec


if _FOLDER or _CLOCK:
    sys.meta_path.insert(0, _Finder)
    for name, module in list(sys.modules.items()):  # a fork begins with modules
        _disturb(module, _points_of(name))
if _CLOCK:
    _set_clock(time.time)
