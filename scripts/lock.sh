#!/usr/bin/env bash
# Pin every dependency with hashes, naming no package host.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$([ -x .venv/bin/uv ] && echo .venv/bin/uv || command -v uv)
"$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
  --extra demo --extra dev pyproject.toml -o requirements.lock
cd frontend
PATH="$PWD/../.venv/bin:$PATH" npm install --package-lock-only --omit-lockfile-registry-resolved=true --no-audit --no-fund
