//! containerd for real: containers of `ctr`, and pods through the CRI.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use prost::Message;
use tonic_prost::ProstCodec;
use whodunit_case::fact::RuntimeEventKind as Kind;
use whodunit_node::Root;
use whodunit_node::process::ProcessReader;
use whodunit_node::runtimes::{Protocol, from_state_files};

use crate::real_containerd::{IMAGE, RealContainerd, own_cgroup};
use crate::{Heard, wait_for};

const PATIENCE: Duration = Duration::from_secs(5);
/// A shell that eats memory until it is killed.
const HOG: &str = "a=xxxxxxxx; while :; do a=$a$a; done";

fn exited(kinds: &[Kind]) -> bool {
    kinds
        .iter()
        .any(|kind| matches!(kind, Kind::Exited { exec: false, .. }))
}

#[test]
fn containers_of_ctr_are_named_and_their_ends_are_told() {
    let Some(mut containerd) = RealContainerd::start() else {
        return;
    };
    let heard = Heard::default();
    let nowhere = Root::at(containerd.path("nowhere"));
    let runtimes = heard.listen(&nowhere, vec![containerd.endpoint(Protocol::Containerd)]);
    // One that is there already is asked for at the start; give the events time to be subscribed to.
    let unique = std::process::id();
    let [early, web, hog] = ["early", "web", "hog"].map(|name| format!("whodunit-{name}-{unique}"));
    std::thread::sleep(Duration::from_millis(300));

    containerd.run(&web, 64 << 20, "sleep 1000; true");
    let started = heard.wait(&web, |kinds| !kinds.is_empty());
    let Kind::Started { pid: Some(pid) } = started[0] else {
        panic!("{started:?}")
    };

    let begin = Instant::now();
    let facts = runtimes
        .lookup(&web, PATIENCE)
        .expect("containerd knows it");
    eprintln!("first lookup: {:?}", begin.elapsed());
    assert_eq!(facts.id, web);
    assert_eq!(
        (facts.runtime.as_str(), facts.name.as_deref()),
        ("containerd", Some("web"))
    );
    assert_eq!(facts.init_pid, Some(pid));
    assert!(!facts.is_sandbox && facts.pod_name.is_none() && facts.restart_count.is_none());
    let live = ProcessReader::new(&Root::system()).read(pid).unwrap();
    assert_eq!(facts.cgroup.as_deref(), live.process.cgroups.path());
    assert_eq!(facts.cgroup, Some(format!("{}/{web}", own_cgroup())));
    assert_eq!(live.process.namespaced_tgid, Some(1));
    assert_eq!(live.memory.memcg_limit_kib, Some(64 << 10));
    // Known by now: nobody is asked again.
    assert_eq!(runtimes.cached(&web), Some(Some(facts.clone())));

    // The state files alone know the same.
    let tree = containerd.path("tree/run");
    fs::create_dir_all(&tree).unwrap();
    symlink(containerd.path("state"), tree.join("containerd")).unwrap();
    let root = Root::at(containerd.path("tree"));
    let kept = from_state_files(&root, &web).expect("state files");
    assert_eq!(
        (kept.init_pid, &kept.cgroup),
        (facts.init_pid, &facts.cgroup)
    );

    // Nobody's id, and what is no id at all.
    assert_eq!(runtimes.lookup("whodunit-nobody", PATIENCE), None);
    assert_eq!(runtimes.lookup("../etc/passwd", PATIENCE), None);

    containerd.try_ctr(&[
        "tasks",
        "exec",
        "--exec-id",
        "probe",
        &web,
        "/bin/sh",
        "-c",
        "exit 3",
    ]);
    let kinds = heard.wait(&web, |kinds| kinds.len() > 1);
    assert!(
        matches!(
            kinds.last(),
            Some(Kind::Exited {
                status: 3,
                exec: true,
                ..
            })
        ),
        "{kinds:?}"
    );

    containerd.ctr(&["tasks", "kill", "--signal", "SIGKILL", &web]);
    let kinds = heard.wait(&web, exited);
    assert!(
        kinds.contains(&Kind::Exited {
            pid: Some(pid),
            status: 137,
            exec: false
        }),
        "{kinds:?}"
    );
    assert!(!kinds.contains(&Kind::Oom));
    containerd.ctr(&["tasks", "delete", &web]);
    containerd.ctr(&["containers", "delete", &web]);
    heard.wait(&web, |kinds| kinds.contains(&Kind::Deleted));
    // It is gone, and still known.
    assert_eq!(runtimes.lookup(&web, PATIENCE).as_ref(), Some(&facts));

    containerd.run(&hog, 16 << 20, HOG);
    let kinds = heard.wait(&hog, |kinds| exited(kinds) && kinds.contains(&Kind::Oom));
    assert!(
        kinds
            .iter()
            .any(|kind| matches!(kind, Kind::Exited { status: 137, .. })),
        "{kinds:?}"
    );
    let event = heard.events(&hog).remove(0);
    assert!(event.time.is_some() && event.boot_ns <= whodunit_node::clock::boot_ns());
    assert_eq!(heard.notes(), Vec::<String>::new());

    // The daemon goes away and comes back: said once each, and events come again.
    containerd.stop_daemon();
    assert!(
        wait_for(PATIENCE, || heard.notes().len() == 1),
        "{:?}",
        heard.notes()
    );
    assert!(
        heard.notes()[0].contains("missed until it answers"),
        "{:?}",
        heard.notes()
    );
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(heard.notes().len(), 1);
    containerd.start_daemon();
    assert!(
        wait_for(Duration::from_secs(10), || heard.notes().len() == 2),
        "{:?}",
        heard.notes()
    );
    assert!(
        heard.notes()[1].contains("answers again"),
        "{:?}",
        heard.notes()
    );
    containerd.run(&early, 64 << 20, "sleep 1000; true");
    heard.wait(&early, |kinds| {
        matches!(kinds, [Kind::Started { pid: Some(_) }])
    });
    assert!(runtimes.lookup(&early, PATIENCE).is_some());

    // One that started before the watching did.
    let second = Heard::default();
    let runtimes = second.listen(&nowhere, vec![containerd.endpoint(Protocol::Containerd)]);
    let warmed = || runtimes.cached(&early).flatten().is_some();
    assert!(wait_for(PATIENCE, warmed), "{:?}", second.notes());
}

