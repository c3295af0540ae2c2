//! The sea that the reports swim in: lines as a Kubernetes node's syslog has them, made by a fixed rule from a fixed
//! seed, the same on every machine.
//!
//! The templates are modelled on the messages of kubelet, containerd, systemd, sshd, cron, the kernel and others, and
//! were written for this benchmark; none is a recorded line. One line in [`TRAP_EVERY`] is a trap, as real logs have
//! them: `Killing container with a grace period`, `status=9/KILL`, `oom_score_adj` in a container's spec, `oom watcher`,
//! `Kill` in a command line, and words like `room`, `skill` and `bloom`. These hold the words that a search for
//! reports looks for, and none is a report.

use std::fmt::Write;

/// One line in so many is a trap.
pub(crate) const TRAP_EVERY: u64 = 200;

/// Name of the machine in every line.
pub(crate) const HOST: &str = "node-7";

/// A small generator of numbers that look random (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The head of a line at that many microseconds after the first of March, as rsyslog writes it.
pub(crate) fn head(line: &mut String, us: u64) {
    let seconds = us / 1_000_000;
    let (day, hour, minute, second) = (
        seconds / 86_400 % 31 + 1,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    let _ = write!(
        line,
        "Mar {day:2} {hour:02}:{minute:02}:{second:02} {HOST} "
    );
}

/// A kernel's line of noise or of a report.
pub(crate) fn kernel_line(line: &mut String, us: u64, text: &str) {
    head(line, us);
    // The machine was up for an hour then.
    let boot = us + 3_600_000_000;
    let _ = writeln!(
        line,
        "kernel: [{:5}.{:06}] {text}",
        boot / 1_000_000,
        boot % 1_000_000
    );
}

const NAMES: [&str; 8] = [
    "checkout",
    "payments",
    "search-api",
    "ingest",
    "frontend",
    "cart",
    "ledger",
    "metrics-agent",
];
const NAMESPACES: [&str; 5] = ["default", "kube-system", "shop", "monitoring", "batch"];

/// One line of noise.
pub(crate) fn line(line: &mut String, us: u64, random: &mut Random) {
    if random.below(TRAP_EVERY) == 0 {
        return trap(line, us, random);
    }
    let kind = random.below(16);
    if kind >= 14 {
        return kernel_noise(line, us, random);
    }
    head(line, us);
    let (one, two) = (random.next(), random.next());
    let name = pick(&NAMES, one);
    let namespace = pick(&NAMESPACES, two);
    let (h, m, s, part) = (
        us / 3_600_000_000 % 24,
        us / 60_000_000 % 60,
        us / 1_000_000 % 60,
        us % 1_000_000,
    );
    let clock = format_args!("{h:02}:{m:02}:{s:02}.{part:06}");
    let pid = 900 + one % 40_000;
    let uid = format_args!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        one as u32,
        two as u16,
        one >> 52,
        two >> 52,
        two & 0xffff_ffff_ffff
    );
    let _ = match kind {
        0 | 1 => writeln!(
            line,
            "kubelet[1042]: I0301 {clock}    1042 kubelet_getters.go:187] \"Pod status updated\" pod=\"{namespace}/{name}-{:08x}-{:05x}\" status=\"Running\"",
            one as u32,
            two as u32 & 0xf_ffff
        ),
        2 => writeln!(
            line,
            "kubelet[1042]: I0301 {clock}    1042 reconciler_common.go:253] \"operationExecutor.VerifyControllerAttachedVolume started for volume \\\"kube-api-access-{:05x}\\\" (UniqueName: \\\"kubernetes.io/projected/{uid}-kube-api-access\\\") pod \\\"{name}\\\" (UID: \\\"{uid}\\\") \" pod=\"{namespace}/{name}\"",
            two as u32 & 0xf_ffff
        ),
        3 => writeln!(
            line,
            "kubelet[1042]: E0301 {clock}    1042 prober.go:104] \"Probe errored\" err=\"rpc error: code = Unknown desc = deadline exceeded ({}) after 1s\" probeType=\"Readiness\" pod=\"{namespace}/{name}\" podUID=\"{uid}\" containerName=\"{name}\"",
            two % 100
        ),
        4 | 5 => writeln!(
            line,
            "containerd[881]: time=\"2026-03-{:02}T{clock}Z\" level=info msg=\"StartContainer for \\\"{one:016x}{two:016x}\\\" returns successfully\"",
            us / 86_400_000_000 % 31 + 1
        ),
        6 => writeln!(
            line,
            "containerd[881]: time=\"2026-03-{:02}T{clock}Z\" level=info msg=\"PullImage \\\"registry.example/{namespace}/{name}:{}.{}.{}\\\" returns image reference \\\"sha256:{one:016x}{two:016x}{one:016x}{two:016x}\\\"\"",
            us / 86_400_000_000 % 31 + 1,
            one % 9,
            two % 20,
            one % 7
        ),
        7 => writeln!(
            line,
            "systemd[1]: run-containerd-runc-k8s.io-{one:016x}{two:016x}-runc.{:06x}.mount: Deactivated successfully.",
            two as u32 & 0xff_ffff
        ),
        8 => writeln!(
            line,
            "systemd[1]: Started session-{}.scope - Session {} of User deploy.",
            one % 9000,
            one % 9000
        ),
        9 => writeln!(
            line,
            "sshd[{pid}]: Accepted publickey for deploy from 10.{}.{}.{} port {} ssh2: ED25519 SHA256:{one:016x}{two:016x}",
            one % 256,
            two % 256,
            (one >> 8) % 256,
            1024 + two % 60_000
        ),
        10 => writeln!(
            line,
            "sshd[{pid}]: Connection closed by authenticating user root 203.0.113.{} port {} [preauth]",
            one % 256,
            1024 + two % 60_000
        ),
        11 => writeln!(
            line,
            "CRON[{pid}]: (root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)"
        ),
        12 => writeln!(
            line,
            "dockerd[1207]: time=\"2026-03-{:02}T{clock}Z\" level=warning msg=\"reference for unknown type: application/vnd.in-toto+json\" digest=\"sha256:{one:016x}{two:016x}\" remote=\"registry.example/{name}\"",
            us / 86_400_000_000 % 31 + 1
        ),
        _ => writeln!(
            line,
            "node-problem-detector[2210]: I0301 {clock}    2210 custom_plugin_monitor.go:280] New status generated: &{{Source:ntp-custom-plugin-monitor Events:[] Conditions:[{{Type:NTPProblem Status:False Transition:{one} Reason:NTPIsUp Message:ntp service is up}}]}}"
        ),
    };
}

