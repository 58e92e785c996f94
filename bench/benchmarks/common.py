"""What the benchmarks share: the 15-column table, its backlog, and the CPU of a server's processes."""
import os
from pathlib import Path

TABLE = """
CREATE TABLE bench (
	id bigint PRIMARY KEY, name text NOT NULL, status varchar(20) NOT NULL, reason text, birth_date date, vip boolean NOT NULL,
	external_id uuid NOT NULL, credit_limit numeric(12,2) NOT NULL, credit_score integer, churn_risk double precision,
	segment smallint NOT NULL, characteristic jsonb, created_at timestamptz NOT NULL, last_modified timestamp NOT NULL,
	address text NOT NULL)
"""
# About 330 bytes a row.
ROWS = """
INSERT INTO bench SELECT n, 'Customer number ' || n, 'active', CASE WHEN n %% 3 = 0 THEN 'moved to another tariff' END,
	date '1950-01-01' + (n %% 20000)::int, n %% 20 = 0, gen_random_uuid(), (n %% 1000000) / 100.0, (n %% 1000)::int, random(),
	(n %% 5)::smallint, jsonb_build_object('segment', 'B', 'channel', 'shop', 'points', n %% 977), clock_timestamp(), now(),
	'Street of the postal address ' || n || ', 1010 Wien, Austria, second floor, door 12'
FROM generate_series(%s::bigint, %s::bigint) n
"""
COLUMNS = ["id", "name", "status", "reason", "birth_date", "vip", "external_id", "credit_limit", "credit_score", "churn_risk",
           "segment", "characteristic", "created_at", "last_modified", "address"]
TICK = os.sysconf("SC_CLK_TCK")


def fill(postgres, rows, per_transaction=100):
    """The backlog: `rows` inserts in transactions of per_transaction, made by one procedure inside the server."""
    postgres.execute(f"""CREATE OR REPLACE PROCEDURE bench_fill(a bigint, b bigint, step bigint) LANGUAGE plpgsql AS $$
        BEGIN
            WHILE a <= b LOOP
                EXECUTE $q${ROWS.replace('%%', '%').replace('%s::bigint', '$1', 1).replace('%s::bigint', '$2', 1)}$q$
                    USING a, least(a + step - 1, b);
                COMMIT;
                a := a + step;
            END LOOP;
        END $$""".encode())
    first = postgres.value("SELECT coalesce(max(id), 0) + 1 FROM bench")
    postgres.execute("CALL bench_fill(%s, %s, %s)", (first, first + rows - 1, per_transaction))


def cpu_of(pid):
    """CPU seconds that a process has used; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    except OSError:
        return 0.0
