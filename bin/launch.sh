#!/bin/sh
# Starts the server without a process in between: finds the pinned Node and becomes it. Called by bin/clusterdns, which does
# the same in JavaScript where this cannot (no pinned Node beside the package).
self=$(readlink -f "$1") || exit 1
shift
package=${self%/bin/*}

case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) arch=none ;;
esac
node=
dir=$package
while :; do
  if [ -x "$dir/node_modules/node-linux-$arch/bin/node" ]; then
    node=$dir/node_modules/node-linux-$arch/bin/node
    break
  fi
  [ -n "$dir" ] || exec node "$self" "$@"
  dir=${dir%/*}
done

# The built server when it is there and not older than its source, else the source itself.
main=$package/dist/lib/control/main.js
if [ -d "$package/lib" ]; then
  if [ ! -f "$main" ] || [ -n "$(find "$package/lib" -name '*.ts' -newer "$main" -print -quit)" ]; then
    main=$package/lib/control/main.ts
  fi
fi

# The smallest memory limit of this process's cgroup and those above it, in bytes.
limit=
consider() {
  read -r value 2>/dev/null <"$1" || return 0
  case $value in
    *[!0-9]* | '' | ????????????????*) return 0 ;; # "max", or version 1's number for no limit
  esac
  if [ -z "$limit" ] || [ "$value" -lt "$limit" ]; then limit=$value; fi
}
walk() {
  at=$1
  while [ -n "$at" ]; do
    consider "$2$at/$3"
    at=${at%/*}
  done
  consider "$2/$3"
}
if [ -r /proc/self/cgroup ]; then
  while IFS=: read -r _ controllers group; do
    group=${group%/}
    case ,$controllers, in
      ,,) walk "$group" /sys/fs/cgroup memory.max ;;
      *,memory,*) walk "$group" /sys/fs/cgroup/memory memory.limit_in_bytes ;;
    esac
  done </proc/self/cgroup
fi

# Small young generations keep the resident size down; so does code that is compiled for size, at no cost that can be measured.
set -- --max-semi-space-size=4 "$main" "$@"
case "${NODE_OPTIONS-}" in
  *--max-old-space-size*) ;;
  *)
    # Two fifths for the control thread's heap; workers, store and native memory get the rest.
    if [ -n "$limit" ]; then
      mib=$((limit / 1048576 * 2 / 5))
      [ "$mib" -ge 48 ] || mib=48
      set -- "--max-old-space-size=$mib" "$@"
    fi
    ;;
esac
# Few memory pools of the C library: its threads come and go, and what each pool keeps is lost to the others.
MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX-2}
export MALLOC_ARENA_MAX
exec "$node" "$@"
