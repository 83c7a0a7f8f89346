#!/usr/bin/env bash
# Installs the catalog API's own client, at the versions of its lock, where node is at hand; otherwise says what is skipped.
set -u
cd "$(dirname "$0")/.."
target=var/npm
cmp -s tests/catalog/client/package-lock.json "$target/package-lock.json" && [ -d "$target/node_modules" ] && exit 0
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "node and npm are not installed: the conformance test with the catalog client is skipped by name."
  exit 0
fi
echo "Installing the catalog client for its test (once)…"
mkdir -p "$target"
cp tests/catalog/client/package.json tests/catalog/client/package-lock.json "$target/"
if ! npm ci --prefix "$target" --ignore-scripts --no-audit --no-fund --silent; then
  rm -rf "$target"
  echo "npm could not install it: the conformance test with the catalog client is skipped by name."
fi
exit 0
