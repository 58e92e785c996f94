"""Billing: the billing database (MariaDB) and its copy in an ERP (PostgreSQL), and how both are compared to the cent.

The columns of each table are given with how either server says their value, so that equal values are equal Python objects.
"""
import collections
import pathlib

from harness import config
from telecom import compare
from telecom.stream import Stream

HERE = pathlib.Path(__file__).resolve().parent
SOURCE_SQL = HERE / "billing_source.sql"
TARGET_SQL = HERE / "billing_target.sql"

# table -> {column: (expression at MariaDB, expression at PostgreSQL)}; None: the column itself.
PLAIN = (None, None)
BITS = ("{} + 0", "{}::int")
SET = (None, "array_to_string({}, ',')")
INSTANT = (None, "{} AT TIME ZONE 'UTC'")
FLAG = (None, "{}::int")
TEXT = (None, "{}::text")
COLUMNS = {
    "customer_bill": {
        "id": PLAIN, "bill_no": PLAIN, "customer_id": PLAIN, "category": PLAIN, "run_type": PLAIN, "state": TEXT, "currency": PLAIN,
        "amount_due": PLAIN, "remaining_amount": PLAIN, "tax_rate": PLAIN, "bill_date": PLAIN, "payment_due_date": PLAIN,
        "billing_year": PLAIN, "delivery": SET, "dunning_level": PLAIN, "print_flags": BITS, "bill_document": PLAIN,
        "characteristic": TEXT, "created_at": INSTANT, "last_update": PLAIN},
    "applied_customer_billing_rate": {
        "bill_id": PLAIN, "rate_no": PLAIN, "rate_type": PLAIN, "name": PLAIN, "description": PLAIN, "is_billed": FLAG,
        "tax_excluded_amount": PLAIN, "tax_included_amount": PLAIN, "period_start": PLAIN, "period_end": PLAIN, "usage_bytes": PLAIN,
        "usage_time": PLAIN, "unit_price": PLAIN},
    "payment": {"id": PLAIN, "customer_id": PLAIN, "correlator_id": TEXT, "payment_method": PLAIN, "status": PLAIN, "currency": PLAIN,
                "amount": PLAIN, "payment_date": PLAIN, "payer_note": PLAIN},
    "payment_allocation": {"payment_id": PLAIN, "allocation_no": PLAIN, "bill_id": PLAIN, "amount": PLAIN, "allocated_at": PLAIN},
    "refund": {"id": PLAIN, "payment_id": PLAIN, "amount": PLAIN, "reason": PLAIN, "refund_date": PLAIN},
    "billing_log": {"at": PLAIN, "agent": PLAIN, "action": PLAIN, "bill_id": PLAIN},
}
RENAMED = {"applied_customer_billing_rate": "billing_rate"}  # in the ERP
SOURCE_TABLES = [f"billing.{table}" for table in COLUMNS]

# The number of rows that break a rule, in any committed state: none. {bill}, {rate} ... are the tables.
_RULES = {
    "bills that are not the sum of their rates":
        "SELECT count(*) FROM {bill} b WHERE b.amount_due <>"
        " (SELECT coalesce(sum(r.tax_included_amount), 0) FROM {rate} r WHERE r.bill_id = b.id)",
    "bills whose remaining amount is not what their allocations leave":
        "SELECT count(*) FROM {bill} b WHERE b.remaining_amount <> b.amount_due -"
        " (SELECT coalesce(sum(a.amount), 0) FROM {allocation} a WHERE a.bill_id = b.id)",
    "payments that gave more than they are":
        "SELECT count(*) FROM {payment} p WHERE p.amount <"
        " (SELECT coalesce(sum(a.amount), 0) FROM {allocation} a WHERE a.payment_id = p.id) +"
        " (SELECT coalesce(sum(f.amount), 0) FROM {refund} f WHERE f.payment_id = p.id)",
    "settled bills with something left, open ones without":
        "SELECT count(*) FROM {bill} WHERE (state = 'settled') <> (remaining_amount = 0)",
}
_TOTALS = ("SELECT (SELECT count(*) FROM {bill}), (SELECT coalesce(sum(amount_due), 0) FROM {bill}),"
           " (SELECT coalesce(sum(remaining_amount), 0) FROM {bill}), (SELECT coalesce(sum(tax_included_amount), 0) FROM {rate}),"
           " (SELECT coalesce(sum(amount), 0) FROM {payment}), (SELECT coalesce(sum(amount), 0) FROM {allocation}),"
           " (SELECT coalesce(sum(amount), 0) FROM {refund})")
Totals = collections.namedtuple("Totals", "bills due remaining rates payments allocations refunds")


def _tables(schema, rate):
    return {"bill": f"{schema}.customer_bill", "rate": f"{schema}.{rate}", "payment": f"{schema}.payment",
            "allocation": f"{schema}.payment_allocation", "refund": f"{schema}.refund"}


