// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Three programs on the kernel's own tracepoints: a SIGKILL or SIGTERM is generated (in the sender's context, before
// either can be gone), the OOM killer marks a victim, a process that somebody killed ends. Each writes one record.
//
// One binary for every kernel from 5.8 on. Arguments of the tracepoints are copied out of the context rather than used
// as typed pointers: a typed siginfo pointer may be 0 or 1, which newer verifiers hold to be impossible, and the types
// of the arguments changed over time. Everything is then read with bpf_probe_read_kernel, which may fail, not harm.
#include "kernel.h"
#include "record.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} records SEC(".maps");

// Records that found no room, by kind - 1.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECORD_KINDS);
	__type(key, u32);
	__type(value, u64);
} losses SEC(".maps");

// Where records are put together. Signals are generated with interrupts off (siglock), exits are not: each its own.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct signal_record);
} signal_draft SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exit_record);
} exit_draft SEC(".maps");

struct identity {
	u64 start_boot_ns;
	u32 tgid;
	u32 reserved;
};

// Who was sent a signal: how they end is told, whatever their status. A storm may push some out; those that a signal
// ended are told all the same.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct identity);
	__type(value, u8);
} targets SEC(".maps");

// Whose end was told: two last threads may both find that none is left.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct identity);
	__type(value, u8);
} ended SEC(".maps");

// The last target on each CPU: kernels before 6.8 hand mark_victim a thread id only, just after the signal.
struct thread {
	u32 pid;
	u32 tgid;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct thread);
} last_target SEC(".maps");

#define read(from, to) bpf_probe_read_kernel(&(to), sizeof(to), (const void *)(from))

static __always_inline void count_loss(u32 kind)
{
	u32 at = kind - 1;
	u64 *lost = bpf_map_lookup_elem(&losses, &at);
	if (lost)
		*lost += 1;
}

// ---- texts ----

static __always_inline struct text none(void)
{
	struct text text = { TEXT_NONE, 0 };
	return text;
}

// Appends one string with its closing zero; false when it could not be read or there was no room.
static __always_inline bool append(struct texts *texts, const void *from)
{
	u64 at = texts->used & (TEXTS_SIZE - 1);
	long length = bpf_probe_read_kernel_str(&texts->bytes[at], NAME_SIZE, from);
	if (length <= 0 || at + length >= TEXTS_SIZE)
		return false;
	texts->used = at + length;
	return true;
}

static __always_inline struct text string(struct texts *texts, const void *from)
{
	u32 start = texts->used;
	struct text text = none();
	if (!from || !append(texts, from))
		return text;
	text.at = start;
	text.length = texts->used - start - 1;
	return text;
}

static __always_inline struct text since(struct texts *texts, u32 start, bool whole)
{
	struct text text = { start, (texts->used - start) | (whole ? 0 : TEXT_CUT) };
	return text;
}

static __always_inline struct kernfs_node *above(struct kernfs_node *node)
{
	struct kernfs_node___plain *plain = (void *)node;
	if (bpf_core_field_exists(plain->parent))
		return (void *)BPF_CORE_READ(plain, parent);
	return BPF_CORE_READ(node, __parent);
}

// Names of a cgroup and those above it; the root has none.
static __noinline u32 cgroup_names(struct texts *texts, struct kernfs_node *node)
{
	for (int level = 0; level < LEVELS; level++) {
		struct kernfs_node *parent = above(node);
		if (!parent)
			return 1;
		if (!append(texts, BPF_CORE_READ(node, name)))
			return 0;
		node = parent;
	}
	return above(node) == 0;
}

static __always_inline struct text cgroup_path(struct texts *texts, struct cgroup *cgroup)
{
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn);
	u32 start = texts->used;
	if (!node)
		return none();
	bool whole = cgroup_names(texts, node);
	return since(texts, start, whole);
}