// ---- what the kubelet would ask of the CRI (runtime/v1/api.proto) ----

#[derive(Clone, PartialEq, Message)]
struct PodMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(uint32, tag = "4")]
    attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
struct NamespaceOption {
    #[prost(int32, tag = "1")]
    network: i32,
    #[prost(int32, tag = "2")]
    pid: i32,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxSecurity {
    #[prost(message, optional, tag = "1")]
    namespace_options: Option<NamespaceOption>,
}

#[derive(Clone, PartialEq, Message)]
struct LinuxPod {
    #[prost(string, tag = "1")]
    cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    security_context: Option<SandboxSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct PodConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<PodMetadata>,
    #[prost(map = "string, string", tag = "6")]
    labels: HashMap<String, String>,
    #[prost(message, optional, tag = "8")]
    linux: Option<LinuxPod>,
}

#[derive(Clone, PartialEq, Message)]
struct RunPod {
    #[prost(message, optional, tag = "1")]
    config: Option<PodConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
}

#[derive(Clone, PartialEq, Message)]
struct Resources {
    #[prost(int64, tag = "4")]
    memory_limit_in_bytes: i64,
}

#[derive(Clone, PartialEq, Message)]
struct LinuxContainer {
    #[prost(message, optional, tag = "1")]
    resources: Option<Resources>,
    /// LinuxContainerSecurityContext has the namespace options third.
    #[prost(message, optional, tag = "2")]
    security: Option<ContainerSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerSecurity {
    #[prost(message, optional, tag = "3")]
    namespace_options: Option<NamespaceOption>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "2")]
    image: Option<ImageSpec>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(map = "string, string", tag = "9")]
    labels: HashMap<String, String>,
    #[prost(message, optional, tag = "15")]
    linux: Option<LinuxContainer>,
}

