/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the programs hand to user space; src/record.rs reads it, field by field in this order. No padding.
 *
 * Texts are of any length: each is kept in `struct texts` behind the record, and a `struct text` says where. A path is
 * its names from the leaf up, each closed by a zero byte.
 */
#ifndef WHODUNIT_RECORD_H
#define WHODUNIT_RECORD_H

#define SENDER_ANCESTORS 8
#define TARGET_ANCESTORS 4
/* Levels of a path, and bytes of one name with its closing zero: NAME_MAX + 1. */
#define LEVELS 16
/* Memory cgroups from a target's own upwards, and pages that a full one may have room for. */
#define MEMORY_LEVELS 8
#define MOST_ROOM_PAGES 2048
#define NAME_SIZE 256
#define ARGUMENTS_SIZE 256
/* A power of two. */
#define TEXTS_SIZE 8192

enum record_kind {
	RECORD_SIGNAL = 1,
	RECORD_EXIT = 2,
	RECORD_MARK = 3,
	RECORD_KINDS = 3,
};

struct text {
	/* From the start of the texts; TEXT_NONE when the source has none or it was not read. */
	u16 at;
	/* Bytes; TEXT_CUT is set where there was more: deeper than LEVELS or no room left. */
	u16 length;
};

#define TEXT_NONE 0xffff
#define TEXT_CUT 0x8000

struct process {
	u64 start_boot_ns;
	u64 cgroup_id;
	u32 pid;
	u32 tgid;
	u32 uid;
	u32 login_uid;
	u32 login_session;
	u32 pid_namespace;
	u32 namespaced_tgid;
	u32 flags;
	char comm[16];
	struct text exe;
	struct text tty;
	struct text arguments;
	struct text unified;
	struct text memory;
	u32 reserved;
};

struct ancestor {
	u64 start_boot_ns;
	u32 tgid;
	u32 uid;
	u32 login_uid;
	u32 pid_namespace;
	u32 namespaced_tgid;
	u32 reserved;
	char comm[16];
	struct text exe;
	struct text tty;
	struct text unified;
	struct text memory;
};

/* Pages and bytes as the kernel counts them; -1 for what it did not have. */
struct memory {
	s64 total_vm_pages;
	s64 file_rss_pages;
	s64 anon_rss_pages;
	s64 shmem_rss_pages;
	s64 swap_pages;
	s64 max_rss_pages;
	s64 pgtables_bytes;
	s64 memcg_usage_pages;
	s64 memcg_limit_pages;
	s64 oom_score_adj;
};

struct head {
	u32 kind;
	/* Of the record without its texts. */
	u32 size;
	u64 boot_ns;
};

/* The process that the record is about. */
struct subject {
	struct process process;
	u32 ancestors;
	/* Of a target that the kernel kills by its own decision: 1 + the levels from its memory cgroup up to the one that stood
	 * at its limit; 0 when none did. */
	u16 full_level;
	/* The same up to the first one with memory.oom.group. */
	u16 group_level;
	struct ancestor ancestor[TARGET_ANCESTORS];
	struct memory memory;
};

struct texts {
	/* Bytes in use. */
	u32 used;
	u32 reserved;
	char bytes[TEXTS_SIZE + NAME_SIZE];
};

enum signal_origin {
	ORIGIN_NOINFO = 0,
	ORIGIN_PRIV = 1,
	ORIGIN_SIGINFO = 2,
};

struct signal_record {
	struct head head;
	struct subject target;
	u32 signal;
	s32 code;
	u32 origin;
	u32 group;
	s32 result;
	/* 0 no, 1 yes, 2 yes and of the 32 bit table. */
	u32 in_call;
	s64 call;
	struct text written_filesystem;
	struct text written_path;
	u32 tracer_tgid;
	u32 ptrace_exitkill;
	u64 cpu_hard_limit_s;
	u64 cpu_used_ns;
	struct process sender;
	u32 ancestors;
	/* Of the call's first argument as a number: whom kill(2) was for. */
	s32 call_argument;
	struct ancestor ancestor[SENDER_ANCESTORS];
	struct texts texts;
};

struct exit_record {
	struct head head;
	struct subject ended;
	s32 wait_status;
	u32 reserved;
	struct texts texts;
};

struct mark_record {
	struct head head;
	u32 tgid;
	u32 by_tgid;
};

#endif
