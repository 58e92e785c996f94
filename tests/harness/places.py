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
