#!/usr/bin/env bash
# Sees to sqlsmith, which makes up statements from a database's catalogue.
set -euo pipefail
cd "$(dirname "$0")"
command -v sqlsmith >/dev/null || ./install-packages.sh "to make up statements" sqlsmith
