"""Server processes on free ports, with their processor time and memory."""

import contextlib
import os
import socket
import subprocess
import time

from . import settings

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def free_port():
    """Returns an unused TCP port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Running server."""

    def __init__(self, command, database_url=None):
        self.port = free_port()
        environment = quietline_environment(database_url)
        environment["QUIETLINE_LISTEN"] = f"127.0.0.1:{self.port}"
        if command[0] != settings.QUIETLINE:
            environment["QUIETLINE_WORKERS"] = str(settings.WORKERS)
        with open(settings.SERVER_LOG, "ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=log
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self):
        for _ in range(300):
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"{self._process.args[0]} exited at once: set BENCH_SERVER_LOG to a file"
                )
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self._process.args[0]} does not listen after 30 s")

    @property
    def url(self):
        """Base URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self):
        """Returns the processor time so far, in user and in system mode."""
        with open(f"/proc/{self._process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def peak_rss_mib(self):
        """Returns the peak of its memory."""
        with open(f"/proc/{self._process.pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    def stop(self):
        """Terminates the server. Kills it if it does not exit within 30 s."""
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def quietline_environment(database_url):
    """Returns the environment of a server or command, without the user's own settings."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("QUIETLINE_")
    }
    environment["QUIETLINE_JWT_SECRET"] = settings.JWT_SECRET
    if database_url is not None:
        environment["QUIETLINE_DATABASE_URL"] = database_url
    return environment


def quietline(database_url, *arguments):
    """Runs `quietline` with `arguments` and returns its output."""
    done = subprocess.run(
        [settings.QUIETLINE, *arguments],
        env=quietline_environment(database_url),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"quietline {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout
