#!/bin/sh
# Checks that every #include goes where layers.txt allows it: our own headers by layer, third-party headers by owner.
cd "${TOP_SRCDIR:-$(dirname "$0")/../..}" || exit 1
rules=tests/lint/layers.txt
python3 - "$rules" <<'PY'
import pathlib, re, sys

allowed, owners = {}, {}
for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
    line = line.split("#")[0].strip()
    if not line:
        continue
    name, _, uses = line.rpartition(":") if line.startswith("<") else line.partition(":")
    (owners if name.startswith("<") else allowed)[name] = uses.split()


def layer(path):
    parts = path.split("/")
    if parts[0] == "lib":
        return "/".join(parts[:2])
    if parts[0] in ("capture", "apply"):
        return parts[0] + "/" + re.split(r"[_.]", parts[1])[0]
    return parts[0]


faults = []
files = sorted(p for top in ("lib", "capture", "apply", "tool") for p in pathlib.Path(top).rglob("*.[ch]"))
for path in files:
    here = layer(str(path))
    if here not in allowed:
        faults.append(f"{path}: its layer {here} is not in layers.txt")
        continue
    for number, text in enumerate(path.read_text().splitlines(), 1):
        own = re.match(r'\s*#\s*include\s+"([^"]+)"', text)
        foreign = re.match(r"\s*#\s*include\s+(<[^>]+>)", text)
        if own and own[1] != "config.h":
            there = layer(own[1])
            if there != here and there not in allowed[here]:
                faults.append(f"{path}:{number}: {here} may not use {there}")
            if not pathlib.Path(own[1]).exists():
                faults.append(f'{path}:{number}: "{own[1]}" is not written from the root')
        if foreign and foreign[1] in owners:
            if not any(here == o or str(path).startswith(o + "/") for o in owners[foreign[1]]):
                faults.append(f"{path}:{number}: {foreign[1]} belongs to {', '.join(owners[foreign[1]])}")
print("1..1")
for fault in faults:
    print("#", fault)
print("not ok 1 - layers" if faults else f"ok 1 - layers ({len(files)} files)")
sys.exit(1 if faults else 0)
PY
