"""Kinds of changes: moved keys, unchanged TOAST, truncate, full identity, no key, changed shapes, hostile names, large rows."""
from harness import wait_until


def test_insert_update_delete_and_moved_keys(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, v text, UNIQUE (v))")
    pipe.start()
    pipe.at_source("INSERT INTO c SELECT n, 'v' || n FROM generate_series(1, 100) n")
    pipe.at_source("UPDATE c SET v = v || '!' WHERE id <= 50")
    pipe.at_source("UPDATE c SET id = -id WHERE id % 2 = 0")
    pipe.at_source("DELETE FROM c WHERE id % 5 = 0")
    pipe.at_source("BEGIN; UPDATE c SET id = 1000 WHERE id = 1; UPDATE c SET id = 1 WHERE id = 1000; COMMIT")
    pipe.wait_equal("c")


def test_unchanged_toast_keeps_its_value(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, big text, small integer)")
    pipe.both("ALTER TABLE c ALTER big SET STORAGE EXTERNAL")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, repeat('x', 100000), 1), (2, repeat('y', 50000), 1)")
    pipe.at_source("UPDATE c SET small = 2")
    pipe.at_source("UPDATE c SET id = 3 WHERE id = 2")  # a moved key with an unchanged big value
    rows = pipe.wait_equal("c")
    assert [len(row[0]) > 50000 for row in rows] == [True, True]


def test_truncate_of_tables_that_refer_to_each_other(pipe):
    pipe.both("CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY, a integer REFERENCES a)")
    pipe.start()
    pipe.at_source("INSERT INTO a VALUES (1), (2); INSERT INTO b (a) VALUES (1), (2)")
    pipe.wait_equal("b")
    pipe.at_source("BEGIN; INSERT INTO a VALUES (3); TRUNCATE a, b RESTART IDENTITY; INSERT INTO a VALUES (9); COMMIT")
    assert pipe.wait_equal("a") == [("(9)",)]
    pipe.wait_equal("b")


def test_full_identity_without_a_key(pipe):
    pipe.both("CREATE TABLE c (a integer, b text)")
    pipe.at_source("ALTER TABLE c REPLICA IDENTITY FULL")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, 'x'), (1, 'x'), (2, NULL), (NULL, NULL), (NULL, NULL)")
    pipe.at_source("DELETE FROM c WHERE ctid = (SELECT ctid FROM c WHERE a = 1 LIMIT 1)")
    pipe.at_source("UPDATE c SET b = 'z' WHERE a = 2")
    pipe.at_source("DELETE FROM c WHERE ctid = (SELECT ctid FROM c WHERE a IS NULL LIMIT 1)")
    assert len(pipe.wait_equal("c", order="1, t")) == 3


def test_replica_identity_using_an_index(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, code text NOT NULL, v integer)")
    pipe.both("CREATE UNIQUE INDEX c_code ON c (code)")
    pipe.at_source("ALTER TABLE c REPLICA IDENTITY USING INDEX c_code")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, 'a', 1), (2, 'b', 2)")
    pipe.at_source("UPDATE c SET v = 7, id = 5 WHERE id = 1")
    pipe.at_source("UPDATE c SET code = 'bb' WHERE id = 2")
    pipe.at_source("DELETE FROM c WHERE code = 'a'")
    pipe.wait_equal("c")


def test_shape_changes_in_mid_stream(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, v text)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1, 'old')")
    pipe.wait_equal("c")
    pipe.both("ALTER TABLE c ADD w integer DEFAULT 5")
    pipe.at_source("BEGIN; INSERT INTO c VALUES (2, 'new', 6); ALTER TABLE c ALTER v TYPE varchar(50);"
                   " INSERT INTO c VALUES (3, 'newer', 7); COMMIT")
    pipe.at_source("UPDATE c SET w = 8 WHERE id = 1")
    pipe.wait_equal("c")


