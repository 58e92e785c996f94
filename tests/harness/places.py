"""Where things are: the repository, the cache that tests/setup.sh fills, the servers' programs, the agents."""

import os
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def cache():
    """The folder that tests/setup.sh keeps its downloads in."""
    return Path(os.environ.get("TAILRACE_CACHE") or REPOSITORY / ".cache").absolute()


def agents():
    """The folder of the programs to test: TAILRACE_BINDIR, or where a build in the repository puts them."""
    return Path(os.environ.get("TAILRACE_BINDIR") or REPOSITORY).absolute()


def find_agent(program, bindir=None):
    """The path of an agent's program, in bindir itself or in the folder that its makefile builds it in."""
    bindir = Path(bindir or agents())
    tried = [bindir / program, bindir / program.removeprefix("tailrace-") / program]
    for path in tried:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"{program} is not built: looked for {' and '.join(map(str, tried))}")


def postgres_programs():
    """The programs of the newest PostgreSQL installed, as Debian lays them out."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if not found:
        raise FileNotFoundError("no PostgreSQL server in /usr/lib/postgresql: run tests/setup.sh")
    return max(found, key=lambda path: int(re.match(r"\d+", path.parent.name).group()))


def kafka_jars():
    """The broker's jars, in an order that does not change from one start to the next."""
    found = sorted((cache() / "kafka" / "libs").glob("*.jar"))
    if not found:
        raise FileNotFoundError(f"no Kafka in {cache() / 'kafka'}: run tests/setup.sh")
    return found


class Programs:
    """Where a MySQL or MariaDB installation is, and how its programs are run.

    prefix: what is /usr for it.  loader: the words before each program's path: nothing for an installed one; for a
    folder unpacked from another release, that release's own dynamic loader with its own libraries, so that it runs
    without chroot, mounts or root.
    """

    def __init__(self, prefix, loader=()):
        self.prefix = Path(prefix)
        self.loader = [str(word) for word in loader]
        self.share = next(path for path in (self.prefix / "share/mariadb", self.prefix / "share/mysql")
                          if (path / "charsets").exists())
        self.plugins = self.prefix / "lib/mysql/plugin"

    def command(self, *names):
        """The words that run the first of these programs that there is: command("mariadb", "mysql")."""
        for name in names:
            for folder in ("sbin", "bin"):
                path = self.prefix / folder / name
                if path.exists():
                    return [*self.loader, str(path)]
        raise FileNotFoundError(f"no {' or '.join(names)} in {self.prefix}: run tests/setup.sh")


class NotHere(FileNotFoundError):
    """A server that this machine could not be given; the text says why."""


def _unpacked(name, what):
    """The Programs of a folder that tests/setup.sh --all unpacked."""
    root = cache() / name / "root" / "usr"
    loaders = sorted(root.glob("lib*/ld-linux-*.so.*"))
    if (cache() / name / ".stamp").exists() and loaders:
        return Programs(root, [loaders[0], "--library-path", ":".join(map(str, root.glob("lib/*-linux-gnu")))])
    try:
        reason = (cache() / "notes" / f"no-{name}").read_text().strip()
    except FileNotFoundError:
        reason = "run tests/setup.sh --all"
    raise NotHere(f"no {what}: {reason}")


def mariadb_programs(version="10.11"):
    """The programs of MariaDB 10.11, which is Debian 12's own, or 11.8, from Debian sid.  Raises NotHere."""
    if version == "10.11":
        if not Path("/usr/sbin/mariadbd").exists():
            raise NotHere("no MariaDB 10.11: run tests/setup.sh")
        return Programs("/usr")
    return _unpacked("mariadb-11", "MariaDB 11")


def mysql_programs():
    """The programs of MySQL 9, from Debian sid.  Raises NotHere."""
    return _unpacked("mysql", "MySQL")
