"""What the benchmarks of MySQL and MariaDB share: the 15-column table, and its backlog made inside the server."""

TABLE = """
CREATE TABLE bench (
	id bigint PRIMARY KEY, name varchar(200) NOT NULL, status varchar(20) NOT NULL, reason text, birth_date date, vip tinyint(1) NOT NULL,
	external_id varchar(36) NOT NULL, credit_limit decimal(12,2) NOT NULL, credit_score int, churn_risk double,
	segment smallint NOT NULL, characteristic json, created_at timestamp(6) NOT NULL, last_modified datetime(6) NOT NULL,
	address varchar(200) NOT NULL) ENGINE=InnoDB
"""
# About 330 bytes a row, like the rows of the PostgreSQL benchmark.
ROWS = """
INSERT INTO bench SELECT n, concat('Customer number ', n), 'active', if(n % 3 = 0, 'moved to another tariff', NULL),
	date '1950-01-01' + interval n % 20000 day, n % 20 = 0, uuid(), (n % 1000000) / 100, n % 1000, rand(),
	n % 5, json_object('segment', 'B', 'channel', 'shop', 'points', n % 977), now(6), now(6),
	concat('Street of the postal address ', n, ', 1010 Wien, Austria, second floor, door 12')
FROM (SELECT start + seq AS n FROM seq_0_to_{last}) numbers
"""
FILL = """
CREATE OR REPLACE PROCEDURE bench_fill(start bigint, end bigint)
BEGIN
	WHILE start <= end DO
		{rows};
		SET start = start + {step};
	END WHILE;
END
"""


def fill(server, dbname, rows, per_transaction=100):
    """`rows` inserts in transactions of per_transaction (which divides rows)."""
    server.execute(FILL.format(rows=ROWS.format(last=per_transaction - 1), step=per_transaction), dbname=dbname)
    first = server.value("SELECT coalesce(max(id), 0) + 1 FROM bench", dbname=dbname)
    server.execute(f"CALL bench_fill({first}, {first + rows - 1})", dbname=dbname)
