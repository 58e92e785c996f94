"""Configuration files for the agents, from the services that a test has started.

Every function returns libconfig text.  A setting given as None is left out; `extra` is text put at the end as it is;
other keyword arguments become settings: text, numbers, booleans, lists and dictionaries turn into libconfig's own.
"""

from .mysql import agent_server_id


def value(python):
    """One value in libconfig's syntax.  Lists of dictionaries become ( ... ), other lists [ ... ]."""
    if isinstance(python, bool):
        return "true" if python else "false"
    if isinstance(python, int):
        # Without the L, libconfig 1.5 cuts what does not fit 32 bits.
        return str(python) if -2**31 <= python < 2**31 else f"{python}L"
    if isinstance(python, float):
        return repr(python)
    if isinstance(python, dict):
        return "{ " + " ".join(f"{key} = {value(one)};" for key, one in python.items() if one is not None) + " }"
    if isinstance(python, (list, tuple)):
        inner = ", ".join(value(one) for one in python)
        return f"( {inner} )" if any(isinstance(one, dict) for one in python) else f"[{inner}]"
    return '"' + str(python).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def settings(**pairs):
    """Lines `key = value;`, without those whose value is None."""
    return "".join(f"{key} = {value(one)};\n" for key, one in pairs.items() if one is not None)


def database(server, **more):
    """The group `database` for a server of the harness; keyword arguments replace or add settings."""
    kind = {} if server.kind == "postgresql" else {"type": server.kind}
    return {**kind, "hostname": server.host, "port": server.port, "user": server.user, "password": server.password,
            "dbname": server.dbname, **encryption(server), **more}


def encryption(server):
    """MySQL's accounts want an encrypted connection; its certificate names no host."""
    if server.kind == "mysql":
        return {"sslmode": "verify-ca", "sslrootcert": str(server.certificate)}
    return {"sslmode": "disable"}


def kafka_group(kafka, properties=(), **more):
    """The group `kafka`; `kafka` is a broker of the harness or the text of bootstrap_servers."""
    servers = kafka if isinstance(kafka, str) else kafka.bootstrap_servers
    return {"bootstrap_servers": servers, "properties": list(properties) or None, **more}


def capture_config(source, kafka, name="capture", topic_prefix="crm", tables=None, dbname=None, user=None,
                   password=None, partitions=None, kafka_properties=(), kafka_settings=None, database_settings=None,
                   extra="", **more):
    """The configuration of a capture agent that reads `source` (a Postgres, MariaDB or MySQL) and writes to `kafka`.

    tables: table_include_list.  Anything else that the agent knows goes into `more`, for example
    heartbeat_interval="10s", slot_name="...", delivery="idempotent", tombstones_on_delete=False.
    """
    login = _login(dbname, user, password, database_settings)
    pairs = {
        "name": name,
        "topic_prefix": topic_prefix,
        "log_format": "text",
        "log_level": "info",
        "kafka": kafka_group(kafka, kafka_properties, **{"partitions": partitions, **(kafka_settings or {})}),
        "database": database(source, **{**_as_replica(source, name), **login}),
        **({"slot_create": True, "publication_create": "filtered"} if source.kind == "postgresql" else {}),
        "table_include_list": _list(tables),
    }
    return settings(**{**pairs, **more}) + _lines(extra)


def _as_replica(source, name):
    return {} if source.kind == "postgresql" else {"server_id": agent_server_id(name)}


def apply_config(target, kafka, name="apply", topic_prefix="crm", include=None, tables=None, dbname=None, user=None,
                 password=None, kafka_properties=(), kafka_settings=None, database_settings=None, extra="", **more):
    """The configuration of an apply agent that reads `kafka` and writes to `target` (a Postgres, MariaDB or MySQL).

    include: table_include_list.  tables: the list `tables`, one dictionary for each, for example
    {"source": "public.customer", "target": "crm.customer", "column_rename": ["a=b"]}.
    """
    login = _login(dbname, user, password, database_settings)
    pairs = {
        "name": name,
        "topic_prefix": topic_prefix,
        "log_format": "text",
        "log_level": "info",
        "kafka": kafka_group(kafka, kafka_properties, **(kafka_settings or {})),
        "database": database(target, **login),
        "table_include_list": _list(include),
        "tables": _list(tables),
    }
    return settings(**{**pairs, **more}) + _lines(extra)


def _login(dbname, user, password, more):
    given = {"dbname": dbname, "user": user, "password": password, **(more or {})}
    return {key: one for key, one in given.items() if one is not None}


def _list(given):
    return None if given is None else list(given)


def _lines(extra):
    return extra if not extra or extra.endswith("\n") else extra + "\n"
