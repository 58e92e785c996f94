"""The whole line on real servers: customer database -> capture -> Kafka -> apply -> CRM.

Used by the quickstart, the end-to-end tests, the fault tests and the benchmarks. The agents get exactly the rights that the
documentation names: capture REPLICATION and SELECT, apply DML on its tables and a schema of its own.
"""
import telecom
from harness import config
from telecom.stream import Stream

CAPTURE_PASSWORD = "capture-Pa55word-canary"
APPLY_PASSWORD = "apply-Pa55word-canary"


class Line(Stream):
    """Servers and agents; after start() everything is streaming."""

    MARK_INTO = "INSERT INTO audit_trail VALUES (clock_timestamp(), 'drain', %s, NULL)"
    MARK_IN = "SELECT count(*) FROM crm.audit_trail WHERE action = %s"

    def __init__(self, stack, source_sql=telecom.SOURCE_SQL, target_sql=telecom.TARGET_SQL,
                 tables=telecom.SOURCE_TABLES, apply_tables=None, partitions=1, capture=None, apply=None,
                 server_settings=None, kafka=None, prefix="customer"):
        self.stack = stack
        self.prefix = prefix
        self.tables = list(tables)
        self.apply_tables = telecom.apply_tables() if apply_tables is None else apply_tables
        self.sql = (source_sql, target_sql)
        self.partitions = partitions
        self.capture_settings, self.apply_settings = capture or {}, apply or {}
        self.source = stack.postgres("customer-db", settings=server_settings)
        self.target = stack.postgres("crm-db", settings=server_settings)
        self.kafka = kafka or stack.kafka("kafka")

    def start(self, agents=True):
        self.stack.start(*[s for s in (self.source, self.target, self.kafka) if not s.running])
        self.prepare()
        if agents:
            self.start_agents()
        return self

    def prepare(self):
        """Databases, roles with the least grants, publication."""
        source_sql, target_sql = self.sql
        for postgres, sql in ((self.source, source_sql), (self.target, target_sql)):
            if sql:
                postgres.script(sql)
        schemas = sorted({table.split(".")[0] for table in self.tables})
        self.source.execute(f"CREATE ROLE tailrace_capture LOGIN REPLICATION PASSWORD '{CAPTURE_PASSWORD}'")
        for schema in schemas:
            self.source.execute(f"GRANT USAGE ON SCHEMA {schema} TO tailrace_capture")
        for table in self.tables:
            self.source.execute(f"GRANT SELECT ON {table} TO tailrace_capture")
        self.source.execute(f"CREATE PUBLICATION tailrace FOR TABLE {', '.join(self.tables)}")
        self.target.execute(f"CREATE ROLE tailrace_apply LOGIN PASSWORD '{APPLY_PASSWORD}'")
        self.target.execute("CREATE SCHEMA tailrace AUTHORIZATION tailrace_apply")
        for table in self.apply_tables:
            schema = table["target"].split(".")[0]
            self.target.execute(f"GRANT USAGE ON SCHEMA {schema} TO tailrace_apply")
            self.target.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {table['target']} TO tailrace_apply")

    def capture_config(self, **more):
        settings = {**self.common_settings(), "slot_name": "tailrace_customer", "publication_name": "tailrace",
                    "publication_create": "disabled", **self.capture_settings, **more}
        return config.capture_config(self.source, self.kafka, name=settings.pop("name", "customer-capture"),
                                     topic_prefix=self.prefix, tables=self.tables, user="tailrace_capture",
                                     password=CAPTURE_PASSWORD, partitions=self.partitions, **settings)

    def apply_config(self, **more):
        settings = {**self.common_settings(), **self.apply_settings, **more}
        return config.apply_config(self.target, self.kafka, name=settings.pop("name", "crm-apply"),
                                   topic_prefix=self.prefix, tables=self.apply_tables, include=self.tables,
                                   user="tailrace_apply", password=APPLY_PASSWORD, **settings)
