# The stage of the line-up, for dash and busybox alike. Set before: HOG, WHODUNIT, BUSYBOX (a static one), SCRATCH, MEM (root of the hierarchy that
# has the memory controller), V (1 or 2), UNIFIED (root of the unified hierarchy), ROOT (cgroup that all others are made
# in: a name with a leading slash, or nothing), RUNC_RUN (options of `runc run`).
# Every cgroup of a run bears the run's own container id or pod uid: by them an incident is told to be of that run.

PATIENCE_S=60
: > "$SCRATCH/made"

# Makes the cgroup $1 and its parents in hierarchy $2 (the memory controller's), with a limit of $3 MiB.
group() {
  at=${2:-$MEM}
  for part in $(echo "$1" | tr / ' '); do
    if [ "$V" = 2 ]; then echo +memory > "$at/cgroup.subtree_control" || return 1; fi
    at=$at/$part
    [ -d "$at" ] || { mkdir "$at" || return 1; echo "$at" >> "$SCRATCH/made"; }
  done
}

limit() {
  if [ "$V" = 2 ]; then
    echo $(($2 << 20)) > "$MEM$1/memory.max"
    [ ! -e "$MEM$1/memory.swap.max" ] || echo 0 > "$MEM$1/memory.swap.max"
  else
    echo $(($2 << 20)) > "$MEM$1/memory.limit_in_bytes"
    echo 0 > "$MEM$1/memory.swappiness" 2> /dev/null || :
  fi
}

# The cgroups of a pod ($1 its uid) under $ROOT$3, and of a container in it ($2 its id).
pod_path() {
  if [ "$V" = 2 ]; then
    echo "$ROOT$3/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod$(echo "$1" | tr - _).slice"
  else
    echo "$ROOT$3/kubepods/burstable/pod$1"
  fi
}
container_path() {
  if [ "$V" = 2 ]; then echo "$(pod_path "$1" "$2" "$3")/cri-containerd-$2.scope"; else echo "$(pod_path "$1" "$2" "$3")/$2"; fi
}

# A container of the run's pod, whose first process performs the steps. Leaves its pid in INIT.
container() {
  rm -f "$D/init"
  "$HOG" new-pid-namespace spawn cgroup "$MEM$CTR" "$@" end say-child "$D/init" &
  "$HOG" await-file "$D/init" $PATIENCE_S || return 1
  INIT=$(cat "$D/init")
}

# The same with one child. Leaves its pid in WORKER, its number in the container in NUMBER.
container_with_worker() {
  container spawn say "$D/worker-is-there" sleep 3600 end say "$D/ready" sleep 3600 || return 1
  ready && "$HOG" await-file "$D/worker-is-there" $PATIENCE_S || return 1
  WORKER=$(grep -vx "$INIT" "$MEM$CTR/cgroup.procs" | head -n 1)
  NUMBER=$(sed -n 's/^NSpid:.*[^0-9]\([0-9][0-9]*\)$/\1/p' "/proc/$WORKER/status")
  [ -n "$WORKER" ] && [ -n "$NUMBER" ]
}

ready() { "$HOG" await-file "$D/ready" $PATIENCE_S; }
gone() { "$HOG" await-exit "$1" $PATIENCE_S; }

# Types lines into a shell in a terminal, as a person would.
typed() {
  { for line in "$@"; do echo "$line"; done; echo exit; } | "$HOG" terminal sh -i
}

# Reports $1 (kind) run $2, whose container ids are $3 and $4 and whose pods' uids are $5 and $6.
play() {
  KIND=$1; RUN=$2; CID=$3; CID2=$4; POD_UID=$5; POD_UID2=$6
  D=$SCRATCH/$KIND.$RUN
  mkdir -p "$D"
  POD=$(pod_path "$POD_UID"); CTR=$(container_path "$POD_UID" "$CID")
  echo "@@RUN $KIND $RUN"
  ( "kind_$(echo "$KIND" | tr - _)" ) > "$D/said" 2>&1 < /dev/null
  status=$?
  # Whoever holds much memory and was spared ends by itself, so that the next runs find room.
  : > "$D/over"
  [ $status = 0 ] || sed 's/^/@@SAID /' "$D/said" | tail -n 20
  echo "@@RAN $KIND $RUN $status"
}

begin_watch() {
  : > "$SCRATCH/notes"
  "$WHODUNIT" watch -o ndjson --no-store > "$SCRATCH/seen" 2> "$SCRATCH/notes" &
  WATCH=$!
  tries=0
  until grep -q '^whodunit: watching\|watching; stop' "$SCRATCH/notes"; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 $WATCH; then
      echo "@@NOWATCH"; sed 's/^/@@NOTE /' "$SCRATCH/notes"
      return 1
    fi
    sleep 0.1
  done
}

end_watch() {
  sleep 1
  kill -INT $WATCH
  wait $WATCH
  echo "@@WATCHED $?"
  sed 's/^/@@NOTE /' "$SCRATCH/notes"
  sed 's/^/@@SEEN /' "$SCRATCH/seen"
}

# Ends who is left in the cgroups that were made, and removes them; only after the watch, which would tell of it.
strike() {
  type end_runtimes > /dev/null 2>&1 && end_runtimes
  tries=0
  while [ -s "$SCRATCH/made" ] && [ $tries -lt 60 ]; do
    tries=$((tries + 1))
    : > "$SCRATCH/left"
    sort -r "$SCRATCH/made" > "$SCRATCH/made.sorted"
    while read -r at; do
      for pid in $(cat "$at/cgroup.procs" 2> /dev/null); do kill -9 "$pid" 2> /dev/null; done
      rmdir "$at" 2> /dev/null || [ ! -d "$at" ] || echo "$at" >> "$SCRATCH/left"
    done < "$SCRATCH/made.sorted"
    mv "$SCRATCH/left" "$SCRATCH/made"
    [ ! -s "$SCRATCH/made" ] || sleep 0.1
  done
  [ ! -s "$SCRATCH/made" ] || sed 's/^/@@NOTE not removed: /' "$SCRATCH/made"
  wait
}