#[derive(Clone, PartialEq, Message)]
struct CreateContainer {
    #[prost(string, tag = "1")]
    pod_sandbox_id: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    sandbox_config: Option<PodConfig>,
}

/// An id and nothing else: requests and answers alike.
#[derive(Clone, PartialEq, Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
}

fn cri<Q: Message + 'static>(socket: &Path, method: &'static str, question: Q) -> Id {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let socket = socket.to_owned();
        let channel = tonic::transport::Endpoint::from_static("http://localhost")
            .connect_with_connector(tower::service_fn(move |_| {
                let socket = socket.clone();
                async move {
                    tokio::net::UnixStream::connect(socket)
                        .await
                        .map(TokioIo::new)
                }
            }))
            .await
            .unwrap();
        let mut grpc = tonic::client::Grpc::new(channel);
        grpc.ready().await.unwrap();
        let path = hyper::http::uri::PathAndQuery::from_static(method);
        let codec = ProstCodec::<Q, Id>::default();
        let answer = grpc.unary(tonic::Request::new(question), path, codec).await;
        answer
            .unwrap_or_else(|status| panic!("{method}: {status:?}"))
            .into_inner()
    })
}

#[test]
fn pods_are_named_through_the_cri() {
    let Some(containerd) = RealContainerd::start() else {
        return;
    };
    containerd.import_image();
    let heard = Heard::default();
    let nowhere = Root::at(containerd.path("nowhere"));
    let runtimes = heard.listen(&nowhere, vec![containerd.endpoint(Protocol::Containerd)]);
    std::thread::sleep(Duration::from_millis(300));

    // NODE is 2, CONTAINER is 1.
    let on_host = || NamespaceOption { network: 2, pid: 1 };
    let uid = "11111111-2222-4333-8444-555555555555";
    let kubelets = |more: &[(&str, &str)]| -> HashMap<String, String> {
        [
            ("io.kubernetes.pod.name", "web-0"),
            ("io.kubernetes.pod.namespace", "shop"),
            ("io.kubernetes.pod.uid", uid),
        ]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
    };
    let pod = PodConfig {
        metadata: Some(PodMetadata {
            name: "web-0".into(),
            uid: uid.into(),
            namespace: "shop".into(),
            attempt: 0,
        }),
        labels: kubelets(&[]),
        linux: Some(LinuxPod {
            cgroup_parent: format!("{}/pod{uid}", own_cgroup()),
            security_context: Some(SandboxSecurity {
                namespace_options: Some(on_host()),
            }),
        }),
    };
    let socket = containerd.socket();
    let sandbox = cri(
        &socket,
        "/runtime.v1.RuntimeService/RunPodSandbox",
        RunPod {
            config: Some(pod.clone()),
        },
    )
    .id;
    let container = CreateContainer {
        pod_sandbox_id: sandbox.clone(),
        config: Some(ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: "app".into(),
                attempt: 3,
            }),
            image: Some(ImageSpec {
                image: IMAGE.into(),
            }),
            command: vec!["/bin/sh".into(), "-c".into(), format!("sleep 2; {HOG}")],
            labels: kubelets(&[("io.kubernetes.container.name", "app")]),
            linux: Some(LinuxContainer {
                resources: Some(Resources {
                    memory_limit_in_bytes: 16 << 20,
                }),
                security: Some(ContainerSecurity {
                    namespace_options: Some(on_host()),
                }),
            }),
        }),
        sandbox_config: Some(pod),
    };
    let app = cri(
        &socket,
        "/runtime.v1.RuntimeService/CreateContainer",
        container,
    )
    .id;
    cri(
        &socket,
        "/runtime.v1.RuntimeService/StartContainer",
        Id { id: app.clone() },
    );

    let facts = runtimes
        .lookup(&app, PATIENCE)
        .expect("the container is known");
    assert_eq!(facts.id, app);
    assert_eq!(
        (facts.name.as_deref(), facts.restart_count),
        (Some("app"), Some(3))
    );
    assert_eq!(
        (
            facts.pod_name.as_deref(),
            facts.pod_namespace.as_deref(),
            facts.pod_uid.as_deref()
        ),
        (Some("web-0"), Some("shop"), Some(uid))
    );
    assert_eq!(
        (facts.image.as_deref(), facts.is_sandbox),
        (Some(IMAGE), false)
    );
    let live = ProcessReader::new(&Root::system())
        .read(facts.init_pid.unwrap())
        .unwrap();
    assert_eq!(facts.cgroup.as_deref(), live.process.cgroups.path());

    let pause = runtimes
        .lookup(&sandbox, PATIENCE)
        .expect("the sandbox is known");
    assert!(pause.is_sandbox);
    assert_eq!(
        (pause.pod_name.as_deref(), pause.pod_uid.as_deref()),
        (Some("web-0"), Some(uid))
    );
    assert!(pause.init_pid.is_some());

    // The CRI alone tells the same: what is spoken with CRI-O.
    let alone = Heard::default();
    let through_cri = alone.listen(&nowhere, vec![containerd.endpoint(Protocol::Cri)]);
    let same = through_cri
        .lookup(&app, PATIENCE)
        .expect("the container is known");
    assert_eq!(
        (
            &same.name,
            &same.image,
            &same.pod_name,
            &same.pod_uid,
            same.restart_count,
            same.init_pid,
            &same.cgroup
        ),
        (
            &facts.name,
            &facts.image,
            &facts.pod_name,
            &facts.pod_uid,
            facts.restart_count,
            facts.init_pid,
            &facts.cgroup
        )
    );
    assert!(
        through_cri
            .lookup(&sandbox, PATIENCE)
            .is_some_and(|facts| facts.is_sandbox)
    );
    assert_eq!(through_cri.lookup(&"0".repeat(64), PATIENCE), None);
    // containerd 1.6 has no events there.
    assert!(
        wait_for(PATIENCE, || alone
            .notes()
            .iter()
            .any(|note| note.contains("has no events"))),
        "{:?}",
        alone.notes()
    );

    // Its state files name the pod as well.
    fs::create_dir_all(containerd.path("tree/run")).unwrap();
    symlink(
        containerd.path("state"),
        containerd.path("tree/run/containerd"),
    )
    .unwrap();
    let kept = from_state_files(&Root::at(containerd.path("tree")), &app).expect("state files");
    assert_eq!(
        (
            &kept.name,
            &kept.pod_name,
            &kept.pod_namespace,
            &kept.pod_uid,
            kept.init_pid,
            &kept.cgroup
        ),
        (
            &facts.name,
            &facts.pod_name,
            &facts.pod_namespace,
            &facts.pod_uid,
            facts.init_pid,
            &facts.cgroup
        )
    );

    let kinds = heard.wait(&app, |kinds| exited(kinds) && kinds.contains(&Kind::Oom));
    assert!(
        kinds
            .iter()
            .any(|kind| matches!(kind, Kind::Exited { status: 137, .. })),
        "{kinds:?}"
    );
    cri(
        &socket,
        "/runtime.v1.RuntimeService/StopPodSandbox",
        Id {
            id: sandbox.clone(),
        },
    );
    cri(
        &socket,
        "/runtime.v1.RuntimeService/RemovePodSandbox",
        Id { id: sandbox },
    );
}
