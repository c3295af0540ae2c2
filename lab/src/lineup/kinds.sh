# One function for each kind of death: what is done, nothing of what must be said of it. See the table for that.

# ---- the kernel, memory ----

kind_container_limit() {
  group "$CTR" && limit "$CTR" 64 && container anon 96 && gone "$INIT"
}
kind_pod_limit() {
  CTR2=$(container_path "$POD_UID" "$CID2")
  group "$CTR" && group "$CTR2" && limit "$POD" 64 || return 1
  "$HOG" cgroup "$MEM$CTR2" anon 8 say "$D/ready" wait "$D/over" exit 0 &
  ready && container anon 96 && gone "$INIT"
}
kind_ancestor_limit() {
  # Only pods of this run hang under this kubepods.
  CTR=$(container_path "$POD_UID" "$CID" "/of-$RUN")
  CTR2=$(container_path "$POD_UID2" "$CID2" "/of-$RUN")
  group "$CTR" && group "$CTR2" || return 1
  if [ "$V" = 2 ]; then limit "$ROOT/of-$RUN/kubepods.slice" 64; else limit "$ROOT/of-$RUN/kubepods" 64; fi
  container anon 44 say "$D/ready" sleep 3600 && ready || return 1
  "$HOG" cgroup "$MEM$CTR2" anon 24 wait "$D/over" exit 0 &
  gone "$INIT"
}
kind_group_kill() {
  group "$CTR" && limit "$CTR" 64 && echo 1 > "$MEM$CTR/memory.oom.group" || return 1
  container spawn anon 4 sleep 3600 end spawn anon 2 say "$D/ready" sleep 3600 end wait "$D/ready" anon 96 && gone "$INIT"
}
kind_global() {
  group "$CTR" && container adj 1000 anon 2048 && gone "$INIT"
}
kind_sysrq_f() {
  group "$CTR" && container adj 1000 anon 48 say "$D/ready" wait "$D/over" exit 0 && ready || return 1
  echo f > /proc/sysrq-trigger
  gone "$INIT"
}
kind_child_killed() {
  group "$CTR" && limit "$CTR" 64 || return 1
  container spawn say "$D/worker-is-there" wait "$D/go" anon 96 end say "$D/ready" sleep 3600 && ready || return 1
  "$HOG" await-file "$D/worker-is-there" $PATIENCE_S || return 1
  WORKER=$(grep -vx "$INIT" "$MEM$CTR/cgroup.procs")
  touch "$D/go"
  gone "$WORKER" && kill -0 "$INIT"
}
# The first process is a shell that gives its child's 137 as its own.
kind_status_passed_on() {
  group "$CTR" && limit "$CTR" 64 || return 1
  sh -c "echo \$\$ > $MEM$CTR/cgroup.procs; $HOG anon 96; exit \$?"
  [ $? = 137 ]
}
kind_hostile_name() {
  group "$CTR" && limit "$CTR" 64 || return 1
  # ESC [ 2 J, a line break, `Killed p`
  container name 1b5b324a0a4b696c6c65642070 anon 96 && gone "$INIT"
}
# A container makes a cgroup that is called like another pod's.
kind_forged_cgroup() {
  group "$CTR" && limit "$CTR" 64 || return 1
  inner=$CTR$(V=1 ROOT='' container_path "$POD_UID2" "$CID2")
  group "$inner" || return 1
  "$HOG" cgroup "$MEM$inner" anon 96 &
  gone $!
}

# ---- the kernel, other reasons ----

kind_pid_namespace_exit() {
  group "$CTR" || return 1
  container spawn sleep 3600 end spawn sleep 3600 end say "$D/ready" wait "$D/go" exit 0 && ready || return 1
  touch "$D/go"
  gone "$INIT"
}
kind_cgroup_kill() {
  group "$CTR" || return 1
  if [ "$V" = 1 ]; then
    at=$UNIFIED
    for part in $(echo "$CTR" | tr / ' '); do
      at=$at/$part
      [ -d "$at" ] || { mkdir "$at" || return 1; echo "$at" >> "$SCRATCH/made"; }
    done
  fi
  for name in one two three; do
    "$HOG" cgroup "$UNIFIED$CTR" cgroup "$MEM$CTR" say "$D/$name" sleep 3600 &
    "$HOG" await-file "$D/$name" $PATIENCE_S || return 1
  done
  echo 1 > "$UNIFIED$CTR/cgroup.kill"
  gone "$(cat "$D/one")" && gone "$(cat "$D/two")" && gone "$(cat "$D/three")"
}
kind_cpu_limit() {
  group "$CTR" || return 1
  "$HOG" cgroup "$MEM$CTR" cpu-limit 1 burn &
  gone $!
}
kind_ptrace_exitkill() {
  group "$CTR" || return 1
  "$HOG" cgroup "$MEM$CTR" spawn sleep 3600 end tie-child say-child "$D/worker" exit 0 || return 1
  gone "$(cat "$D/worker")"
}