_SOURCE, _TARGET = _tables("billing", "applied_customer_billing_rate"), _tables("erp", "billing_rate")
# As in telecom.INVARIANTS: for readers of the ERP, during the load.
INVARIANTS = {name: f"SELECT ({rule.format(**_TARGET)})::text" for name, rule in _RULES.items()}
INVARIANT_VALUES = {name: ("0",) for name in _RULES}


def broken_rules(server):
    """{rule: number of rows that break it}, for those that are broken, at the billing database or in the ERP."""
    tables = _TARGET if server.kind == "postgresql" else _SOURCE
    counts = {name: server.value(rule.format(**tables)) for name, rule in _RULES.items()}
    return {name: count for name, count in counts.items() if count}


def totals(server):
    tables = _TARGET if server.kind == "postgresql" else _SOURCE
    return Totals(*server.query(_TOTALS.format(**tables))[0])


def reconcile(source, target):
    """(the line that says so, number of things that do not agree): both sides by themselves, and one against the other."""
    mine, erp = totals(source), totals(target)
    wrong = [f"{place}: {count} {name}" for place, server in (("billing", source), ("ERP", target))
             for name, count in broken_rules(server).items()]
    wrong += [f"{name}: {ours} at the source, {theirs} in the ERP" for name, ours, theirs in zip(Totals._fields, mine, erp)
              if ours != theirs]
    for one in (mine, erp):
        if one.due != one.rates or one.remaining != one.due - one.allocations:
            wrong.append(f"totals do not add up: {one}")
    if wrong:
        return "billing does not reconcile: " + "; ".join(wrong), len(wrong)
    return f"billing reconciles: {mine.bills} bills, total {mine.due:.2f} EUR at source and in the ERP", 0


def rows(server, table):
    """All rows of a table of the billing database or of the ERP, as telecom.compare has them."""
    postgres = server.kind == "postgresql"
    name = f"erp.{RENAMED.get(table, table)}" if postgres else f"billing.{table}"
    columns = [(forms[1 if postgres else 0] or "{}").format(column) for column, forms in COLUMNS[table].items()]
    return compare.multiset(server, name, COLUMNS[table], columns)


def differences(source, target):
    """{table: (rows at the source, rows in the ERP, rows that only one of them has)}."""
    return compare.differences(rows, COLUMNS, source, target)


def apply_tables():
    """The setting `tables` of the apply agent that keeps the ERP."""
    return [{"source": f"billing.{table}", "target": f"erp.{RENAMED.get(table, table)}"} for table in COLUMNS]


class Billing(Stream):
    """The stream from the billing database to the ERP: two servers and two agents with the least rights; the broker is given."""

    MARK_INTO = "INSERT INTO billing.billing_log VALUES (now(6), 'drain', %s, NULL)"
    MARK_IN = "SELECT count(*) FROM erp.billing_log WHERE action = %s"

    prefix = "billing"
    capture_password, apply_password = "billing-Pa55word-canary", "erp-Pa55word-canary"

    def __init__(self, stack, kafka, source=None, target=None, capture=None, apply=None):
        self.stack, self.kafka = stack, kafka
        self.source = source or stack.mariadb("billing-db")
        self.target = target or stack.postgres("erp-db")
        self.capture_settings, self.apply_settings = capture or {}, apply or {}

    def prepare(self):
        """Databases and roles."""
        self.source.script(SOURCE_SQL)
        self.target.script(TARGET_SQL)
        self.source.execute(f"CREATE USER tailrace_capture@'%' IDENTIFIED BY '{self.capture_password}';"
                            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tailrace_capture@'%';"
                            + "".join(f"GRANT SELECT ON {table} TO tailrace_capture@'%';" for table in SOURCE_TABLES))
        self.target.execute(f"CREATE ROLE tailrace_apply LOGIN PASSWORD '{self.apply_password}'")
        self.target.execute("CREATE SCHEMA tailrace AUTHORIZATION tailrace_apply")
        self.target.execute("GRANT USAGE ON SCHEMA erp TO tailrace_apply")
        self.target.execute("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA erp TO tailrace_apply")

    def capture_config(self, **more):
        settings = {**self.common_settings(), **self.capture_settings, **more}
        return config.capture_config(self.source, self.kafka, name=settings.pop("name", "billing-capture"), topic_prefix=self.prefix,
                                     dbname="billing", tables=SOURCE_TABLES, user="tailrace_capture", password=self.capture_password,
                                     **settings)

    def apply_config(self, **more):
        settings = {**self.common_settings(), **self.apply_settings, **more}
        return config.apply_config(self.target, self.kafka, name=settings.pop("name", "erp-apply"), topic_prefix=self.prefix,
                                   tables=apply_tables(), include=SOURCE_TABLES, user="tailrace_apply", password=self.apply_password,
                                   **settings)
