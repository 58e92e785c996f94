"""What a server itself says about its tables, rows and log, as the lines that tests/unit/capture_binlog_show.c prints.

Nothing here reads a binlog: rows come from SELECT before and after each statement, shapes from information_schema, and the rest
from SHOW BINLOG EVENTS.  So a line can only match if the decoder reads from the log what the server shows to its users.

    <end> format <server version>          <end> gtid <gtid> [begin] [xa=<xid>]     <end> query [use=<database>] <text>
    <end> xid <number>                     <end> xa [one_phase] <xid>               <end> annotate <text>
    <end> rotate <file> <offset>           <end> gtid_list <gtids>                  <end> previous_gtids <set>
    <end> stop                             (end: the offset behind the event; 0 if the log does not tell)
    catalogue <table> <columns>            what the catalogue says from here on, for decoders that ask
    table <table> <columns>                the first table map of this shape
    insert <table> new(...)                update <table> old(...)|key(...) new(...)        delete <table> old(...)|key(...)
    error <class> <text>                   the last line: here the decoder stops

In names and values, blanks, control characters and any of %,()=| are %XX; in statements, annotations and versions % and control characters.
"""

import calendar
import re
import struct

BLOBS = {"tinyblob", "blob", "mediumblob", "longblob", "tinytext", "text", "mediumtext", "longtext", "geometry", "point",
         "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection", "vector"}
GEOMETRY = {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection",
            "geomcollection"}
PLAIN = {"date": "date", "year": "year", "float": "float32", "double": "float64", "uuid": "uuid", "inet4": "string", "inet6": "string",
         "vector": "vector", "json": "json", "enum": "enum", "set": "set"}


def escape(text):
    return re.sub(r"[\x00-\x20%,()=|]", lambda found: f"%{ord(found[0]):02X}", text)


def escape_text(text):
    return re.sub(r"[\x00-\x1f%]", lambda found: f"%{ord(found[0]):02X}", text)


def words(column_type):
    """The quoted words in enum('a','b'), as they are stored."""
    return [word.replace("''", "'").replace("\\\\", "\\") for word in re.findall(r"'((?:[^'\\]|''|\\.)*)'", column_type)]


class Column:
    def __init__(self, row, mariadb, create):
        (self.name, self.data_type, self.column_type, self.charset, self.default, self.extra, key, self.fraction) = row
        self.mariadb = mariadb
        self.key = key == "PRI"
        self.generated = bool(re.search("VIRTUAL|STORED|PERSISTENT", self.extra, re.I))
        self.unsigned = "unsigned" in self.column_type
        self.numbers = [int(n) for n in re.findall(r"\d+", self.column_type.split("'")[0].split(")")[0])]
        self.json = self.data_type == "json" or (mariadb and f"json_valid(`{self.name}`)" in create)
        self.labels = words(self.column_type) if self.data_type in ("enum", "set") else []

    def type(self):
        kind, unsigned = self.data_type, self.unsigned
        if self.json:
            return "json"
        if kind in PLAIN:
            return PLAIN[kind]
        if kind in GEOMETRY:
            return "geometry"
        if kind in ("tinyint", "smallint", "mediumint", "int", "bigint"):
            signed, without = {"tinyint": ("int16", "int16"), "smallint": ("int16", "int32"), "mediumint": ("int32", "int32"),
                               "int": ("int32", "int64"), "bigint": ("int64", "uint64")}[kind]
            return without if unsigned else signed
        if kind == "decimal":
            return f"decimal:{self.numbers[0]}:{self.numbers[1]}"
        if kind == "bit":
            return f"bits:{self.numbers[0]}"
        if kind in ("time", "datetime", "timestamp"):
            name = {"time": "duration", "datetime": "timestamp", "timestamp": "timestamptz"}[kind]
            return f"{name}:{self.fraction or 0}"
        if kind in ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"):
            return "bytes"
        return "string"

    def shape(self):
        text = f"{escape(self.name)}={self.type()}{':key' if self.key else ''}"
        return text + (":" + "|".join(map(escape, self.labels)) if self.labels else "")

    def computed(self):
        """Whether a missing value is none that the catalogue can tell."""
        if re.search("generated|auto_increment", self.extra, re.I):
            return True
        return self.mariadb and self.default is not None and not re.fullmatch(r"NULL|-?[\d.]+(e[-+]?\d+)?|b?'.*'", self.default, re.S)

    def catalogue(self):
        default = "-" if self.default is None else "=" + escape(self.default)
        flags = ("j" if self.json else "-") + ("k" if self.key else "-") + ("c" if self.computed() else "-") + ("g" if self.generated else "-")
        return "|".join([escape(self.name), self.data_type, escape(self.column_type), self.charset or "", flags, default])

    def select(self):
        """The expressions that show a value without loss."""
        name, kind = f"`{self.name.replace('`', '``')}`", self.type().split(":")[0]
        if kind in ("float32", "float64"):
            return f"{name} + 0e0"
        if kind in ("bytes", "geometry", "vector"):
            return f"HEX({name})"
        if kind == "bits":
            return f"CAST({name} AS UNSIGNED)"
        if self.data_type == "enum":
            return f"IF({name} IS NULL, NULL, IF({name} + 0 = 0, '', CONCAT('=', {name})))"
        if self.data_type in ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "set") and not self.data_type == "json":
            return name
        return f"CAST({name} AS CHAR)"

    def show(self, value):
        if value is None:
            return "null"
        kind = self.type().split(":")[0]
        if kind in ("int16", "int32", "int64", "year"):
            return f"i:{int(value)}"
        if kind in ("uint64", "bits"):
            return f"u:{int(value)}"
        if kind in ("float32", "float64"):
            return "f:" + struct.pack(">d", float(value)).hex()
        if kind in ("bytes", "geometry", "vector"):
            return "x:" + value.lower()
        if kind in ("date", "timestamp", "timestamptz"):
            return ("t:" if is_date(value) else "e:") + escape(value)
        if kind == "duration":
            return "t:" + escape(value)
        if kind == "enum":
            return "s:" + escape(value[1:]) if value else "e:"
        return "s:" + escape(value)