fn kernel_noise(line: &mut String, us: u64, random: &mut Random) {
    let (one, two) = (random.next(), random.next());
    let text = match one % 6 {
        0 => format!(
            "cni0: port {}(veth{:08x}) entered forwarding state",
            one % 110,
            two as u32
        ),
        1 => format!(
            "IPv6: ADDRCONF(NETDEV_CHANGE): veth{:08x}: link becomes ready",
            two as u32
        ),
        2 => format!(
            "audit: type=1400 audit({}.{:03}:{}): apparmor=\"STATUS\" operation=\"profile_replace\" profile=\"unconfined\" name=\"cri-containerd.apparmor.d\" pid={} comm=\"apparmor_parser\"",
            1_772_323_200 + us / 1_000_000,
            us / 1000 % 1000,
            two % 100_000,
            one % 40_000
        ),
        3 => format!("device veth{:08x} left promiscuous mode", two as u32),
        4 => format!(
            "[UFW BLOCK] IN=eth0 OUT= MAC=06:{:02x}:{:02x}:00:00:01:08:00 SRC=198.51.100.{} DST=10.0.0.7 LEN=40 TOS=0x00 PREC=0x00 TTL={} ID={} PROTO=TCP SPT={} DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0",
            one % 256,
            two % 256,
            one % 256,
            two % 256,
            one % 65_536,
            two % 65_536
        ),
        _ => format!("eth0: renamed from veth{:08x}", two as u32),
    };
    kernel_line(line, us, &text);
}

fn trap(line: &mut String, us: u64, random: &mut Random) {
    let (one, two) = (random.next(), random.next());
    let name = pick(&NAMES, one);
    let namespace = pick(&NAMESPACES, two);
    if one % 12 == 0 {
        return kernel_line(
            line,
            us,
            &format!(
                "process '{name}/bin/skill' started with executable stack in room {}",
                two % 100
            ),
        );
    }
    head(line, us);
    let pid = 900 + one % 40_000;
    let _ = match one % 12 {
        1 | 2 => writeln!(
            line,
            "kubelet[1042]: I0301 00:00:00.000000    1042 kuberuntime_container.go:808] \"Killing container with a grace period\" pod=\"{namespace}/{name}\" podUID=\"{one:016x}\" containerName=\"{name}\" containerID=\"containerd://{one:016x}{two:016x}\" gracePeriod=30"
        ),
        3 => writeln!(
            line,
            "systemd[1]: {name}.service: Main process exited, code=killed, status=9/KILL"
        ),
        4 => writeln!(
            line,
            "systemd[1]: {name}.service: Killing process {pid} ({name}) with signal SIGKILL."
        ),
        5 => writeln!(
            line,
            "containerd[881]: time=\"2026-03-01T00:00:00Z\" level=info msg=\"Kill container \\\"{one:016x}{two:016x}\\\"\""
        ),
        6 => writeln!(
            line,
            "kubelet[1042]: I0301 00:00:00.000000    1042 oom_watcher_linux.go:81] \"Starting oom watcher\" pod=\"{namespace}/{name}\""
        ),
        7 => writeln!(
            line,
            "containerd[881]: time=\"2026-03-01T00:00:00Z\" level=debug msg=\"spec\" process=\"{{\\\"oomScoreAdj\\\":{},\\\"oom_score_adj\\\":{}}}\"",
            one % 1000,
            two % 1000
        ),
        8 => writeln!(
            line,
            "{name}[{pid}]: bloom filter rebuilt, {} keys, skill index {}",
            one % 100_000,
            two % 100
        ),
        9 => writeln!(
            line,
            "{name}[{pid}]: zoom level {} for room {}",
            one % 20,
            two % 1000
        ),
        10 => writeln!(
            line,
            "sudo[{pid}]:   deploy : TTY=pts/0 ; PWD=/home/deploy ; USER=root ; COMMAND=/usr/bin/pkill -HUP {name}"
        ),
        _ => writeln!(
            line,
            "systemd[1]: {name}.service: Failed with result 'oom-kill'."
        ),
    };
}

fn pick<'a>(list: &[&'a str], number: u64) -> &'a str {
    list.get((number >> 20) as usize % list.len())
        .copied()
        .unwrap_or_default()
}
