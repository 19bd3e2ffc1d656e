#!/usr/bin/env bash
# Installs those servers of the real-server suite that are missing: on Debian and Ubuntu, as root.
# Elsewhere it says which are missing; their tests are skipped.
# No server is started, neither now nor when the machine boots.
set -euo pipefail

PATH="$PATH:/usr/sbin:/usr/local/sbin" # servers are not on everybody's

# program:package; apache2-bin is Apache without a service
servers="nginx:nginx-light haproxy:haproxy apache2:apache2-bin lighttpd:lighttpd node:nodejs"
missing=()
for one in $servers; do
  command -v "${one%:*}" >/dev/null || missing+=("${one#*:}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "Not installed, so their tests are skipped: ${missing[*]}"
  echo "Next, on Debian or Ubuntu: sudo $0"
  exit 0
fi

echo "Installing ${missing[*]}"
# Debian starts services as it installs them, unless this file says no (invoke-rc.d(8))
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
for service in nginx haproxy lighttpd; do
  case " ${missing[*]} " in
  *" $service"[\ -]*) # or it would start when the machine boots
    ! command -v systemctl >/dev/null || systemctl --quiet disable "$service" || true
    ;;
  esac
done
