#!/usr/bin/env bash
# Does by hand what the Dockerfile and a node's container runtime do, on a machine without a container engine: builds the root
# file system, then runs its entry point as the manifests ask for: read-only, user 65532, all capabilities dropped but
# NET_BIND_SERVICE, no new privileges, a network of its own with port 53. Debian 12's libraries stand in for the base image,
# which is made of the same packages.
#
#   deploy/image/rehearse.sh build DIR                     makes DIR/root-fs and DIR/image (needs npm and its registry)
#   deploy/image/rehearse.sh run DIR [ARGUMENT...]         runs DIR/image until it ends; needs root
#
# KEEP_CAPABILITY=no leaves out NET_BIND_SERVICE, NEW_PRIVILEGES=yes allows new privileges; MOUNT_DIR is shown, read-only, at
# the same path inside; words of ENVIRONMENT (`NAME=value ...`) are added to the environment.
set -euo pipefail
project=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
dockerfile=$project/deploy/image/Dockerfile
task=${1:?build or run} dir=$(readlink -m "${2:?directory}")
shift 2

build() {
  local source=$dir/source root=$dir/root-fs
  rm -rf "$source" "$root" "$dir/image"
  mkdir -p "$source" "$root/nodejs/bin" "$root/clusterdns"
  for file in package.json package-lock.json tsconfig.json LICENSE bin; do
    cp -r "$project/$file" "$source/"
  done
  cd "$source"
  npm install --no-save --ignore-scripts --no-audit --no-fund
  cp -r "$project/lib" "$source/"
  npm run build && npm prune --omit=dev --no-save --ignore-scripts --no-audit --no-fund
  mv node_modules/node-linux-*/bin/node "$root/nodejs/bin/node"
  setcap cap_net_bind_service=+ep "$root/nodejs/bin/node"
  rm -r node_modules/node-linux-* node_modules/.bin
  find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' \) -delete
  mv dist node_modules package.json LICENSE "$root/clusterdns/"
  add_base_image
  du -sh "$root" "$root"/clusterdns/* "$dir/image"
}

# What gcr.io/distroless/cc-debian12 brings that matters here: the C and C++ libraries, users, nothing to run.
add_base_image() {
  local image=$dir/image library
  mkdir -p "$image"/{dev,etc,proc,tmp,etc/coredns,var/run/secrets/kubernetes.io/serviceaccount}
  cp -a "$dir/root-fs/." "$image/"
  ldd "$image/nodejs/bin/node" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$image$(dirname "$library")"
    cp -L "$library" "$image$library"
  done
  cp -L /lib/*-linux-gnu/libnss_{dns,files}.so.2 /lib/*-linux-gnu/libresolv.so.2 "$image"/lib/*-linux-gnu/
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$image/etc/passwd"
  printf '127.0.0.1 localhost\n' >"$image/etc/hosts"
  cp -L /etc/resolv.conf "$image/etc/resolv.conf"
  touch "$image"/dev/{null,urandom}
}

# In new mount, process and network namespaces, as process 1.
run() {
  local image=$dir/image
  if [[ ${INSIDE-} != yes ]]; then
    INSIDE=yes exec unshare --mount --pid --net --fork --kill-child -- "${BASH_SOURCE[0]}" run "$dir" "$@"
  fi
  ip link set lo up
  mount --bind "$image" "$image"
  mount --bind /dev/null "$image/dev/null"
  mount --bind /dev/urandom "$image/dev/urandom"
  mount -t proc proc "$image/proc"
  if [[ -n ${MOUNT_DIR-} ]]; then
    mkdir -p "$image$MOUNT_DIR"
    mount --bind "$MOUNT_DIR" "$image$MOUNT_DIR"
    mount -o remount,bind,ro "$image$MOUNT_DIR"
  fi
  mount -o remount,bind,ro "$image"
  local -a entry user keep environment
  mapfile -t entry < <(sed -n 's/^ENTRYPOINT //p' "$dockerfile" | grep -o '"[^"]*"' | tr -d '"')
  mapfile -t environment < <(sed -n 's/^ENV //p' "$dockerfile")
  IFS=: read -r -a user < <(sed -n 's/^USER //p' "$dockerfile")
  keep=(--caps=cap_net_bind_service=ep)
  local dropped
  dropped=$(capsh --print | sed -n 's/^Bounding set =//p' | tr , '\n' | grep -vx cap_net_bind_service | paste -sd,)
  if [[ ${KEEP_CAPABILITY-} == no ]]; then
    dropped=$dropped,cap_net_bind_service
    keep=(--caps==)
  fi
  if [[ ${NEW_PRIVILEGES-} != yes ]]; then keep+=(--no-new-privs); fi
  # shellcheck disable=SC2086
  exec env -i "${environment[@]}" ${ENVIRONMENT-} "$(command -v capsh)" --chroot="$image" --drop="$dropped" --keep=1 --gid="${user[1]}" \
    --groups= --uid="${user[0]}" "${keep[@]}" --shell="${entry[0]}" -- "${entry[@]:1}" "$@"
}

"$task" "$@"