def is_date(text):
    year, month, day = map(int, text[:10].split("-"))
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year or 2000, month)[1]


class Table:
    """One table as it is now."""

    def __init__(self, server, schema, name, labels=None):
        self.schema, self.name = schema, name
        rows = server.query("SELECT column_name, data_type, column_type, character_set_name, column_default, extra, column_key, datetime_precision "
                            "FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position", [schema, name])
        create = server.query(f"SHOW CREATE TABLE {self.quoted()}")[0][1]
        self.all = [Column([text.decode() if isinstance(text, bytes) else text for text in row], server.kind == "mariadb", create)
                    for row in rows]
        for column in self.all:  # information_schema shows characters beyond 16 bits as question marks
            column.labels = (labels or {}).get((name, column.name), column.labels)
        # There updates and deletes do not log generated columns, so that they are left out of everything.
        without = server.at_least("mariadb", 11, 5)
        self.columns = [column for column in self.all if not (without and column.generated)]
        self.keys = [column for column in self.columns if column.key]

    def quoted(self):
        return f"`{self.schema}`.`{self.name.replace('`', '``')}`"

    def title(self):
        return f"{escape(self.schema)}.{escape(self.name)}"

    def shape(self):
        return f"table {self.title()} {','.join(column.shape() for column in self.columns)}"

    def catalogue(self):
        return f"catalogue {self.title()} {','.join(column.catalogue() for column in self.all)}"

    def rows(self, server):
        """{key: {column: shown value}}, in the order of the key (without one: of the first column)."""
        order = self.keys or self.columns[:1]
        names = ", ".join(f"`{column.name.replace('`', '``')}`" for column in order)
        rows = server.query(f"SELECT {', '.join(column.select() for column in self.columns)} FROM {self.quoted()} ORDER BY {names}")
        shown = [{column.name: column.show(value) for column, value in zip(self.columns, row)} for row in rows]
        return {tuple(row[column.name] for column in order): row for row in shown}

    def image(self, word, row, names=None):
        columns = [column for column in self.columns if names is None or column.name in names]
        return f"{word}({','.join(f'{escape(column.name)}={row[column.name]}' for column in columns)})"

    def key_image(self, row):
        return self.image("key", row, {column.name for column in self.keys})

    def changes(self, old, new, image="full", assigned=None, moved=None):
        """What a statement did, by comparing.

        image: binlog_row_image; assigned: the columns an UPDATE names, and generated ones that follow from them.
        """
        blobs = {column.name for column in self.columns if column.data_type in BLOBS and not column.key}
        whole = image in ("full", "full_nodup") or not self.keys or (image == "noblob" and not blobs)
        moved = {(f"i:{a}",): (f"i:{b}",) for a, b in (moved or {}).items()}
        lines = []
        for key, row in old.items():
            before = self.image("old", row) if whole else self.key_image(row)
            to = moved.get(key, key)
            if to not in new:
                lines.append(f"delete {self.title()} {before}")
            elif new[to] != row or key in moved:
                after = dict(new[to])
                if not whole:
                    known = set(assigned or ()) | {column.name for column in self.keys}
                    if image != "minimal":
                        known |= {column.name for column in self.columns} - (blobs if image == "noblob" else set())
                    after = {name: value if name in known else "unchanged" for name, value in after.items()}
                lines.append(f"update {self.title()} {before} {self.image('new', after)}")
        lines += [f"insert {self.title()} {self.image('new', row)}" for key, row in new.items()
                  if key not in old and key not in moved.values()]
        return lines


