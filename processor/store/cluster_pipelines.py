"""Pipelines and transactions of a cluster, in the form of those of one server."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError, WatchError
from redis import TimeoutError as RedisTimeoutError
from redis.client import Pipeline
from redis.exceptions import AskError, ClusterDownError, MovedError, NoScriptError, TryAgainError

ELSEWHERE = (AskError, TryAgainError, ClusterDownError)
"""Replies after which the library sends a command again; ``MovedError`` is an ``AskError``."""

NOT_REACHED = (RedisConnectionError, RedisTimeoutError)

Command = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments and options of a command, as redis-py collects them in a pipeline."""


class Router(Protocol):
    """What finds the nodes of a cluster: ``cluster.ClusterClient``."""

    connection_pool: Any
    response_callbacks: Any

    def node_for(self, args: Sequence[Any]) -> "Redis[Any]": ...
    def send_again(self, args: Sequence[Any], options: dict[str, Any]) -> Any: ...
    def follow(self, redirection: MovedError) -> None: ...
    def refresh(self) -> None: ...
    def script_load(self, script: Any) -> Any: ...


class NodesPipeline(Pipeline):  # type: ignore[type-arg]
    """Commands that are sent to all nodes of their keys at once; those of one node in order."""

    def __init__(self, client: Router) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, False, None)
        self._client = client

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The replies, as those of a pipeline to one server. Raises if one node cannot be reached."""
        commands = self.command_stack
        replies = self.execute_each()
        for reply in replies:
            if isinstance(reply, NOT_REACHED):
                raise reply
        if raise_on_error:
            self.raise_first_error(commands, replies)  # type: ignore[no-untyped-call]
        return replies

    def execute_each(
        self, last: Sequence[Any] = (), check: Callable[[Any, Any], Any] = lambda reply, _: reply
    ) -> list[Any]:
        """The replies, an error among them for each command of a node that cannot be reached.

        Each node gets the command ``last`` behind the others, and ``check`` gets each reply with the reply of
        its node to that one, or the error with which the node redirected the command.
        """
        commands, scripts, self.command_stack, self.scripts = self.command_stack, self.scripts, [], set()
        replies = self._send(commands, last, check)

        def send_again(which: type[Exception]) -> None:
            numbers = [number for number, reply in enumerate(replies) if isinstance(reply, which)]
            again = self._send([commands[number] for number in numbers], last, check)
            for number, reply in zip(numbers, again, strict=True):
                replies[number] = reply

        if any(isinstance(reply, NOT_REACHED) for reply in replies):
            self._client.refresh()
            send_again(RedisConnectionError)
        if scripts and any(isinstance(reply, NoScriptError) for reply in replies):
            for script in scripts:
                self._client.script_load(script.script)
            send_again(NoScriptError)
        return replies

    def _send(
        self, commands: Sequence[Command], last: Sequence[Any], check: Callable[[Any, Any], Any]
    ) -> list[Any]:
        replies: list[Any] = [None] * len(commands)
        parts: dict[int, _Part] = {}
        for number, (args, _) in enumerate(commands):
            node = self._client.node_for(args)
            parts.setdefault(id(node), _Part(node)).numbers.append(number)
        try:
            for part in parts.values():
                part.write([commands[number] for number in part.numbers], last)
            for part in parts.values():
                *of_part, confirmed = part.read() if last else [*part.read(), None]
                for number, reply in zip(part.numbers, of_part, strict=True):
                    replies[number] = check(reply, confirmed)
        finally:  # the time limit of a job may end any step
            for part in parts.values():
                part.release()
        in_vain: TryAgainError | None = None
        for number, reply in enumerate(replies):
            if isinstance(reply, ELSEWHERE):
                again = (
                    in_vain if in_vain and _waits(reply, commands[number]) else self._again(*commands[number])
                )
                in_vain = again if isinstance(again, TryAgainError) else in_vain
                replies[number] = check(again, reply if last else None)
        return replies

    def _again(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        try:
            return self._client.send_again(args, options)
        except RedisError as error:
            return error


def _waits(reply: Exception, command: Command) -> bool:
    """Whether a command waits until a slot has moved; one that waited in vain is enough for a pipeline."""
    (name, *args), _ = command
    has_moved = isinstance(reply, (MovedError, ClusterDownError))
    return isinstance(reply, TryAgainError) or (not has_moved and name == "EVALSHA" and int(args[1]) > 1)


class _Part:
    """The part of a pipeline that one node gets; errors of its connection become its replies."""

    def __init__(self, node: "Redis[Any]") -> None:
        self.numbers: list[int] = []
        self._node = node
        self._commands: list[Command] = []
        self._connection: Any = None
        self._unread = 0
        self._error: RedisError | None = None

    def write(self, commands: Sequence[Command], last: Sequence[Any]) -> None:
        self._commands = [*commands, *([(tuple(last), {})] if last else [])]
        pool = self._node.connection_pool
        try:
            self._connection = pool.get_connection()
            self._unread = len(self._commands)
            packed = self._connection.pack_commands([args for args, _ in self._commands])
            self._connection.send_packed_command(packed)
        except RedisError as error:
            self._error = error

    def read(self) -> list[Any]:
        replies: list[Any] = []
        try:
            while self._error is None and len(replies) < len(self._commands):
                replies.append(self._reply(*self._commands[len(replies)]))
                self._unread -= 1
        except NOT_REACHED as error:
            self._error = error
        return replies + [self._error] * (len(self._commands) - len(replies))

    def release(self) -> None:
        """Give back the connection; one with replies that were not read is closed."""
        if self._connection is not None:
            if self._unread:
                self._connection.disconnect()
            self._node.connection_pool.release(self._connection)

    def _reply(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        try:
            return self._node.parse_response(self._connection, args[0], **options)
        except NOT_REACHED:
            raise
        except RedisError as error:
            return error


class SlotTransaction(Pipeline):  # type: ignore[type-arg]
    """A transaction of the node that holds its keys, which lie in one slot.

    Where the slot has moved since the first WATCH, ``redis.WatchError`` says that the caller begins again.
    """

    def __init__(self, client: Router) -> None:
        super().__init__(None, client.response_callbacks, True, None)
        self._client = client

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send the command now where keys are watched, else with the transaction."""
        is_first = self.connection_pool is None
        if is_first:
            self.connection_pool = self._client.node_for(args).connection_pool
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except MovedError as error:
            self._follow(error)
            if is_first:
                return self.execute_command(*args, **options)
            raise WatchError("the slot of the watched keys has moved") from error
        except NOT_REACHED:
            self._client.refresh()
            raise

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Execute the transaction; one that watches nothing follows its slot."""
        commands, scripts, watching = self.command_stack, self.scripts, self.watching
        try:
            return list(super().execute(raise_on_error))
        except MovedError as error:
            self._follow(error)
            if watching:
                raise WatchError("the slot of the watched keys has moved") from error
            self.connection_pool = self._client.node_for(commands[0][0]).connection_pool
            self.command_stack, self.scripts = commands, scripts
            return list(super().execute(raise_on_error))
        except NOT_REACHED:
            self._client.refresh()
            raise

    def _follow(self, error: MovedError) -> None:
        self.reset()
        self.connection_pool = None
        self._client.follow(error)
