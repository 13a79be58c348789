"""Children are kept running and end together; every test runs real processes."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from processor.runtime.parent_watch import PARENT_FD
from processor.runtime.supervisor import Child, Supervisor
from tests.processor.runtime.conftest import CHILD, FORKING_SUPERVISOR, SUPERVISOR, Home, read_word, running
from tests.support.service import ROOT, until


def test_children_run_with_their_own_environment_and_end_by_sigterm(home: Home) -> None:
    with Supervisor([home.child("one"), home.child("two")]) as supervisor:
        calls = [home.call(), home.call()]
        assert {call.word for call in calls} == {"for-one", "for-two"}
        until(lambda: supervisor.pids() == {call.behaviour: call.pid for call in calls})
        assert all(os.getpgid(call.pid) == call.pid for call in calls)
    assert [call.rest() for call in calls] == ["SIGTERM\n", "SIGTERM\n"]
    assert supervisor.pids() == {}


def test_a_killed_child_is_started_again_and_the_others_stay(home: Home) -> None:
    with Supervisor([home.child("one"), home.child("two")]):
        first, second = sorted([home.call(), home.call()], key=lambda call: call.behaviour)
        os.kill(first.pid, signal.SIGKILL)
        again = home.call()
        assert again.behaviour == "one"
        assert again.pid != first.pid
        assert first.rest() == ""
    assert second.rest() == "SIGTERM\n"


def test_a_child_that_keeps_dying_is_started_again_and_again(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with Supervisor([home.child("dying")]):
        pids = {home.call().pid for _ in range(4)}
    assert len(pids) == 4
    died = [record for record in caplog.records if record.message == "Process died and is started again"]
    assert len(died) >= 3
    assert vars(died[0])["child"] == "dying"
    assert vars(died[0])["exit_code"] == 3


def test_a_child_that_cannot_be_started_does_not_disturb_the_others(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with Supervisor([Child("absent", ["/no/such/command"]), home.child("one")]):
        call = home.call()
    assert call.rest() == "SIGTERM\n"
    assert "Process could not be started" in caplog.messages


def test_a_child_that_does_not_end_in_time_is_killed(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    with Supervisor([home.child("stubborn", stop_after_s=0.05)]):
        call = home.call()
    assert call.rest() == ""
    assert "Process killed, for it did not end in time" in caplog.messages


def test_what_a_killed_child_left_behind_is_killed_too(home: Home) -> None:
    with Supervisor([home.child("parent")]):
        call = home.call()
        os.kill(call.pid, signal.SIGKILL)
        assert call.rest() == ""
        home.call()


def test_what_a_child_left_behind_when_it_ended_is_killed_too(home: Home) -> None:
    with Supervisor([home.child("parent")]):
        call = home.call()
    assert call.rest() == "SIGTERM\n"


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks are for Linux only")
either_way = pytest.mark.parametrize(
    "script",
    [pytest.param(SUPERVISOR, id="started"), pytest.param(FORKING_SUPERVISOR, id="forked", marks=on_linux)],
)


@either_way
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_supervisor_ends_everything_with_exit_code_0(
    home: Home, number: int, script: str
) -> None:
    with supervising(home, "one", "two", script=script) as supervisor:
        calls = [home.call(), home.call()]
        supervisor.send_signal(number)
        assert [call.rest() for call in calls] == ["SIGTERM\n", "SIGTERM\n"]
        assert supervisor.wait() == 0


SIGNALLED = """
import signal, sys, threading
from processor.runtime.supervisor import Child, Supervisor
def take_the_signal():
    sys.stdin.readline()
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=take_the_signal, daemon=True).start()
child = "import time; print('ready', flush=True); time.sleep(1000)"
sys.exit(Supervisor([Child("one", (sys.executable, "-c", child), {}, 60.0)]).run())
"""


def test_a_signal_that_another_thread_takes_ends_the_supervisor_too() -> None:
    """Ctrl-C was lost now and then: the main thread waited on, until the next signal came."""
    with subprocess.Popen(
        [sys.executable, "-c", SIGNALLED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.stdin.write(b"now\n")
            process.stdin.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


@either_way
def test_kill_9_of_the_supervisor_ends_its_children(home: Home, script: str) -> None:
    with supervising(home, "one", "stubborn", "parent", script=script) as supervisor:
        calls = {call.behaviour: call for call in (home.call(), home.call(), home.call())}
        supervisor.kill()
        assert calls["one"].rest() == "SIGTERM\n"
        assert calls["stubborn"].rest() == ""
        # Only its direct child hears of it; what that one starts is its own to end.
        assert read_word(calls["parent"].line) == "SIGTERM"
        os.killpg(calls["parent"].pid, signal.SIGKILL)


@on_linux
def test_a_forked_child_leads_a_group_is_started_again_and_ends_what_it_left_behind(home: Home) -> None:
    with supervising(home, "parent", "dying", script=FORKING_SUPERVISOR) as supervisor:
        calls = [home.call() for _ in range(4)]
        parent = next(call for call in calls if call.behaviour == "parent")
        assert os.getpgid(parent.pid) == parent.pid
        assert len({call.pid for call in calls}) == 4  # one of them dies again and again
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.rest() == ""
        again = next(call for call in iter(home.call, None) if call.behaviour == "parent")
        supervisor.terminate()
        assert again.rest() == "SIGTERM\n"
        assert supervisor.wait() == 0


@on_linux
def test_a_process_with_two_threads_does_not_fork() -> None:
    """A lock that the other thread holds would stay locked in the child."""
    script = (
        "import threading; from processor.runtime.forked_process import may_fork; print(may_fork());"
        "stop = threading.Event(); threading.Thread(target=stop.wait).start(); print(may_fork()); stop.set()"
    )
    argv = [sys.executable, "-c", script]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed.split() == ["True", "False"]


@on_linux
def test_a_fork_does_at_its_end_what_it_registered_itself_and_nothing_of_its_parent() -> None:
    """Before Python 3.13 a fork ends without it: the last report of an error, the last spans were lost."""
    script = (
        "import atexit, os; from processor.runtime.forked_process import ForkedProcess;"
        "atexit.register(os.write, 1, b'parent ');"
        "target = lambda: atexit.register(os.write, 1, b'child ') is None;"
        "assert ForkedProcess('one', target, env={}, close_fds=()).wait(60) == 0"
    )
    argv = [sys.executable, "-c", script]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed.split() == ["child", "parent"]


def test_a_process_started_by_hand_watches_nobody(home: Home) -> None:
    with running(home.argv("one")) as process:
        call = home.call()
        process.terminate()
        assert call.rest() == "SIGTERM\n"


def test_a_child_that_is_told_of_a_pipe_it_does_not_have_runs_all_the_same(home: Home) -> None:
    with running(home.argv("one"), env={**os.environ, PARENT_FD: "999"}) as process:
        call = home.call()
        process.terminate()
        assert call.rest() == "SIGTERM\n"


def supervising(
    home: Home, *behaviours: str, script: str = SUPERVISOR
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """A supervisor in a process of its own."""
    return running([sys.executable, "-c", script, "-c", CHILD, str(home.port), *behaviours])
