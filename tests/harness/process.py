"""One child process: started so that it cannot outlive Python, logged to a file, stopped or killed by its id.

- `setpriv --pdeathsig` makes the kernel signal the child when its parent dies, even by SIGKILL.  The kernel means the
  parent *thread*, so one thread that lives as long as Python starts every child.
- A pid file holds the id and the start time, so that a later run can end what an earlier one left, and nothing else.
"""

import atexit
import os
import signal
import subprocess
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .wait import wait_until

_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="harness-spawner")
_running = weakref.WeakSet()


class ProcessDied(AssertionError):
    """A process ended while something was still expected of it."""


def start_time(pid):
    """When a process was started, in clock ticks after boot; None if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def children(pid):
    """The ids of a process's children."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def kill_tree(pid):
    """SIGKILL to a process and all below it; it is stopped first so that it starts no more of them."""
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return
    for child in children(pid):
        kill_tree(child)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_leftover(pid_file):
    """Ends the process that a pid file of an earlier run names, if it is still that process."""
    try:
        pid, started = map(int, Path(pid_file).read_text().split())
    except (FileNotFoundError, ValueError):
        return
    if start_time(pid) == started:
        below = children(pid)
        kill_tree(pid)
        wait_until(lambda: not any(map(start_time, [pid, *below])), 10, f"the end of leftover process {pid}")
    Path(pid_file).unlink(missing_ok=True)


def tail(path, lines=20):
    """The last lines of a log file, for a message."""
    try:
        text = Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])


class Process:
    """A program running in the background, its standard output and error appended to a log file."""

    def __init__(self, command, log, pid_file, cwd=None, env=None, death_signal="KILL", privileges=()):
        self.command = [str(part) for part in command]
        self.log = Path(log)
        self.pid_file = Path(pid_file)
        self.expected_end = False
        kill_leftover(self.pid_file)
        wrapped = ["setpriv", "--pdeathsig", death_signal, *privileges, *self.command]
        with open(self.log, "ab") as output:
            self.popen = _spawner.submit(
                subprocess.Popen, wrapped, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True).result()
        self.pid = self.popen.pid
        self.pid_file.write_text(f"{self.pid} {start_time(self.pid) or 0}\n")
        _running.add(self)

    @property
    def returncode(self):
        """None while it runs, then its exit status, or minus the number of the signal that ended it."""
        return self.popen.poll()

    @property
    def running(self):
        return self.returncode is None

    def check(self, what):
        """Raises ProcessDied, with the end of the log, if the process has ended."""
        if not self.running:
            raise ProcessDied(f"{self.command[0]} ended with status {self.returncode} while waiting for {what}; "
                              f"the end of {self.log}:\n{tail(self.log)}")

    def send(self, number):
        if self.running:
            self.popen.send_signal(number)

    def wait(self, timeout):
        """Waits for its end and returns the exit status; raises subprocess.TimeoutExpired."""
        status = self.popen.wait(timeout)
        self.pid_file.unlink(missing_ok=True)
        _running.discard(self)
        return status

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Asks the process to end and returns its exit status; kills it, and raises, if it has not after `timeout`."""
        self.send(number)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.command[0]} did not end within {timeout} s of {signal.Signals(number).name} "
                               f"and was killed; the end of {self.log}:\n{tail(self.log)}") from None

    def kill(self):
        """SIGKILL to the process and all below it; returns when all of them are gone."""
        if self.running:
            below = children(self.pid)
            kill_tree(self.pid)
            self.popen.wait(10)
            wait_until(lambda: not any(map(start_time, below)), 10, "the end of killed processes", interval=0.005)
        return self.wait(10)


def _kill_all():
    for process in list(_running):
        try:
            process.kill()
        except Exception:  # one that resists must not save the others
            pass


atexit.register(_kill_all)


class Service:
    """What Postgres, Kafka and Agent have in common: a name, a folder of its own, one process, a log, measurements."""

    def __init__(self, directory, name):
        self.name = name
        self.directory = Path(directory).absolute() / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / f"{name}.log"
        self.pid_file = self.directory / f"{name}.pid"
        self.process = None

    @property
    def running(self):
        return self.process is not None and self.process.running

    @property
    def pid(self):
        if self.process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.process.pid

    @property
    def returncode(self):
        return self.process.returncode if self.process else None

    def kill9(self):
        """SIGKILL, to all of its processes at once: what a crash of the machine looks like to everyone else."""
        if self.process is not None:
            self.process.kill()

    def pause_process(self):
        """SIGSTOP: the service hangs, with its connections open."""
        self.process.send(signal.SIGSTOP)

    def resume_process(self):
        self.process.send(signal.SIGCONT)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _status_bytes(self, field):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise ProcessDied(f"{self.name} has no {field}: it has ended")

    def rss_bytes(self):
        """Resident memory of its main process now."""
        return self._status_bytes("VmRSS")

    def peak_rss_bytes(self):
        """The most resident memory that its main process ever had since its start."""
        return self._status_bytes("VmHWM")

    def cpu_seconds(self):
        """Processor time of the process, and of those of its children that are running or have ended."""
        total = 0
        for pid in [self.pid, *children(self.pid)]:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += sum(int(field) for field in (fields[11:15] if pid == self.pid else fields[11:13]))
        return total / os.sysconf("SC_CLK_TCK")

    def uptime(self):
        """Seconds since the process was started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - start_time(self.pid) / os.sysconf("SC_CLK_TCK")
