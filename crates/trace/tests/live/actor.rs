//! What the cast does: `live actor [comm=NAME] WHAT [WORD]...`. An actor says that it is ready (one line, with the
//! pids of its children), waits for one byte, then does it and is gone.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::time::Duration;

use whodunit_trace::{Options, Tracer};

/// Plays the part and ends the process.
pub(crate) fn play(words: &[String]) -> ! {
    let mut words = words.iter().map(String::as_str);
    let mut what = words.next().expect("a part");
    if let Some(comm) = what.strip_prefix("comm=") {
        std::fs::write("/proc/self/comm", comm).expect("a comm");
        what = words.next().expect("a part");
    }
    let numbers: Vec<i32> = words.clone().map_while(|word| word.parse().ok()).collect();
    match what {
        "sleep" => {
            await_go("");
            sleep();
        }
        "ignore-term" => {
            // SAFETY: sets a disposition, no handler.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            await_go("");
            sleep();
        }
        "threads" => {
            for _ in 0..numbers[0] {
                std::thread::spawn(|| sleep());
            }
            await_go("");
            sleep();
        }
        "kill" => {
            await_go("");
            for pid in &numbers[1..] {
                // SAFETY: plain system call.
                unsafe { libc::kill(*pid, numbers[0]) };
            }
            leave(0);
        }
        "tgkill" => {
            await_go("");
            syscall(libc::SYS_tgkill, [numbers[1], numbers[2], numbers[0]]);
            leave(0);
        }
        "pidfd" => {
            let pidfd = syscall(libc::SYS_pidfd_open, [numbers[1], 0, 0]);
            await_go("");
            let pidfd = i32::try_from(pidfd).expect("a descriptor");
            syscall(libc::SYS_pidfd_send_signal, [pidfd, numbers[0], 0]);
            leave(0);
        }
        "sigqueue" => {
            await_go("");
            let value = libc::sigval {
                sival_ptr: std::ptr::null_mut(),
            };
            // SAFETY: plain call with a value of no meaning.
            unsafe { libc::sigqueue(numbers[1], numbers[0], value) };
            leave(0);
        }
        "as-user" => {
            // SAFETY: plain system call.
            assert_eq!(unsafe { libc::setuid(numbers[0].unsigned_abs()) }, 0);
            await_go("");
            // SAFETY: plain system call.
            unsafe { libc::kill(numbers[2], numbers[1]) };
            leave(0);
        }
        "trace-as-user" => {
            // SAFETY: plain system call.
            assert_eq!(unsafe { libc::setuid(numbers[0].unsigned_abs()) }, 0);
            let why = Tracer::start(Options::default()).expect_err("tracing is for root");
            await_go(&why.to_string());
            leave(0);
        }
        "exit" => {
            await_go("");
            leave(numbers[0]);
        }
        "write" => {
            let (path, text) = (words.next().expect("a path"), words.next().expect("a text"));
            await_go("");
            // The writer may be in the cgroup that it kills: what comes back is of no interest.
            let _ = std::fs::write(path, text);
            leave(0);
        }
        "eat" => {
            await_go("");
            eat(usize::try_from(numbers[0]).unwrap());
            leave(0);
        }
        "eat-file" => {
            let path = words.next().expect("a path");
            await_go("");
            let mut file = std::fs::File::create(path).expect("a file");
            let block = vec![1_u8; 1 << 20];
            while file.write_all(&block).is_ok() {}
            leave(0);
        }
        "spin" => {
            let limit = libc::rlimit {
                rlim_cur: 1,
                rlim_max: 1,
            };
            await_go("");
            // SAFETY: a valid rlimit.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_CPU, &limit) }, 0);
            let mut turns = 0_u64;
            loop {
                turns = std::hint::black_box(turns.wrapping_add(1));
            }
        }
        "namespace" => namespace(),
        "tracer" => {
            // SAFETY: plain system call; PTRACE_SEIZE does not stop the tracee.
            let seized = unsafe {
                libc::ptrace(
                    libc::PTRACE_SEIZE,
                    numbers[0],
                    std::ptr::null_mut::<libc::c_void>(),
                    libc::PTRACE_O_EXITKILL,
                )
            };
            assert_eq!(seized, 0, "{}", std::io::Error::last_os_error());
            await_go("");
            leave(0);
        }
        "ordinary" => ordinary(&numbers),
        "storm" => {
            await_go("");
            for _ in 0..numbers[0] {
                let child = fork();
                if child == 0 {
                    sleep();
                }
                // SAFETY: plain system call.
                unsafe { libc::kill(child, libc::SIGKILL) };
                reap(child);
            }
            leave(0);
        }
        other => panic!("no part {other}"),
    }
}

/// The init of a new pid namespace with one child; both ids, as the parent sees them, are found in /proc.
fn namespace() -> ! {
    // SAFETY: plain system call.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0);
    let init = fork();
    if init != 0 {
        reap(init);
        leave(0);
    }
    if fork() == 0 {
        sleep();
    }
    await_go("");
    leave(0);
}

/// Deaths that nobody is to blame for: exits with 0, exits with 1, faults, and some that got a SIGTERM.
fn ordinary(numbers: &[i32]) -> ! {
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a valid rlimit.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &no_core) };
    await_go("");
    for (kind, count) in numbers.iter().enumerate() {
        for _ in 0..*count {
            let child = fork();
            if child == 0 {
                match kind {
                    0 => leave(0),
                    1 => leave(1),
                    // SAFETY: ends this process.
                    2 => unsafe {
                        libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                        libc::raise(libc::SIGSEGV);
                    },
                    _ => {}
                }
                sleep();
            }
            if kind == 3 {
                // SAFETY: plain system call.
                unsafe { libc::kill(child, libc::SIGTERM) };
            }
            reap(child);
        }
    }
    leave(0);
}

fn eat(mib: usize) {
    let mut eaten = Vec::new();
    for _ in 0..mib {
        // Non-zero, so that every page is written.
        eaten.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn await_go(said: &str) {
    println!("ready {said}");
    std::io::stdout().flush().unwrap();
    let mut go = [0];
    if std::io::stdin().read(&mut go).unwrap() == 0 {
        leave(0);
    }
}

fn sleep() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn leave(status: i32) -> ! {
    // SAFETY: ends this process.
    unsafe { libc::_exit(status) }
}

fn fork() -> i32 {
    // SAFETY: actors that fork have one thread.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    child
}

fn reap(child: i32) {
    let mut status = MaybeUninit::uninit();
    // SAFETY: the kernel writes the status.
    unsafe { libc::waitpid(child, status.as_mut_ptr(), 0) };
}

fn syscall(number: i64, arguments: [i32; 3]) -> i64 {
    // SAFETY: the calls used here take numbers, or a null pointer as 0.
    let done = unsafe {
        libc::syscall(
            number,
            i64::from(arguments[0]),
            i64::from(arguments[1]),
            i64::from(arguments[2]),
            0,
        )
    };
    assert!(
        done >= 0,
        "system call {number}: {}",
        std::io::Error::last_os_error()
    );
    done
}