// Names of a file and the directories above it, up to the root of its file system.
static __noinline u32 file_names(struct texts *texts, struct dentry *dentry)
{
	for (int level = 0; level < LEVELS; level++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		if (!parent)
			return 0;
		if (parent == dentry)
			return 1;
		if (!append(texts, BPF_CORE_READ(dentry, d_name.name)))
			return 0;
		dentry = parent;
	}
	return BPF_CORE_READ(dentry, d_parent) == dentry;
}

// ---- processes ----

static __always_inline struct cgroup_subsys_state *memory_state(struct css_set *set)
{
	struct cgroup_subsys_state *state = 0;
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	u64 at = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	read((char *)set + bpf_core_field_offset(struct css_set, subsys) + at * sizeof(state), state);
	return state;
}

struct places {
	struct text unified;
	struct text memory;
};

static __always_inline struct places places(struct texts *texts, struct css_set *set)
{
	struct places places = { none(), none() };
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp);
	struct cgroup_subsys_state *state = memory_state(set);
	struct cgroup *memory = state ? BPF_CORE_READ(state, cgroup) : 0;
	places.unified = cgroup_path(texts, unified);
	// In the unified hierarchy this would be a second name for the same place.
	if (memory && BPF_CORE_READ(memory, root) != BPF_CORE_READ(unified, root))
		places.memory = cgroup_path(texts, memory);
	return places;
}

