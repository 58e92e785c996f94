import pytest
@pytest.mark.parametrize("cols", ["g geometry, h varchar(20)", "j json, h varchar(20)", "v vector(3), h varchar(20)", "a varchar(4) character set latin1, j json, b varbinary(4), h varchar(20)",
  "e enum('a','b'), s set('x'), h varchar(20)", "b binary(4), bl blob, t text, h varchar(20)","h varchar(20) INVISIBLE", "m int as (id+1), h varchar(20)"])
def test_x(make_pair, cols):
    pair = make_pair("mysql", "mysql", ["c"])
    pair.both(f"CREATE TABLE c (id int PRIMARY KEY, {cols})")
    if "m int as" in cols: pair.at_target("alter table c drop m, add m int")
    pair.start()
    pair.at_source("INSERT INTO c(id,h) VALUES (1, 'one')")
    pair.equal("c", columns="id,h")
