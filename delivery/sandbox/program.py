"""One program under the supervisor: started, watched, started again, stopped in order."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from delivery.sandbox.claim import RunDirectory, kill_group
from delivery.sandbox.errors import CannotStart
from delivery.sandbox.launch import bound_to

QUICK = 5.0
"""A life shorter than this, in seconds, is a quick death; QUICK_DEATHS of them in a row are too many."""
QUICK_DEATHS = 5
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
POLL = 0.05
LONGEST_LINE = 8192
LAST_LINES = 20
LAST_LINES_WITHIN = 0.5

Output = Callable[[str, str], None]
"""Takes the name of a program and one line of what it says."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `command` is called before each start, so that it can write the files that the start needs.

    `ready` is asked until it says yes, in a thread. `before_stop` lets the program end its requests, in a thread too.
    """

    name: str
    command: Callable[[], Sequence[str]]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    ready: Callable[[], bool] = lambda: True
    ready_within: float = 20.0
    before_stop: Callable[[], None] | None = None
    stop_within: float = 15.0


class Running:
    """A program's lives. `gave_up` is set, to a text for people, when it keeps dying."""

    def __init__(self, program: Program, directory: RunDirectory, output: Output) -> None:
        self.program = program
        self.starts = 0
        self.gave_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._directory = directory
        self._output = output
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._died = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Starts it and returns when it is ready. Raises CannotStart with what it said last."""
        try:
            await self._spawn()
        except OSError as error:
            raise CannotStart(f"{self.program.name} cannot be started: {error}") from error
        self._watch = asyncio.create_task(self._live())
        await self._until_ready()

    async def stop(self) -> None:
        """Asks it to end, waits for `stop_within`, and then ends it. What it started in its session ends too."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait([watch])
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            if self.program.before_stop is not None:
                with contextlib.suppress(Exception):  # it is ended anyway
                    await asyncio.to_thread(self.program.before_stop)
            kill_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self.program.stop_within)
        await self._end()

    async def kill(self) -> None:
        """Ends it at once."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if not self._died.is_set():  # then its group was ended already, and the number may be another's by now
                kill_group(process.pid, signal.SIGKILL)
            await process.wait()
            await self._hear_out()
            self._directory.ended(self.program.name)

    async def _spawn(self) -> None:
        self._died.clear()
        self._last_lines.clear()
        name, *arguments = self.program.command()
        found = shutil.which(name)
        if found is None:
            raise FileNotFoundError(f"there is no program {name}")
        command = bound_to(os.getpid(), [found, *arguments])
        # A pipe of our own: asyncio's would have wait() wait for whoever else inherited it.
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=self.program.env,
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends the others in order
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._listening = asyncio.create_task(self._listen(reading))
        self.starts += 1
        self._directory.runs(self.program.name, self._process.pid)

    async def _until_ready(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self.program.ready_within
        while not await asyncio.to_thread(self.program.ready):
            if self._died.is_set() or self.starts > 1:
                raise CannotStart(self._why("ended before it was ready"))
            if loop.time() > until:
                raise CannotStart(self._why(f"was not ready within {self.program.ready_within:g} s"))
            await asyncio.sleep(POLL)

    async def _live(self) -> None:
        """Waits for its end and starts it again, later and later, until it died quickly too often."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            born = loop.time()
            code = await self._until_dead()
            deaths = deaths + 1 if loop.time() - born < QUICK else 1
            self._said(f"ended with {_ending(code)}")
            if deaths >= QUICK_DEATHS:
                self.gave_up.set_result(self._why(f"ended {deaths} times within {QUICK:g} s of its start"))
                return
            await asyncio.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 4 ** (deaths - 1)))
            try:
                await self._spawn()
            except OSError as error:
                self.gave_up.set_result(f"{self.program.name} cannot be started again: {error}")
                return

    async def _until_dead(self) -> int:
        process = self._process
        assert process is not None
        code = await process.wait()
        kill_group(process.pid, signal.SIGKILL)  # what it started and left in its session
        await self._hear_out()
        self._died.set()
        return code

    async def _hear_out(self) -> None:
        """The last lines of a life that is over."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await asyncio.wait([listening], timeout=LAST_LINES_WITHIN)
            listening.cancel()

    async def _listen(self, reading: int) -> None:
        stream = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(stream)
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(reading, "rb"))
        try:
            await self._read(stream)
        finally:
            pipe.close()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while part := await stream.read(LONGEST_LINE):
            *lines, rest = (rest + part).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._said(line.decode(errors="replace"))
        if rest:
            self._said(rest.decode(errors="replace"))

    def _said(self, line: str) -> None:
        self._last_lines.append(line)
        self._output(self.program.name, line)

    def _why(self, what: str) -> str:
        said = "\n".join(f"  {line}" for line in self._last_lines) or "  (it said nothing)"
        return f"{self.program.name} {what}. Its last words:\n{said}"


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