# ---- the application ----

kind_parent_death() {
  group "$CTR" || return 1
  container spawn spawn end-with-parent say "$D/worker" sleep 3600 end wait "$D/worker" say "$D/ready" wait "$D/go" exit 0 end \
    sleep 3600 && ready || return 1
  both=$(grep -vx "$INIT" "$MEM$CTR/cgroup.procs")
  touch "$D/go"
  for one in $both; do gone "$one" || return 1; done
}
kind_supervisor() {
  group "$CTR" || return 1
  container spawn sleep 3600 end say "$D/ready" kill-child wait-child say "$D/done" sleep 3600 && ready || return 1
  "$HOG" await-file "$D/done" $PATIENCE_S
}
kind_timeout() {
  group "$CTR" || return 1
  sh -c "echo \$\$ > $MEM$CTR/cgroup.procs; exec timeout -s KILL 0.3 sleep 3600" || :
}
# Ends before anyone can look at it.
kind_quick_killer() {
  group "$CTR" || return 1
  container spawn sleep 3600 end say "$D/ready" spawn kill 2 exit 0 end wait-child sleep 3600 && ready
  sleep 0.1
}
kind_self_kill() {
  group "$CTR" || return 1
  sh -c "echo \$\$ > $MEM$CTR/cgroup.procs; kill -9 \$\$"
  [ $? = 137 ]
}
kind_exit_137() {
  group "$CTR" && container exit 137 && gone "$INIT"
}
# Programs in a container that are called like those of the machine.
kind_forged_runc() {
  group "$CTR" && cp "$HOG" "$D/runc" || return 1
  "$D/runc" new-pid-namespace spawn cgroup "$MEM$CTR" spawn sleep 3600 end spawn kill 2 exit 0 end say "$D/ready" sleep 3600 end &
  ready && sleep 0.1
}
kind_forged_earlyoom() {
  group "$CTR" && cp "$HOG" "$D/earlyoom" || return 1
  "$D/earlyoom" new-pid-namespace spawn cgroup "$MEM$CTR" spawn sleep 3600 end spawn kill 2 exit 0 end say "$D/ready" sleep 3600 end &
  ready && sleep 0.1
}
# The same in a container that shares the machine's pid namespace.
kind_forged_runc_host_pids() {
  group "$CTR" && cp "$HOG" "$D/runc" || return 1
  "$HOG" cgroup "$MEM$CTR" say "$D/ready" sleep 3600 &
  ready && "$D/runc" cgroup "$MEM$CTR" kill "$(cat "$D/ready")" exit 0
  gone "$(cat "$D/ready")"
}

# ---- people ----

kind_person_terminal() {
  group "$CTR" && container_with_worker || return 1
  typed "kill -9 $INIT" && gone "$INIT"
}
kind_person_tool() {
  group "$CTR" && container_with_worker || return 1
  typed "env kill -9 $WORKER" && gone "$WORKER"
}
# A process group, all of it by one call.
kind_person_group() {
  group "$CTR" || return 1
  setsid "$HOG" cgroup "$MEM$CTR" spawn sleep 3600 end spawn sleep 3600 end say "$D/ready" sleep 3600 &
  ready && leader=$(cat "$D/ready") && typed "kill -9 -$leader" && gone "$leader"
}
kind_person_login() {
  group "$CTR" && container_with_worker || return 1
  ( [ ! -e /proc/self/loginuid ] || echo 1000 > /proc/self/loginuid || exit 1; typed "kill -9 $INIT" ) && gone "$INIT"
}
kind_person_script() {
  group "$CTR" && container_with_worker || return 1
  { sleep 0.2; echo "kill -9 $INIT"; sleep 0.2; echo exit; } | script -qfc 'bash --norc -i' /dev/null && gone "$INIT"
}
kind_person_sudo() {
  group "$CTR" && container_with_worker || return 1
  typed "sudo -n kill -9 $INIT" && gone "$INIT"
}
kind_person_nsenter() {
  group "$CTR" && container_with_worker || return 1
  nsenter -t "$INIT" -p -- "$HOG" kill "$NUMBER" && gone "$WORKER"
}
kind_person_hostile_victim() {
  group "$CTR" && container name 1b5b324a0a4b696c6c65642070 say "$D/ready" sleep 3600 && ready || return 1
  typed "kill -9 $INIT" && gone "$INIT"
}