# ---- The log ----

XID_COMMENT = re.compile(r" /\* xid=\d+ \*/$")


def sent_texts(sent):
    """MariaDB shows characters beyond 16 bits as four question marks: {what it shows: what was sent}."""
    return {re.sub("[\U00010000-\U0010ffff]", "????", text): text for text in sent}


def log_line(kind, info, sent):
    """The line for an event of SHOW BINLOG EVENTS, but for its end; None: nothing is to be shown for it."""
    if kind == "Format_desc":
        return "format " + escape_text(re.match(r"Server ver: (.*), Binlog ver: 4$", info)[1])
    if kind in ("Gtid", "Gtid_tagged_log_event", "Anonymous_Gtid"):
        found = re.search(r"GTID_NEXT= '(.*)'", info)
        if found:
            return "gtid " + found[1].lower()
        found = re.match(r"(BEGIN |XA START (\S+) )?GTID (\S+)", info)
        return f"gtid {found[3]}" + (" begin" if found[1] else "") + (f" xa={found[2]}" if found[2] else "")
    if kind in ("Query", "Query_compressed"):
        found = re.match(r"use `((?:[^`]|``)*)`; ", info)
        text = XID_COMMENT.sub("", info[found.end():] if found else info)
        text = sent.get(text, text)
        return "query " + (f"use={escape(found[1])} " if found else "") + escape_text(text)
    if kind == "Xid":
        return "xid " + re.search(r"xid=(\d+)", info)[1]
    if kind == "XA_prepare":
        found = re.match(r"XA (PREPARE|COMMIT) (\S+)( ONE PHASE)?$", info)
        return "xa " + ("one_phase " if found[3] else "") + found[2]
    if kind in ("Annotate_rows", "Rows_query"):
        text = info.removeprefix("# ") if kind == "Rows_query" else info
        return "annotate " + escape_text(sent.get(text, text))
    if kind == "Rotate":
        file, offset = info.split(";pos=")
        return f"rotate {file} {offset}"
    if kind == "Gtid_list":
        return "gtid_list " + info.strip("[]").replace(" ", "")
    if kind == "Previous_gtids":
        return "previous_gtids " + re.sub(r"\s", "", info)
    return "stop" if kind == "Stop" else None


def merge(events, statements, sent):
    """The lines of a log: its events in order, and at the end of each statement's rows what the statement did.

    statements: [{"lines", "shapes": {(schema, table): Table}}], in the order of the log. sent: the texts of all
    statements.
    """
    sent = sent_texts(sent)
    lines, waiting, shapes, catalogues = [], list(statements), {}, {}
    for _, kind, end, info in events:
        if kind == "Table_map":
            schema, name = re.match(r"table_id: \d+ \((.*?)\.(.*)\)$", info).groups()
            table = waiting[0]["shapes"].get((schema, name))
            if table is None and (schema, name) in shapes:
                continue  # MariaDB also maps the tables that only foreign keys touch
            if table is None:
                raise SystemExit(f"rows of {schema}.{name} come where {waiting[0]['sql']!r} is expected")
            if catalogues.get((schema, name)) != table.catalogue():
                lines.append(table.catalogue())
                catalogues[schema, name] = table.catalogue()
            if shapes.get((schema, name)) != table.shape():
                lines.append(table.shape())
                shapes[schema, name] = table.shape()
        elif "rows" in kind.lower() and "STMT_END_F" in info:
            lines += waiting[0]["lines"]
            if waiting.pop(0)["stops"]:
                return lines
        elif "rows" not in kind.lower() or kind in ("Annotate_rows", "Rows_query"):
            line = log_line(kind, info, sent)
            lines += [f"{end} {line}"] if line else []
    if waiting:
        raise SystemExit(f"these rows never came: {waiting[0]['sql']!r}")
    return lines
