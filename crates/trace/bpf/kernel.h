/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The few fields of kernel structures that the programs read, declared as CO-RE wants them: name and type count, the
 * place does not, the loader finds it in the running kernel's BTF. A structure whose form changed between kernels has
 * a second declaration with a ___suffix, which the loader ignores when it looks for the name.
 */
#ifndef WHODUNIT_KERNEL_H
#define WHODUNIT_KERNEL_H

typedef _Bool bool;
#define true 1
#define false 0
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* Names that libbpf's headers use. */
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;

/* include/uapi/linux/bpf.h */
enum {
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};
enum bpf_func_id {
	BPF_FUNC_task_pt_regs = 175,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

typedef struct {
	u32 val;
} kuid_t;

struct kernel_siginfo {
	int si_code;
};

struct qstr {
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	struct file_system_type *s_type;
};

struct inode {
	struct super_block *i_sb;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* 6.2 and later: one per-CPU counter for each kind of page. */
struct percpu_counter {
	s64 count;
};

struct mm_struct {
	struct percpu_counter rss_stat[4];
	unsigned long total_vm;
	unsigned long hiwater_rss;
	atomic64_t pgtables_bytes;
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

/* Before 6.2. */
struct mm_rss_stat {
	atomic64_t count[4];
};

struct mm_struct___atomic {
	struct mm_rss_stat rss_stat;
};

struct page_counter {
	atomic64_t usage;
	unsigned long max;
	struct page_counter *parent;
};

struct kernfs_node {
	struct kernfs_node *__parent;
	const char *name;
	u64 id;
};

/* Before 6.15. */
struct kernfs_node___plain {
	struct kernfs_node___plain *parent;
};

struct cgroup_root;

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

/* Its first member is its cgroup_subsys_state. */
struct mem_cgroup {
	struct page_counter memory;
	bool oom_group;
};

enum cgroup_subsys_id {
	memory_cgrp_id = 4,
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct cred {
	kuid_t euid;
};

struct tty_struct {
	char name[64];
};

struct rlimit {
	unsigned long rlim_cur;
	unsigned long rlim_max;
};

struct task_cputime_atomic {
	atomic64_t utime;
	atomic64_t stime;
	atomic64_t sum_exec_runtime;
};

struct thread_group_cputimer {
	struct task_cputime_atomic cputime_atomic;
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
	struct thread_group_cputimer cputimer;
	struct pid *pids[4];
	struct tty_struct *tty;
	u64 sum_sched_runtime;
	struct rlimit rlim[16];
	short oom_score_adj;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

/* x86 only. */
struct thread_info {
	u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	unsigned int ptrace;
	struct sched_entity se;
	struct mm_struct *mm;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *parent;
	struct task_struct *group_leader;
	u64 start_boottime;
	const struct cred *real_cred;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
	kuid_t loginuid;
	unsigned int sessionid;
	struct css_set *cgroups;
};

struct pt_regs___x86 {
	unsigned long bx;
	unsigned long di;
	unsigned long orig_ax;
};

struct pt_regs___arm64 {
	u64 regs[31];
	u64 pstate;
	u64 orig_x0;
	s32 syscallno;
};

#pragma clang attribute pop

/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
/* include/linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 0x00000004
/* include/linux/pid_types.h */
#define PIDTYPE_TGID 1
/* include/linux/ptrace.h: PTRACE_O_EXITKILL << PT_OPT_FLAG_SHIFT */
#define PT_EXITKILL (1 << 23)
/* arch/x86/include/asm/thread_info.h: the system call came by the 32 bit way. */
#define TS_COMPAT 0x0002
/* arch/arm64/include/uapi/asm/ptrace.h: user space runs 32 bit code. */
#define PSR_MODE32_BIT 0x00000010
/* arch/{x86,arm64}: size of a kernel stack, for kernels before 5.15, which have no helper that finds the registers. */
#define THREAD_SIZE 16384
/* include/uapi/asm-generic/resource.h */
#define RLIMIT_CPU 0

#define EEXIST 17
#define SIGKILL 9
#define SIGTERM 15

#endif
