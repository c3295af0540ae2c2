# Real container runtimes, each with a configuration, state and socket of its own.

BUNDLES=$SCRATCH/bundles
mkdir -p "$BUNDLES/rootfs/bin" "$BUNDLES/rootfs/proc"
cp "$BUSYBOX" "$BUNDLES/rootfs/bin/busybox"
for applet in sh sleep kill; do ln -sf busybox "$BUNDLES/rootfs/bin/$applet"; done

# The first process takes a while to start its child. Leaves its pid in WORKER.
worker_of() {
  tries=0
  until WORKER=$(grep -vx "$INIT" "$MEM$1/cgroup.procs" | head -n 1) && [ -n "$WORKER" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || return 1
    sleep 0.05
  done
}

# runc makes the cgroup $1 in every hierarchy of v1.
remember_cgroups() {
  for controller in /sys/fs/cgroup/*/; do echo "${controller%/}$1" >> "$SCRATCH/runc-cgroups"; done
}

# Runs a shell that starts a child and waits, as the container $CID in the cgroup $1. Leaves INIT and WORKER.
runc_container() {
  mkdir -p "$D/bundle"
  cat > "$D/bundle/config.json" <<END
{"ociVersion": "1.0.2",
 "process": {"terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"],
  "args": ["/bin/sh", "-c", "sleep 3600 & wait; sleep 3600"]},
 "root": {"path": "$BUNDLES/rootfs", "readonly": true},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"cgroupsPath": "$1", "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}}
END
  runc --root "$SCRATCH/runc" run $RUNC_RUN --detach --bundle "$D/bundle" "$CID" < /dev/null > "$D/runc" 2>&1 || { cat "$D/runc"; return 1; }
  echo "$CID" >> "$SCRATCH/runc-containers"
  remember_cgroups "$1"
  INIT=$(runc --root "$SCRATCH/runc" state "$CID" | sed -n 's/^ *"pid": \([0-9]*\),$/\1/p')
  [ -n "$INIT" ] && worker_of "$1"
}
runc_kill() { runc --root "$SCRATCH/runc" kill "$CID" "$1"; }

kind_runc_kill() {
  runc_container "$ROOT/docker/$CID" && runc_kill KILL && gone "$INIT"
}
kind_grace_overran() {
  runc_container "$ROOT/docker/$CID" && runc_kill TERM && sleep 0.3 && runc_kill KILL && gone "$INIT"
}
kind_grace_overran_pod() {
  runc_container "$CTR" && runc_kill TERM && sleep 0.3 && runc_kill KILL && gone "$INIT"
}
kind_runc_exec() {
  runc_container "$CTR" || return 1
  number=$(sed -n 's/^NSpid:.*[^0-9]\([0-9][0-9]*\)$/\1/p' "/proc/$WORKER/status")
  runc --root "$SCRATCH/runc" exec "$CID" kill -9 "$number" && gone "$WORKER"
}

# ---- containerd ----

CTR_SOCKET=$SCRATCH/containerd.sock
begin_containerd() {
  [ ! -e "$SCRATCH/containerd.pid" ] || return 0
  cat > "$SCRATCH/containerd.toml" <<END
version = 2
root = "$SCRATCH/containerd-root"
state = "$SCRATCH/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$CTR_SOCKET"
[ttrpc]
  address = "$CTR_SOCKET.ttrpc"
END
  setsid containerd -c "$SCRATCH/containerd.toml" -l error > "$SCRATCH/containerd.log" 2>&1 < /dev/null &
  echo $! > "$SCRATCH/containerd.pid"
  "$HOG" await-file "$CTR_SOCKET" 30 || { cat "$SCRATCH/containerd.log"; return 1; }
}
ctr_() { ctr --address "$CTR_SOCKET" "$@"; }

ctr_container() {
  begin_containerd || return 1
  # The shim looks for the runtime's own state below its state folder.
  ctr_ run --detach --rootfs --cgroup "$1" --runc-root "$SCRATCH/containerd-runc" "$BUNDLES/rootfs" "$CID" \
    /bin/sh -c 'sleep 3600 & wait; sleep 3600' || return 1
  echo "$CID" >> "$SCRATCH/ctr-containers"
  remember_cgroups "$1"
  INIT=$(ctr_ task ls | awk -v id="$CID" '$1 == id { print $2 }')
  [ -n "$INIT" ] && worker_of "$1"
}
kind_ctr_kill() {
  ctr_container "$ROOT/default/$CID" && ctr_ task kill -s SIGKILL "$CID" && gone "$INIT"
}
kind_ctr_exec() {
  ctr_container "$ROOT/default/$CID" || return 1
  number=$(sed -n 's/^NSpid:.*[^0-9]\([0-9][0-9]*\)$/\1/p' "/proc/$WORKER/status")
  ctr_ task exec --exec-id e1 "$CID" /bin/kill -9 "$number" && gone "$WORKER"
}

end_runtimes() {
  if [ -e "$SCRATCH/containerd.pid" ]; then
    for id in $(cat "$SCRATCH/ctr-containers" 2> /dev/null); do
      ctr_ task delete --force "$id" > /dev/null 2>&1
      ctr_ container delete "$id" > /dev/null 2>&1
    done
    kill "$(cat "$SCRATCH/containerd.pid")"
    gone "$(cat "$SCRATCH/containerd.pid")"
  fi
  for id in $(cat "$SCRATCH/runc-containers" 2> /dev/null); do runc --root "$SCRATCH/runc" delete --force "$id"; done
  # What runc leaves of the cgroups above a container's own.
  for at in $(sort -u "$SCRATCH/runc-cgroups" 2> /dev/null); do
    while [ "$at" != "${at%/*}" ]; do
      case $at in *"$ROOT"*) rmdir "$at" 2> /dev/null ;; *) break ;; esac
      at=${at%/*}
    done
  done
}
