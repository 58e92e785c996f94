"""Rows of two servers, compared as Python values: each table as a multiset of tuples, in no order."""
import collections
import decimal
import json


def multiset(server, table, names, expressions):
    """The rows of a table: names of the columns, and what is selected for each.  The document `characteristic` is compared by content."""
    found = collections.Counter()
    for row in server.query(f"SELECT {', '.join(expressions)} FROM {table}"):
        found[tuple(_plain(name, value) for name, value in zip(names, row))] += 1
    return found


def _plain(name, value):
    if name == "characteristic" and value is not None:
        return json.dumps(json.loads(value), sort_keys=True)
    if isinstance(value, decimal.Decimal) and value == value.to_integral_value():
        return int(value)
    return bytes(value) if isinstance(value, (memoryview, bytearray)) else value


def differences(rows, tables, source, target):
    """{table: (rows at the source, rows in the target, rows that only one of them has)}; rows(server, table) gives multisets."""
    found = {}
    for table in tables:
        mine, copy = rows(source, table), rows(target, table)
        found[table] = (mine.total(), copy.total(), ((mine - copy) + (copy - mine)).total())
    return found