static __always_inline struct text executable(struct texts *texts, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	if (!mm || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return none();
	struct file *file = BPF_CORE_READ(mm, exe_file);
	if (!file)
		return none();
	return string(texts, BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

static __always_inline struct text terminal(struct texts *texts, struct task_struct *task)
{
	struct tty_struct *tty = BPF_CORE_READ(task, signal, tty);
	return tty ? string(texts, &tty->name) : none();
}

static __always_inline u32 login_uid(struct task_struct *task)
{
	return bpf_core_field_exists(task->loginuid) ? BPF_CORE_READ(task, loginuid.val) : (u32)-1;
}

// The process's id in its own pid namespace, and that namespace.
static __always_inline u32 namespaced_tgid(struct task_struct *task, u32 *namespace)
{
	struct pid *pid = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
	*namespace = 0;
	if (!pid)
		return 0;
	u64 level = BPF_CORE_READ(pid, level);
	struct upid *upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
			    level * bpf_core_type_size(struct upid);
	*namespace = BPF_CORE_READ(upid, ns, ns.inum);
	return BPF_CORE_READ(upid, nr);
}

// `named` gives the comm: the acting thread, or the thread group leader.
static __always_inline void tell(struct process *process, struct texts *texts, struct task_struct *task,
				 struct task_struct *named)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct places where = places(texts, set);
	process->start_boot_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	process->cgroup_id = BPF_CORE_READ(set, dfl_cgrp, kn, id);
	process->pid = BPF_CORE_READ(task, pid);
	process->tgid = BPF_CORE_READ(task, tgid);
	process->uid = BPF_CORE_READ(task, real_cred, euid.val);
	process->login_uid = login_uid(task);
	process->login_session = bpf_core_field_exists(task->sessionid) ? BPF_CORE_READ(task, sessionid) : (u32)-1;
	process->namespaced_tgid = namespaced_tgid(task, &process->pid_namespace);
	process->flags = BPF_CORE_READ(task, flags);
	BPF_CORE_READ_INTO(&process->comm, named, comm);
	process->exe = executable(texts, task);
	process->tty = terminal(texts, task);
	process->arguments = none();
	process->unified = where.unified;
	process->memory = where.memory;
}

// Memory that is not resident can't be read here: then less is, or none.
static __always_inline struct text arguments(struct texts *texts, struct task_struct *current)
{
	struct mm_struct *mm = BPF_CORE_READ(current, mm);
	if (!mm || BPF_CORE_READ(current, flags) & PF_KTHREAD)
		return none();
	u64 start = BPF_CORE_READ(mm, arg_start);
	u64 length = BPF_CORE_READ(mm, arg_end) - start;
	u64 at = texts->used & (TEXTS_SIZE - 1);
	struct text text = none();
	if (length > ARGUMENTS_SIZE)
		length = ARGUMENTS_SIZE;
	if (at + ARGUMENTS_SIZE >= TEXTS_SIZE)
		return text;
	if (bpf_probe_read_user(&texts->bytes[at], length, (void *)start)) {
		u64 in_page = 4096 - (start & 4095);
		if (in_page >= length)
			return text;
		length = in_page;
		if (length > ARGUMENTS_SIZE)
			return text;
		if (bpf_probe_read_user(&texts->bytes[at], length, (void *)start))
			return text;
	}
	texts->used = at + length;
	text.at = at;
	text.length = length;
	return text;
}

static __always_inline u32 tell_ancestors(struct ancestor *ancestors, const u32 most, struct texts *texts,
					  struct task_struct *task)
{
	struct css_set *known = 0;
	struct places where = { none(), none() };
	u32 count = 0;
	task = BPF_CORE_READ(task, group_leader);
	for (u32 at = 0; at < most; at++) {
		struct task_struct *parent = BPF_CORE_READ(task, real_parent, group_leader);
		u32 tgid = parent ? BPF_CORE_READ(parent, tgid) : 0;
		if (!tgid || parent == task)
			break;
		struct ancestor *ancestor = &ancestors[at];
		struct css_set *set = BPF_CORE_READ(parent, cgroups);
		// Most of a chain is in one place.
		if (set != known) {
			where = places(texts, set);
			known = set;
		}
		ancestor->start_boot_ns = BPF_CORE_READ(parent, start_boottime);
		ancestor->tgid = tgid;
		ancestor->uid = BPF_CORE_READ(parent, real_cred, euid.val);
		ancestor->login_uid = login_uid(parent);
		ancestor->namespaced_tgid = namespaced_tgid(parent, &ancestor->pid_namespace);
		BPF_CORE_READ_INTO(&ancestor->comm, parent, comm);
		ancestor->exe = executable(texts, parent);
		ancestor->tty = terminal(texts, parent);
		ancestor->unified = where.unified;
		ancestor->memory = where.memory;
		task = parent;
		count = at + 1;
	}
	return count;
}

// ---- memory ----

static __always_inline s64 resident(struct mm_struct *mm, u32 kind)
{
	s64 pages = 0;
	struct mm_struct___atomic *atomic = (void *)mm;
	if (bpf_core_field_exists(atomic->rss_stat.count)) {
		read((char *)mm + bpf_core_field_offset(atomic->rss_stat.count) + kind * sizeof(atomic64_t), pages);
	} else {
		read((char *)mm + bpf_core_field_offset(mm->rss_stat) +
			     kind * bpf_core_type_size(struct percpu_counter) +
			     bpf_core_field_offset(struct percpu_counter, count),
		     pages);
	}
	return pages > 0 ? pages : 0;
}

static __always_inline void tell_memory(struct memory *memory, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	memory->oom_score_adj = BPF_CORE_READ(task, signal, oom_score_adj);
	if (mm && !(BPF_CORE_READ(task, flags) & PF_KTHREAD)) {
		memory->total_vm_pages = BPF_CORE_READ(mm, total_vm);
		// include/linux/mm_types_task.h: MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES
		memory->file_rss_pages = resident(mm, 0);
		memory->anon_rss_pages = resident(mm, 1);
		memory->swap_pages = resident(mm, 2);
		memory->shmem_rss_pages = resident(mm, 3);
		memory->max_rss_pages = BPF_CORE_READ(mm, hiwater_rss);
		memory->pgtables_bytes = BPF_CORE_READ(mm, pgtables_bytes.counter);
	} else {
		memory->total_vm_pages = memory->file_rss_pages = memory->anon_rss_pages = -1;
		memory->swap_pages = memory->shmem_rss_pages = memory->max_rss_pages = memory->pgtables_bytes = -1;
	}
	memory->memcg_usage_pages = memory->memcg_limit_pages = -1;
	struct mem_cgroup *memcg = (void *)memory_state(BPF_CORE_READ(task, cgroups));
	if (memcg) {
		memory->memcg_usage_pages = BPF_CORE_READ(memcg, memory.usage.counter);
		memory->memcg_limit_pages = BPF_CORE_READ(memcg, memory.max);
	}
}

// Which of the memory cgroups from the target's own upwards stood at its limit: the one with the least room left, where
// that is no more than what the kernel takes back of a full one while it looks for a victim. And the first whose processes
// die together. 1 + the level of each, 0 for none.
static __always_inline void tell_levels(struct subject *subject, struct task_struct *task)
{
	subject->full_level = subject->group_level = 0;
	struct mem_cgroup *memcg = (void *)memory_state(BPF_CORE_READ(task, cgroups));
	if (!memcg)
		return;
	u64 counter_at = bpf_core_field_offset(memcg->memory);
	struct page_counter *counter = (void *)((char *)memcg + counter_at);
	u64 least = 0;
	for (u32 level = 0; level < MEMORY_LEVELS && counter; level++) {
		u64 usage = BPF_CORE_READ(counter, usage.counter);
		u64 max = BPF_CORE_READ(counter, max);
		u64 room = usage < max ? max - usage : 0;
		u64 most = max / 64 < MOST_ROOM_PAGES ? max / 64 : MOST_ROOM_PAGES;
		if (room <= most && (!subject->full_level || room < least)) {
			subject->full_level = level + 1;
			least = room;
		}
		memcg = (void *)((char *)counter - counter_at);
		if (!subject->group_level && bpf_core_field_exists(memcg->oom_group) && BPF_CORE_READ(memcg, oom_group))
			subject->group_level = level + 1;
		counter = BPF_CORE_READ(counter, parent);
	}
}

static __always_inline void tell_subject(struct subject *subject, struct texts *texts, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	tell(&subject->process, texts, task, leader);
	subject->ancestors = tell_ancestors(subject->ancestor, TARGET_ANCESTORS, texts, task);
	tell_memory(&subject->memory, task);
}

// ---- what the sender was doing ----

// Registers of user space at its last entry to the kernel; 0 when the kernel has no way to tell.
static __always_inline void *registers(struct task_struct *current)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	// Before 5.15 they are at the very end of the stack.
	u64 size = bpf_core_type_exists(struct pt_regs___x86) ? bpf_core_type_size(struct pt_regs___x86) : 0;
	void *stack = BPF_CORE_READ(current, stack);
	return stack && size ? stack + THREAD_SIZE - size : 0;
}

// The system call and its first argument.
static __always_inline u32 call_of(struct task_struct *current, s64 *call, u64 *argument)
{
	*call = -1;
	*argument = 0;
	if (BPF_CORE_READ(current, flags) & PF_KTHREAD)
		return 0;
	void *registers_ = registers(current);
	struct pt_regs___x86 *x86 = registers_;
	struct pt_regs___arm64 *arm64 = registers_;
	if (!registers_)
		return 0;
	bool compat = false;
	if (bpf_core_field_exists(x86->orig_ax)) {
		if (bpf_core_field_exists(current->thread_info.status))
			compat = BPF_CORE_READ(current, thread_info.status) & TS_COMPAT;
		*call = (s64)BPF_CORE_READ(x86, orig_ax);
		*argument = compat ? BPF_CORE_READ(x86, bx) : BPF_CORE_READ(x86, di);
	} else if (bpf_core_field_exists(arm64->syscallno)) {
		compat = BPF_CORE_READ(arm64, pstate) & PSR_MODE32_BIT;
		*call = BPF_CORE_READ(arm64, syscallno);
		*argument = BPF_CORE_READ(arm64, orig_x0);
	}
	if (*call < 0)
		return 0;
	return compat ? 2 : 1;
}

// The file behind a descriptor of the current process. User space keeps it only when the call writes to a descriptor.
static __always_inline void tell_file(struct signal_record *record, struct task_struct *current, u64 descriptor)
{
	struct fdtable *table = BPF_CORE_READ(current, files, fdt);
	struct file *file = 0;
	if (!table || descriptor >= BPF_CORE_READ(table, max_fds))
		return;
	read(BPF_CORE_READ(table, fd) + descriptor, file);
	if (!file)
		return;
	u32 start = record->texts.used;
	bool whole = file_names(&record->texts, BPF_CORE_READ(file, f_path.dentry));
	record->written_path = since(&record->texts, start, whole);
	record->written_filesystem = string(&record->texts, BPF_CORE_READ(file, f_inode, i_sb, s_type, name));
}

static __always_inline void tell_cpu(struct signal_record *record, struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	record->cpu_hard_limit_s = BPF_CORE_READ(signal, rlim[RLIMIT_CPU].rlim_max);
	// What the limit is compared with is counted by ticks, and only while a limit or a timer is set
	// (kernel/time/posix-cpu-timers.c: check_process_timers); the scheduler's own sum lacks other living threads.
	u64 ticked = BPF_CORE_READ(signal, cputimer.cputime_atomic.utime.counter) +
		     BPF_CORE_READ(signal, cputimer.cputime_atomic.stime.counter);
	u64 ran = BPF_CORE_READ(signal, sum_sched_runtime) + BPF_CORE_READ(task, se.sum_exec_runtime);
	record->cpu_used_ns = ticked > ran ? ticked : ran;
}

// ---- programs ----

SEC("tp_btf/signal_generate")
int signal_generated(u64 *ctx)
{
	// sig, info, task, group, result
	u64 arguments_[5];
	u32 zero = 0;
	if (bpf_probe_read_kernel(arguments_, sizeof(arguments_), ctx))
		return 0;
	u32 signal = arguments_[0];
	if (signal != SIGKILL && signal != SIGTERM)
		return 0;
	u64 info = arguments_[1];
	struct task_struct *target = (void *)arguments_[2];
	struct task_struct *current = (void *)bpf_get_current_task();
	struct signal_record *record = bpf_map_lookup_elem(&signal_draft, &zero);
	if (!record)
		return 0;

	record->head.kind = RECORD_SIGNAL;
	record->head.size = __builtin_offsetof(struct signal_record, texts);
	record->head.boot_ns = bpf_ktime_get_boot_ns();
	record->texts.used = 0;
	record->signal = signal;
	record->group = (u32)arguments_[3];
	record->result = (s32)arguments_[4];
	if (info > ORIGIN_PRIV) {
		record->origin = ORIGIN_SIGINFO;
		record->code = BPF_CORE_READ((struct kernel_siginfo *)info, si_code);
	} else {
		record->origin = info;
		record->code = info == ORIGIN_PRIV ? 0x80 : 0;
	}

	// What convicts comes first: should the room for texts end, the far ancestors go.
	struct process *sender = &record->sender;
	tell(sender, &record->texts, current, current);
	sender->arguments = arguments(&record->texts, current);
	tell_subject(&record->target, &record->texts, target);
	if (record->origin == ORIGIN_PRIV)
		tell_levels(&record->target, target);
	else
		record->target.full_level = record->target.group_level = 0;
	u64 first_argument;
	record->in_call = call_of(current, &record->call, &first_argument);
	record->call_argument = (s32)first_argument;
	record->written_filesystem = none();
	record->written_path = none();
	if (record->in_call && record->origin != ORIGIN_SIGINFO)
		tell_file(record, current, first_argument);
	record->ancestors = tell_ancestors(record->ancestor, SENDER_ANCESTORS, &record->texts, current);

	u32 traced = BPF_CORE_READ(target, ptrace);
	record->ptrace_exitkill = (traced & PT_EXITKILL) != 0;
	record->tracer_tgid = traced ? BPF_CORE_READ(target, parent, tgid) : 0;
	tell_cpu(record, target);

	struct identity identity = { record->target.process.start_boot_ns, record->target.process.tgid, 0 };
	u8 yes = 1;
	bpf_map_update_elem(&targets, &identity, &yes, BPF_ANY);
	struct thread *last = bpf_map_lookup_elem(&last_target, &zero);
	if (last) {
		last->pid = record->target.process.pid;
		last->tgid = record->target.process.tgid;
	}

	u64 used = record->texts.used & (TEXTS_SIZE - 1);
	if (bpf_ringbuf_output(&records, record, __builtin_offsetof(struct signal_record, texts.bytes) + used, 0))
		count_loss(RECORD_SIGNAL);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int process_ended(u64 *ctx)
{
	u32 zero = 0;
	struct task_struct *task;
	if (bpf_probe_read_kernel(&task, sizeof(task), ctx))
		return 0;
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	// do_exit() has counted this thread out already.
	if (BPF_CORE_READ(signal, live.counter) != 0)
		return 0;
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	// kernel/exit.c: wait_task_zombie()
	s32 status = BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT ? BPF_CORE_READ(signal, group_exit_code) :
									BPF_CORE_READ(leader, exit_code);
	u32 by_signal = status & 0x7f;
	u32 exit_status = (status >> 8) & 0xff;
	struct identity identity = { BPF_CORE_READ(leader, start_boottime), BPF_CORE_READ(leader, tgid), 0 };
	if (by_signal != SIGKILL && by_signal != SIGTERM &&
	    !(by_signal == 0 && (exit_status == 128 + SIGKILL || exit_status == 128 + SIGTERM)) &&
	    !bpf_map_lookup_elem(&targets, &identity))
		return 0;
	u8 yes = 1;
	// Before 6.4 the verifier calls a function that returns an int in place of the helper: the upper half is not set.
	if ((int)bpf_map_update_elem(&ended, &identity, &yes, BPF_NOEXIST) == -EEXIST)
		return 0;
	bpf_map_delete_elem(&targets, &identity);

	struct exit_record *record = bpf_map_lookup_elem(&exit_draft, &zero);
	if (!record)
		return 0;
	record->head.kind = RECORD_EXIT;
	record->head.size = __builtin_offsetof(struct exit_record, texts);
	record->head.boot_ns = bpf_ktime_get_boot_ns();
	record->texts.used = 0;
	record->wait_status = status;
	// The last thread has what is left of the memory; its process is named after the leader.
	tell_subject(&record->ended, &record->texts, task);
	record->ended.full_level = record->ended.group_level = 0;
	record->ended.process.pid = identity.tgid;
	record->ended.process.arguments = arguments(&record->texts, task);
	u64 used = record->texts.used & (TEXTS_SIZE - 1);
	if (bpf_ringbuf_output(&records, record, __builtin_offsetof(struct exit_record, texts.bytes) + used, 0))
		count_loss(RECORD_EXIT);
	return 0;
}

SEC("tp_btf/mark_victim")
int victim_marked(u64 *ctx)
{
	u32 zero = 0;
	u64 victim;
	struct mark_record record = {};
	if (bpf_probe_read_kernel(&victim, sizeof(victim), ctx))
		return 0;
	record.head.kind = RECORD_MARK;
	record.head.size = sizeof(record);
	record.head.boot_ns = bpf_ktime_get_boot_ns();
	record.by_tgid = bpf_get_current_pid_tgid() >> 32;
	if (victim >> 32) {
		// 6.8 and later, and stable kernels that took the change: the task.
		record.tgid = BPF_CORE_READ((struct task_struct *)victim, tgid);
	} else {
		// Before: the id of the thread that was found to have memory, sent its SIGKILL just now on this CPU.
		struct thread *last = bpf_map_lookup_elem(&last_target, &zero);
		record.tgid = (u32)victim;
		if ((u32)bpf_get_current_pid_tgid() == (u32)victim)
			record.tgid = record.by_tgid;
		else if (last && last->pid == (u32)victim)
			record.tgid = last->tgid;
	}
	if (bpf_ringbuf_output(&records, &record, sizeof(record), 0))
		count_loss(RECORD_MARK);
	return 0;
}
