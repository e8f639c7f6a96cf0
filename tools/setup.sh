#!/bin/sh
# Makes .venv and installs the locked packages and this checkout into it.
#
#   tools/setup.sh run   what Junctor needs to run
#   tools/setup.sh dev   and what its tests and checks need
#
# Nothing happens if nothing changed: the stamp holds a digest of all that decides the result. The
# environment is made anew if it is broken, half made, or was made for another place or Python.
# PYTHON chooses the interpreter; pip's own settings (PIP_INDEX_URL …) choose the registry.
set -eu
cd "$(dirname "$0")/.."

kind=${1:-run}
venv=.venv
python=$venv/bin/python

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

case $kind in run | dev) ;; *) fail "say 'run' or 'dev', not '$kind'" ;; esac

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" && { echo "$PYTHON"; return; }
        fail "PYTHON=$PYTHON is no Python 3.11 or newer." \
            "Leave PYTHON unset, or set it to the path of a newer one."
    fi
    for candidate in python3.13 python3.12 python3.11 python3; do
        new_enough "$candidate" && { echo "$candidate"; return; }
    done
    fail "no Python 3.11 or newer was found (looked for python3.13, 3.12, 3.11 and python3)." \
        "On Debian 12 or newer, or Ubuntu 24.04 or newer: apt-get install python3 python3-venv" \
        "If it lies elsewhere: make setup PYTHON=/path/to/python3"
}

# digest INTERPRETER KIND: all that an installed environment depends on, in one line.
digest() {
    "$1" - "$2" <<'EOF'
import hashlib, os, sys
kind = sys.argv[1]
parts = [os.getcwd(), sys.version, kind]
for name in ("pyproject.toml", f"requirements/{kind}.txt", "tools/setup.sh"):
    with open(name, "rb") as file:
        parts.append(hashlib.sha256(file.read()).hexdigest())
print(hashlib.sha256("\n".join(parts).encode()).hexdigest())
EOF
}

# A dev environment holds everything a run environment does.
is_ready() {
    [ -x "$python" ] || return 1
    for each in "$kind" dev; do
        stamp=$venv/.stamp-$each
        if [ -f "$stamp" ] && [ "$(digest "$python" "$each" 2>/dev/null)" = "$(cat "$stamp")" ]; then
            return 0
        fi
    done
    return 1
}

# The environment that is here can be brought up to date rather than made anew.
is_usable() {
    [ -f "$venv/.place" ] && [ "$(cat "$venv/.place")" = "$(pwd)" ] &&
        new_enough "$python" && "$python" -m pip --version >/dev/null 2>&1 || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$(version "$python")" ]
}

version() {
    "$1" -c 'import sys; print(sys.version)'
}

if [ -z "${PYTHON:-}" ] || is_usable; then
    if is_ready; then
        exit 0
    fi
fi

if ! is_usable; then
    base=$(find_python)
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$base has no 'venv' module." \
            "On Debian and Ubuntu: apt-get install python3-venv" \
            "(or the package of that very version, e.g. python3.11-venv)"
    echo "setup: making $venv with $("$base" --version)"
    rm -rf "$venv"
    "$base" -m venv "$venv" || fail "$base could not make $venv; its own words are above."
    pwd >"$venv/.place"
fi

rm -f "$venv/.stamp-run" "$venv/.stamp-dev"
echo "setup: installing the packages of requirements/$kind.txt"
# Wheels only: building a source package would fetch tools that no hash vouches for.
"$python" -m pip install --quiet --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: -r "requirements/$kind.txt" ||
    fail "pip could not install the packages; its own words are above." \
        "It needs a package registry: check the network, a proxy (HTTPS_PROXY) or pip's settings."
"$python" -m pip install --quiet --disable-pip-version-check --no-input \
    --no-deps --no-build-isolation --editable . ||
    fail "pip could not install Junctor itself; its own words are above."
# So that the first start is as quick as every other, also where Python may not write beside it.
"$python" -m compileall -q src/junctor || true
digest "$python" "$kind" >"$venv/.stamp-$kind"
echo "setup: done, in $venv"
