"""Chooses the benchmarks, repeats them, prints tables and ratios."""
import argparse
import statistics
import sys

from . import apply_mysql, big_transaction, capture_mysql, capture_postgres, latency

ALL = {"capture-postgres": capture_postgres, "latency": latency, "big-transaction": big_transaction,
       "capture-mysql": capture_mysql, "apply-mysql": apply_mysql}


class Results:
    """Rows of a table and the ratios, over all repetitions."""

    def __init__(self):
        self.figures = {}  # (name, figure) -> (values, goal, at_least)

    def ratio(self, name, figure, value, goal, at_least):
        self.figures.setdefault((name, figure), ([], goal, at_least))[0].append(value)

    def show(self):
        for (name, figure), (values, goal, at_least) in self.figures.items():
            median = statistics.median(values)
            met = median >= goal if at_least else median <= goal
            print(f"ratio {name}.{figure} {median:.3f} min {min(values):.3f} max {max(values):.3f}"
                  f" goal {'>=' if at_least else '<='}{goal} {'met' if met else 'short'}")


def main():
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("names", nargs="+", choices=sorted(ALL))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    results = Results()
    for name in given.names:
        ALL[name].run(given, results)
    results.show()


if __name__ == "__main__":
    sys.exit(main())
