#!/usr/bin/env bash
# Installs Debian's Chromium and kubectl for the tests when they are missing and we may; otherwise says what is skipped.
set -u
want=()
[ -x /usr/bin/chromium ] || want+=(chromium)
command -v kubectl >/dev/null || want+=(kubernetes-client)
[ ${#want[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Not installed and not ours to install here: ${want[*]}. The tests that need them are skipped by name."
  exit 0
fi
echo "Installing ${want[*]} for the tests…"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || true
for package in "${want[@]}"; do
  apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "$package could not be installed; its tests are skipped by name."
done
exit 0
