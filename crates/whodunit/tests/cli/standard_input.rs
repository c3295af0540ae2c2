//! Standard input and the terminal, each in a process of its own.

use super::*;

/// Not a test of its own: what the ones below start, to have a standard input and a memory of their own.
#[test]
#[ignore = "started by other tests"]
fn child_that_explains_its_standard_input() {
    let ran = run(&["-", "--threads", "1"]);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("{peak}");
    for incident in &ran.view.seen {
        println!("KILL {} {}", incident.id, incident.time.unwrap());
    }
    println!("LINES {}", ran.view.sources[0].lines.unwrap());
}

fn explain_stdin(stdin: Stdio, feed: impl FnOnce(&mut dyn Write) + Send + 'static) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "standard_input::child_that_explains_its_standard_input",
            "--ignored",
            "--nocapture",
        ])
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let feeder = child
        .stdin
        .take()
        .map(|mut stdin| std::thread::spawn(move || feed(&mut stdin)));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    if let Some(feeder) = feeder {
        feeder.join().unwrap();
    }
    text(&output.stdout).to_owned()
}

#[test]
fn memory_is_constant_on_standard_input() {
    let block = noise(20_000);
    let blocks = 300_000_000 / block.len();
    let said = explain_stdin(Stdio::piped(), move |stdin| {
        for number in 0..blocks as u64 {
            stdin.write_all(block.as_bytes()).unwrap();
            stdin.write_all(kill(number + 1).as_bytes()).unwrap();
        }
    });
    let number = |line: &str| -> u64 {
        line.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap()
    };
    let peak_kib = number(said.lines().find(|line| line.contains("VmHWM")).unwrap());
    assert!(peak_kib < 64 * 1024, "{peak_kib} KiB");
    assert_eq!(said.matches("KILL").count(), blocks);
    let lines = number(said.lines().find(|line| line.contains("LINES")).unwrap());
    assert_eq!(lines, blocks as u64 * 20_001);
}

#[test]
fn standard_input_is_decompressed_and_dated() {
    let said = explain_stdin(Stdio::piped(), |stdin| {
        stdin.write_all(&flate2_of(&kill(1))).unwrap()
    });
    assert!(said.contains("KILL [1]"), "{said}");

    let tree = tree(&[("kern.log", &kill(1))]);
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(tree.path().join("kern.log"))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_609_632_000))
        .unwrap();
    let said = explain_stdin(file.into(), |_| {});
    assert!(said.contains("KILL [1] 2021-01-02T03:01:05Z"), "{said}");
}

#[test]
fn a_bar_is_drawn_on_a_terminal_after_a_second() {
    let tree = tree(&[("kern.log", &(noise(20_000) + &kill(1)))]);
    let me = std::env::current_exe().unwrap().display().to_string();
    let child =
        "--exact standard_input::child_that_explains_its_standard_input --ignored --nocapture";
    // script(1) of bsdutils, which every Debian has, gives a terminal.
    let on_terminal = |wait: &str, to: &str| {
        let pipe = format!(
            "(cat {}; sleep {wait}) | {me} {child} {to}",
            path(&tree, "kern.log")
        );
        let output = Command::new("script")
            .args(["-qec", &pipe, "/dev/null"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("KILL [1]"), "{said}");
        said
    };
    let slow = on_terminal("1.6", "");
    assert!(slow.contains("MiB/s") || slow.contains("KiB/s"), "{slow}");
    for said in [on_terminal("0", ""), on_terminal("1.6", "2>&1 | cat")] {
        assert!(!said.contains("iB/s"), "{said}");
    }
}
