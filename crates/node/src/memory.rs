//! What a whole machine has and was told to do: /proc/meminfo, /proc/sys/vm, /proc/pressure. Reads only.

use procfs_core::{FromBufRead, Meminfo};
use whodunit_case::fact::MachineMemory;

use crate::Root;
use crate::cgroup::pressure_of;

/// Reads it; what is not readable is `None`.
pub fn machine_memory(root: &Root) -> MachineMemory {
    let setting = |name: &str| -> Option<u64> {
        let text = std::fs::read_to_string(root.join(&format!("/proc/sys/vm/{name}"))).ok()?;
        text.trim().parse().ok()
    };
    let small = |name: &str| setting(name)?.try_into().ok();
    let meminfo = std::fs::read(root.join("/proc/meminfo"))
        .ok()
        .and_then(|text| Meminfo::from_buf_read(text.as_slice()).ok());
    // The reader gives bytes.
    let kib =
        |field: fn(&Meminfo) -> Option<u64>| field(meminfo.as_ref()?).map(|bytes| bytes >> 10);
    let pressure = |of: &str| pressure_of(&root.join(&format!("/proc/pressure/{of}")));
    MachineMemory {
        overcommit_memory: small("overcommit_memory"),
        overcommit_ratio: small("overcommit_ratio"),
        overcommit_kib: setting("overcommit_kbytes"),
        panic_on_oom: small("panic_on_oom"),
        oom_kill_allocating_task: small("oom_kill_allocating_task"),
        swappiness: small("swappiness"),
        total_kib: kib(|info| Some(info.mem_total)),
        free_kib: kib(|info| Some(info.mem_free)),
        available_kib: kib(|info| info.mem_available),
        swap_total_kib: kib(|info| Some(info.swap_total)),
        swap_free_kib: kib(|info| Some(info.swap_free)),
        commit_limit_kib: kib(|info| info.commit_limit),
        committed_as_kib: kib(|info| Some(info.committed_as)),
        shmem_kib: kib(|info| info.shmem),
        slab_unreclaimable_kib: kib(|info| info.s_unreclaim),
        memory_pressure: pressure("memory"),
        io_pressure: pressure("io"),
        cpu_pressure: pressure("cpu"),
    }
}
