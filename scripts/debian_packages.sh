#!/usr/bin/env bash
# Installs Debian's Chromium and kubectl for the tests when they are missing and we may; otherwise says what is skipped.
# Always succeeds: a machine without them runs all other tests. Nothing here may wait for ever.
set -u
want=()
[ -x /usr/bin/chromium ] || want+=(chromium)
command -v kubectl >/dev/null || want+=(kubernetes-client)
[ ${#want[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Not installed and not ours to install here: ${want[*]}. The tests that need them are skipped by name."
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT

apt() {
  timeout --kill-after=10 "$1" apt-get -qq -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
    -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "${@:2}" >"$log" 2>&1 </dev/null
}

echo "Installing ${want[*]} for the tests…"
# What an interrupted installation left half done would make every further one fail.
timeout 120 dpkg --configure -a >/dev/null 2>&1 </dev/null
apt 180 update || echo "The package lists could not be renewed; going on with those that are there."
for package in "${want[@]}"; do
  apt 600 install -y --no-install-recommends "$package" || {
    echo "$package could not be installed; its tests are skipped by name. apt-get said:"
    tail -n 3 "$log"
  }
done
exit 0
