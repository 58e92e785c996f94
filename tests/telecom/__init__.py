"""A telecom operator's customer database, its copy in a CRM, and a call centre's work on it.

Used by the quickstart, by the end-to-end and fault tests and by the benchmarks, so that all of them mean the same thing.
"""
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
SOURCE_SQL = HERE / "source.sql"
TARGET_SQL = HERE / "target.sql"

# table -> columns in the source; the same names in the target but for RENAMED.
COLUMNS = {
    "customer": ["id", "name", "status", "status_reason", "vip", "external_id", "credit_limit", "credit_score",
                 "churn_risk", "open_tickets", "characteristic", "created_at", "last_modified"],
    "contact_medium": ["id", "customer_id", "medium", "address", "preferred", "reachable_from", "tags"],
    "billing_account": ["id", "customer_id", "account_no", "state", "balance", "rating", "bill_cycle_day",
                        "last_modified"],
    "product": ["id", "customer_id", "billing_account_id", "name", "status", "start_date", "termination_date",
                "monthly_price", "usage_ratio", "characteristic"],
    "party_interaction": ["id", "customer_id", "direction", "channel", "reason", "interaction_date", "transcript",
                          "recording", "seconds_to_answer"],
    "trouble_ticket": ["customer_id", "ticket_no", "severity", "ticket_type", "status", "description",
                       "resolution_date"],
    "audit_trail": ["at", "agent", "action", "customer_id"],
}
KEYS = {"customer": ["id"], "contact_medium": ["id"], "billing_account": ["id"], "product": ["id"],
        "party_interaction": ["id"], "trouble_ticket": ["customer_id", "ticket_no"], "audit_trail": []}
RENAMED = {("customer", "name"): "full_name"}
SOURCE_TABLES = [f"public.{name}" for name in COLUMNS]

# The value of each in every committed state; sampled in the target by readers during the load.
INVARIANTS = {
    "sum of balances": "SELECT coalesce(sum(balance), 0)::text FROM crm.billing_account",
    "open tickets": "SELECT ((SELECT coalesce(sum(open_tickets), 0) FROM crm.customer)"
                    " - (SELECT count(*) FROM crm.trouble_ticket WHERE status NOT IN ('resolved', 'closed')))::text",
}
INVARIANT_VALUES = {"sum of balances": ("0", "0.00"), "open tickets": ("0",)}


def apply_tables():
    """The setting `tables` of an apply agent that keeps the CRM."""
    tables = []
    for name in COLUMNS:
        one = {"source": f"public.{name}", "target": f"crm.{name}"}
        if name == "customer":
            one["column_exclude_list"] = ["birth_date"]
            one["column_rename"] = ["name=full_name"]
        tables.append(one)
    return tables


def select_source(table):
    """SQL that gives the table's rows as texts, in an order that does not depend on the server."""
    return _select(f"public.{table}", COLUMNS[table])


def select_target(table):
    return _select(f"crm.{table}", [RENAMED.get((table, c), c) for c in COLUMNS[table]])


def _select(table, columns):
    texts = ", ".join(f"{column}::text" for column in columns)
    order = ", ".join(f'{column}::text COLLATE "C"' for column in columns)
    return f"SELECT {texts} FROM {table} ORDER BY {order}"
