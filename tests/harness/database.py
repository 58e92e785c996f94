"""What PostgreSQL, MariaDB and MySQL have in common, so that a test can take any of the three."""

from .process import Service
from .wait import WaitTimeout, wait_until


class DatabaseServer(Service):
    """A kind of server gives connect(), start(), stop(mode), and in `unreachable` what its driver raises while it is down."""

    host = "127.0.0.1"
    unreachable = ()

    def wait_ready(self, timeout=60):
        def connects():
            self.process.check(f"{self.name} to take connections")
            with self.connect(connect_timeout=2):
                return True
        wait_until(connects, timeout, f"{self.name} to take connections", ignore=self.unreachable)
        return self

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def query(self, sql, parameters=None, dbname=None, **more):
        """All rows, each a tuple."""
        with self.connect(dbname, **more) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def value(self, sql, parameters=None, dbname=None):
        """The first column of the first row, or None if there is no row."""
        rows = self.query(sql, parameters, dbname)
        return rows[0][0] if rows else None

    def wait_value(self, sql, wanted, timeout=30, dbname=None):
        """Waits until a query's first value equals `wanted` (or satisfies it, if it is a function); returns it."""
        test = wanted if callable(wanted) else lambda value: value == wanted
        seen = []

        def reached():
            seen[:] = [self.value(sql, dbname=dbname)]
            return test(seen[0])
        try:
            wait_until(reached, timeout, f"{self.name}: {sql!r}", ignore=self.unreachable)
        except WaitTimeout as error:
            raise WaitTimeout(f"{error}; last value: {seen!r}, wanted: {wanted!r}") from None
        return seen[0]
