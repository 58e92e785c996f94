"""Customers for the billing department: from the customer database (PostgreSQL) into MariaDB, by a second apply agent on the topics of the first.
"""
import telecom
from harness import config
from telecom import compare
from telecom.line import Line
from telecom.stream import Stream

TARGET_SQL = telecom.HERE / "customer_target.sql"
# table -> {column: expression at PostgreSQL, None: the column itself}; both sides give equal Python values.
UTC = "{} AT TIME ZONE 'UTC'"
COLUMNS = {
    "customer": {"id": None, "name": None, "status": "{}::text", "status_reason": None, "vip": "{}::int", "external_id": "{}::text",
                 "credit_limit": None, "credit_score": None, "churn_risk": "{}::float8", "open_tickets": None,
                 "characteristic": "{}::text", "created_at": UTC, "last_modified": None},
    "contact_medium": {"id": None, "customer_id": None, "medium": "{}::text", "address": None, "preferred": "{}::int",
                       "reachable_from": "{}::interval"},
    "billing_account": {"id": None, "customer_id": None, "account_no": None, "state": None, "balance": None, "bill_cycle_day": None,
                        "last_modified": UTC},
    "audit_trail": {"at": UTC, "agent": None, "action": None, "customer_id": None},
}
LEFT_OUT = {"customer": ["birth_date"], "contact_medium": ["tags"], "billing_account": ["rating"]}
# A 4-byte float is shown with 6 digits; as a double it shows what it is.
TARGET_FORMS = {("customer", "churn_risk"): "cast({} AS double)"}
SOURCE_TABLES = [f"public.{table}" for table in COLUMNS]


def apply_tables():
    tables = []
    for name in COLUMNS:
        one = {"source": f"public.{name}", "target": f"crm.{name}", "column_exclude_list": LEFT_OUT.get(name)}
        if name == "customer":
            one["column_rename"] = ["name=full_name"]
        tables.append(one)
    return tables


def rows(server, table):
    """All rows of a table, as telecom.compare has them."""
    if server.kind == "postgresql":
        columns = [(form or "{}").format(column) for column, form in COLUMNS[table].items()]
        name = f"public.{table}"
    else:
        columns = [TARGET_FORMS.get((table, column), "{}").format(telecom.RENAMED.get((table, column), column))
                   for column in COLUMNS[table]]
        name = f"crm.{table}"
    return compare.multiset(server, name, COLUMNS[table], columns)


def differences(source, target):
    """{table: (rows at the source, rows in MariaDB, rows that only one of them has)}."""
    return compare.differences(rows, COLUMNS, source, target)


class Customers(Stream):
    """The second apply agent of a Line; `target` is a MariaDB."""

    MARK_INTO, MARK_IN = Line.MARK_INTO, Line.MARK_IN
    password = "customers-Pa55word-canary"

    def __init__(self, line, target):
        self.line, self.stack, self.source, self.target = line, line.stack, line.source, target

    def prepare(self):
        self.target.script(TARGET_SQL)
        self.target.execute(f"CREATE USER tailrace_apply@'%' IDENTIFIED BY '{self.password}';"
                            "GRANT ALL ON tailrace.* TO tailrace_apply@'%';"
                            + "".join(f"GRANT SELECT, INSERT, UPDATE, DELETE ON crm.{table} TO tailrace_apply@'%';"
                                      for table in COLUMNS))

    def apply_config(self, **more):
        settings = {**self.common_settings(), **more}
        return config.apply_config(self.target, self.line.kafka, name="customers-apply", topic_prefix=self.line.prefix,
                                   dbname="crm", tables=apply_tables(), include=SOURCE_TABLES, user="tailrace_apply",
                                   password=self.password, **settings)