# ---- daemons ----

# Only with the second 96 MiB of APP, which waits for $D/go, is less left than earlyoom allows; when it is gone, more is.
# $1: how much less has to be left for SIGKILL than for SIGTERM, KiB.
earlyoom_acts() {
  # What the run before held is given back in its own time.
  available=$(for _ in 1 2 3; do sleep 0.2; awk '/^MemAvailable:/ { print $2 }' /proc/meminfo; done | sort -n | tail -n 1)
  least=$((available - 48 * 1024))
  earlyoom -r 0 -s 100 -M $least,$((least - $1)) --prefer '^hog$' > "$D/earlyoom" 2>&1 &
  daemon=$!
  sleep 0.5
  touch "$D/go"
  gone "$APP"; status=$?
  kill $daemon; wait $daemon
  cat "$D/earlyoom"
  return $status
}
kind_earlyoom() {
  group "$CTR" && container adj 300 anon 96 say "$D/ready" wait "$D/go" anon 96 sleep 3600 && ready || return 1
  APP=$INIT; earlyoom_acts 0
}
# earlyoom asks first, and who ends by that was killed all the same.
kind_earlyoom_term() {
  group "$CTR" || return 1
  "$HOG" cgroup "$MEM$CTR" adj 300 anon 96 say "$D/ready" wait "$D/go" anon 96 sleep 3600 &
  ready && APP=$(cat "$D/ready") && earlyoom_acts 100000
}

# A service that waits until it may begin, in a slice that systemd-oomd looks after.
kind_systemd_oomd() {
  at=$(find "$MEM" -type d -name "$CID.service") && APP=$(cat "$at/cgroup.procs") && [ -n "$APP" ] || return 1
  touch "/tmp/go.$RUN"
  gone "$APP"; status=$?
  [ $status = 0 ] || { cat "$at/../memory.pressure"; tail -n 16 /tmp/oomd.log; }
  return $status
}

# ---- nobody ----

kind_bystanders() {
  group "$CTR" || return 1
  ulimit -c 0
  count=0
  ( echo 0 > "$MEM$CTR/cgroup.procs"
    while [ $count -lt $BYSTANDERS ]; do
      count=$((count + 1))
      case $((count % 10)) in
        0) sh -c 'exit 1' ;;
        1) sh -c 'exit 143' ;;
        2) sh -c 'kill -TERM $$' ;;
        3) sh -c 'kill -SEGV $$' ;;
        4) "$HOG" crash ;;
        5) sh -c 'exit 127' ;;
        6) sh -c 'kill -INT $$' ;;
        7) sleep 60 & kill -TERM $!; wait $! ;;
        8) sh -c 'exit 9' ;;
        9) true & wait $! ;;
      esac
    done
    exit 0 ) 2> /dev/null
}
kind_forged_kmsg() {
  group "$CTR" && container say "$D/ready" sleep 3600 && ready || return 1
  for line in \
    "<4>hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0" \
    "<6>oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=$CTR,task_memcg=$CTR,task=hog,pid=$INIT,uid=0" \
    "<3>Memory cgroup out of memory: Killed process $INIT (hog) total-vm:168704kB, anon-rss:12288kB, file-rss:8192kB, shmem-rss:0kB, UID:0 pgtables:104kB oom_score_adj:0"; do
    echo "$line" > /dev/kmsg || return 1
  done
  sleep 0.2
}
# The same text, and then a real kill by a person.
kind_forged_kmsg_and_kill() {
  kind_forged_kmsg && typed "kill -9 $INIT" && gone "$INIT"
}