def test_a_column_the_target_lacks_stops_apply_by_name_and_resume_goes_on(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY)")
    pipe.start()
    pipe.at_source("INSERT INTO c VALUES (1)")
    pipe.wait_equal("c")
    pipe.at_source("ALTER TABLE c ADD extra integer; INSERT INTO c VALUES (2, 3)")
    wait_until(lambda: not pipe.apply.running or pipe.apply.status()["state"] == "failed", 20, "apply to stop")
    assert '"extra"' in pipe.apply.log_text() and "public.c" in pipe.apply.log_text()
    pipe.at_target("ALTER TABLE c ADD extra integer")
    if pipe.apply.running:
        pipe.apply.post("/v1/resume")
    else:
        pipe.apply.start()
    pipe.wait_equal("c")


def test_hostile_names(pipe):
    names = ['we"ird', "semi;colon", "Großschrift", "with space", "select", "per%cent", "back\\slash", "x" * 63]
    columns = ", ".join('"' + n.replace('"', '""') + '" integer' for n in names)
    for n, name in enumerate(names):
        quoted = '"' + f"{name[:50]}{n}".replace('"', '""') + '"'
        pipe.both(f"CREATE TABLE {quoted} (id integer PRIMARY KEY, {columns})".replace("%", "%"))
    pipe.start()
    for n, name in enumerate(names):
        quoted = '"' + f"{name[:50]}{n}".replace('"', '""') + '"'
        pipe.at_source(f"INSERT INTO {quoted} VALUES (1, 1, 2, 3, 4, 5, 6, 7, 8)")
        pipe.at_source(f"UPDATE {quoted} SET \"select\" = 9")
    for n, name in enumerate(names):
        pipe.wait_equal('"' + f"{name[:50]}{n}".replace('"', '""') + '"')


def test_mapping_of_tables_and_columns(pipe):
    pipe.at_source("CREATE TABLE a (id integer PRIMARY KEY, name text, secret text, n integer);"
                   " CREATE TABLE b (id integer PRIMARY KEY); CREATE TABLE hidden (id integer PRIMARY KEY)")
    pipe.at_target("CREATE SCHEMA crm; CREATE TABLE crm.x (id integer PRIMARY KEY, full_name text, n integer);"
                   " CREATE TABLE crm.b (id integer PRIMARY KEY)")
    pipe.start(apply={"tables": [{"source": "public.a", "target": "crm.x", "column_exclude_list": ["secret"],
                                  "column_rename": ["name=full_name"]}],
                      "target_schema": "crm", "table_exclude_list": ["public.hidden"]})
    pipe.at_source("BEGIN; INSERT INTO hidden VALUES (1); INSERT INTO a VALUES (1, 'n', 'S', 2); INSERT INTO b VALUES (7);"
                   " INSERT INTO hidden VALUES (2); UPDATE a SET n = 3; COMMIT; INSERT INTO hidden VALUES (3);"
                   " INSERT INTO b VALUES (8)")
    pipe.wait_target("SELECT count(*) FROM crm.b", 2)
    assert pipe.rows(pipe.target, "crm.x") == [("(1,n,3)",)]


def test_a_row_of_twenty_megabytes(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, v bytea)")
    pipe.start()
    pipe.at_source("INSERT INTO c SELECT 1, string_agg(sha256(n::text::bytea), '') FROM generate_series(1, 20 * 32768) n")
    sql = "SELECT coalesce(max(md5(v)), '') FROM c"
    pipe.wait_target(sql, pipe.source.value(sql, dbname=pipe.dbname), timeout=60)


def test_a_large_transaction_is_atomic_and_memory_stays_small(pipe):
    pipe.both("CREATE TABLE c (id integer PRIMARY KEY, v text)")
    pipe.start()
    pipe.at_source("INSERT INTO c SELECT n, repeat('value ', 20) FROM generate_series(1, 300000) n")
    seen = set()

    def complete():
        seen.add(pipe.target.value("SELECT count(*) FROM c", dbname=pipe.dbname))
        return 300000 in seen
    pipe.wait_until(complete, 120, "the large transaction")
    assert seen <= {0, 300000}, "a reader saw a part of the transaction"
    for agent in (pipe.capture, pipe.apply):
        assert agent.peak_rss_bytes() < 64 * 2**20 or "asan" in str(agent.bindir), agent.peak_rss_bytes()
