#!/bin/sh
# Remakes the lock files from pyproject.toml, for Python >= 3.11 on any platform: every file named
# by its hash, none by its address, so that any mirror will do. Not needed to install or to test.
#
#   tools/lock.sh            keep what is locked, change only what pyproject.toml asks for
#   tools/lock.sh --upgrade  take the newest of everything
set -eu
cd "$(dirname "$0")/.."

if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    echo "uv is not here; installing it for this once" >&2
    "${PYTHON:-python3}" -m venv "$scratch"
    "$scratch/bin/pip" install --quiet uv
    uv="$scratch/bin/uv"
fi

lock() {  # lock FILE ARGUMENT...
    file=$1
    shift
    "$uv" pip compile --quiet --no-config --universal --python-version 3.11 \
        --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --output-file "$file" "$@" pyproject.toml >/dev/null
    echo "$file: $(grep -c '^[a-z]' "$file") packages"
}

lock requirements/run.txt --group build "$@"
# Everything of run.txt is in dev.txt, in the same versions.
lock requirements/dev.txt --group build --group dev --constraints requirements/run.txt "$@"
