//! State files of Docker, CRI-O, Podman and runc: constructed, of the form that the programs write, cut to a part of
//! their fields. (containerd's are real: see the tests of containerd.)

use std::fs;
use std::path::Path;

use whodunit_node::Root;
use whodunit_node::runtimes::from_state_files;

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let tree = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = tree.path().join(path.replace("ID", ID));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text.replace("ID-OF-IT", ID)).unwrap();
    }
    let root = Root::at(tree.path());
    (tree, root)
}

#[test]
fn dockers_state_files_name_a_container_and_runc_its_cgroup() {
    let (_tree, root) = tree(&[
        (
            "var/lib/docker/containers/ID/config.v2.json",
            r#"{"ID":"ID-OF-IT","Name":"/web","RestartCount":4,"State":{"Running":true,"Pid":0},
               "Config":{"Image":"nginx:1.27","Labels":{"io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop"}}}"#,
        ),
        (
            "run/docker/runtime-runc/moby/ID/state.json",
            r#"{"id":"ID-OF-IT","init_process_pid":77,"cgroup_paths":{"memory":"/sys/fs/cgroup/memory/docker/x"}}"#,
        ),
    ]);
    let facts = from_state_files(&root, ID).unwrap();
    assert_eq!(
        (facts.runtime.as_str(), facts.name.as_deref()),
        ("docker", Some("web"))
    );
    assert_eq!(facts.image.as_deref(), Some("nginx:1.27"));
    assert_eq!((facts.init_pid, facts.restart_count), (Some(77), Some(4)));
    assert_eq!(facts.cgroup.as_deref(), Some("/docker/x"));
    assert_eq!(facts.pod_name.as_deref(), Some("web-0"));
}

#[test]
fn cri_os_and_podmans_storage_names_a_container() {
    let (_tree, root) = tree(&[
        (
            "run/containers/storage/overlay-containers/ID/userdata/config.json",
            r#"{"ociVersion":"1.0.2","annotations":{"io.kubernetes.cri-o.KubeName":"web-0","io.kubernetes.cri-o.Namespace":"shop",
               "io.kubernetes.pod.uid":"u-1","io.kubernetes.container.name":"app","io.kubernetes.cri-o.ContainerType":"container",
               "io.kubernetes.cri-o.ImageName":"quay.io/shop/web:1"},
               "linux":{"cgroupsPath":"kubepods-podu_1.slice:crio:ID-OF-IT"}}"#,
        ),
        (
            "run/containers/storage/overlay-containers/ID/userdata/pidfile",
            "88\n",
        ),
    ]);
    let facts = from_state_files(&root, ID).unwrap();
    assert_eq!(
        (facts.runtime.as_str(), facts.name.as_deref()),
        ("cri-o", Some("app"))
    );
    assert_eq!(
        (facts.pod_name.as_deref(), facts.pod_uid.as_deref()),
        (Some("web-0"), Some("u-1"))
    );
    assert_eq!((facts.init_pid, facts.is_sandbox), (Some(88), false));
    assert_eq!(
        facts.cgroup,
        Some(format!(
            "/kubepods.slice/kubepods-podu_1.slice/crio-{ID}.scope"
        ))
    );

    let (_tree, root) = tree(&[
        (
            "var/lib/containers/storage/overlay-containers/containers.json",
            r#"[{"id":"other","names":["x"],"image":"1","metadata":"{}"},
                {"id":"ID-OF-IT","names":["db"],"image":"2","metadata":"{\"image-name\":\"docker.io/library/postgres:17\",\"name\":\"db\"}"}]"#,
        ),
        (
            "var/lib/containers/storage/overlay-containers/ID/userdata/config.json",
            r#"{"annotations":{"io.container.manager":"libpod"},"linux":{"cgroupsPath":"machine.slice:libpod:ID-OF-IT"}}"#,
        ),
    ]);
    let facts = from_state_files(&root, ID).unwrap();
    assert_eq!(
        (facts.runtime.as_str(), facts.name.as_deref()),
        ("podman", Some("db"))
    );
    assert_eq!(
        facts.image.as_deref(),
        Some("docker.io/library/postgres:17")
    );
    assert_eq!(
        facts.cgroup,
        Some(format!("/machine.slice/libpod-{ID}.scope"))
    );
}

#[test]
fn what_is_broken_or_no_id_is_nobody() {
    let (tree, root) = tree(&[
        ("var/lib/docker/containers/ID/config.v2.json", "{\"ID\":"),
        (
            "etc/passwd/config.v2.json",
            r#"{"ID":"../../../../etc/passwd"}"#,
        ),
    ]);
    assert_eq!(from_state_files(&root, ID), None);
    assert_eq!(from_state_files(&root, "../../../../etc/passwd"), None);
    assert_eq!(from_state_files(&root, ""), None);
    assert!(Path::new(tree.path()).exists());
}
