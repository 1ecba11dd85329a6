# shellcheck shell=bash
# A bare Debian 12 root to try things in; sourced by the scripts of this folder.
#
# The script that sources it runs in a mount and a pid namespace of its own: whatever happens, no mount stays behind
# and no process outlives it. Sets $top, $root (made, or FOLDER) and $log; counts in $passed and $failed.

[ "$(id -u)" -eq 0 ] || { echo "$0: making a root needs root: sudo $0" >&2; exit 77; }
if [ -z "${MILLRACE_BARE:-}" ]; then
  MILLRACE_BARE=inside exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
fi
unset MILLRACE_BARE
top=$(cd "$(dirname "$0")/../.." && pwd)
passed=0 failed=0

choose_root() {  # [FOLDER]
  root=${1:-$(mktemp -d /var/tmp/millrace-bare-XXXXXX)}
  root=$(realpath "$root")
  log=$root.log
  : >"$log"
}

# Counts one check; its output goes to $log, and its end is shown when it fails.
check() {  # NAME COMMAND…
  local name=$1 start=$SECONDS; shift
  echo "=== $name" >>"$log"
  if "$@" >>"$log" 2>&1; then passed=$((passed + 1)); echo "ok $name ($((SECONDS - start)) s)"; else
    failed=$((failed + 1)); echo "FAILED $name ($((SECONDS - start)) s); the end of $log:"; tail -n 40 "$log"; return 1; fi
}

# Nothing of this machine's environment reaches the inside but what stands here. The root is mounted upon itself, since
# tests that make name spaces of their own need a root that is a mount.
inside() {  # SHELL-COMMAND
  unshare --mount --propagation private bash -c 'mount --rbind "$1" "$1" && exec chroot "$@"' inside "$root" \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    CI=true DEBIAN_FRONTEND=noninteractive MILLRACE_SHARED=/shared NODE_EXTRA_CA_CERTS=/etc/ssl/machine.crt \
    npm_config_cafile=/etc/ssl/machine.crt bash -c "$1"
}

# Debian 12, minimal. Of this machine: how apt reaches Debian's mirror, the name service, the CA bundle (beside the
# root's own, which the package ca-certificates writes anew) and, if CCACHE_DIR is set, that compiler cache.
make_root() {
  local mirror
  command -v debootstrap >/dev/null || apt-get -q install -y --no-install-recommends debootstrap || return 1
  mirror=$(sed -nE 's/^(URIs: |deb (\[[^]]*\] )?)(https?:[^ ]*debian\/?)( .*)?$/\3/p' /etc/apt/sources.list \
    /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
  mkdir -p "$root" && debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} || return 1
  read -r _ mirror _ <"$root/etc/apt/sources.list"
  # Debian's archives only: others' need keys that a bare root has not.
  {
    echo "deb $mirror bookworm main"
    echo "deb $mirror bookworm-updates main"
    echo "deb ${mirror%/}-security bookworm-security main"
  } >"$root/etc/apt/sources.list"
  apt-config dump Acquire | grep -E '^Acquire::(https?::(Proxy|[^:]+::Proxy)|Check-[A-Za-z-]+) ' >"$root/etc/apt/apt.conf.d/90machine"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  mkdir -p "$root/etc/ssl"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/machine.crt" || : >"$root/etc/ssl/machine.crt"
  mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys" || return 1
  if [ -n "${CCACHE_DIR:-}" ]; then
    mkdir -p "$CCACHE_DIR" "$root/root/.cache/millrace-ccache"
    mount --bind "$CCACHE_DIR" "$root/root/.cache/millrace-ccache" || return 1
  fi
}

# Removes the root unless something failed; prints the closing line; the status says whether all passed.
finish() {
  local place
  for place in root/.cache/millrace-ccache proc sys dev; do
    mountpoint -q "$root/$place" && umount -R -l "$root/$place"
  done
  if [ $failed -eq 0 ]; then rm -rf --one-file-system "$root" "$log"; else echo "kept: $root, $log"; fi
  echo "$passed passed, $failed failed"
  [ $failed -eq 0 ]
}
