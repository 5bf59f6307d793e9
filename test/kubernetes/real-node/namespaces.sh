#!/usr/bin/env bash
# Namespaces of a node: network, mounts, processes and host name of its own.
#
#   namespaces.sh FOLDER ADDRESS CGROUP...
#
# They last until standard input ends: that is when whoever started this stops,
# or is killed. Linux then ends every process in them, and the cgroups go.
# Prints "ready" once daemons can be started inside.
set -euo pipefail
folder=$1 address=$2
shift 2

if [ "${QALQAN_INSIDE-}" = "" ]; then
  QALQAN_INSIDE=yes unshare --net --mount --pid --uts --fork --kill-child --mount-proc \
    bash "$0" "$folder" "$address" || true
  for cgroup in "$@"; do
    [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} +
  done
  exit
fi

# What daemons write beside the folder of the node stays in memory, unseen outside.
cd "$folder"
mount -t tmpfs tmpfs /run
mkdir /run/lock
for top in etc var; do
  mkdir -p /run/node/$top/{upper,work}
  mount -t overlay overlay -o "lowerdir=/$top,upperdir=/run/node/$top/upper,workdir=/run/node/$top/work" /$top
done
# The folder itself, reached as the working folder, also when it lies below one of those.
mkdir -p "$folder"
mount --no-canonicalize --bind . "$folder"
rm -f /etc/resolv.conf /etc/hosts
cp host/resolv.conf host/hosts /etc/
hostname "$(cat host/name)"

# Kernel-wide settings that the kubelet would change unless it reads what it wants.
for setting in host/sysctl/*; do
  file=/proc/sys/$(basename "$setting" | tr . /)
  [ ! -f "$file" ] || mount --bind "$setting" "$file"
done

# A pair of cables, one end in the other: an interface with an address and a carrier, and nobody behind it.
ip link set lo up
ip link add eth0 type veth peer name eth0-peer
ip address add "$address/24" dev eth0
ip link set eth0-peer up
ip link set eth0 up
ip route add default dev eth0
echo 1 >/proc/sys/net/ipv4/ip_forward
# Answers of a Service pass the node's translation also when both pods are on its bridge.
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables

echo ready
# As first process of its namespace, bash also collects what has ended without a parent.
while read -r _; do :; done
