#![allow(warnings, unsafe_code)]
use oom_report::{Assumptions, Scanner};
fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).unwrap();
    let threads = std::env::args().nth(2).unwrap().parse().unwrap();
    let t=std::time::Instant::now();
    let f = std::fs::File::open(&path)?;
    let bytes = unsafe { memmap2::Mmap::map(&f)? };
    let mut n=0; let mut tasks=0;
    let lines = Scanner::new(Assumptions::default()).scan(&bytes, threads, &mut |r| {n+=1; tasks+=r.tasks.len(); std::hint::black_box(&r);});
    println!("{n} reports {tasks} tasks {lines} lines {:?}", t.elapsed());
    Ok(())
}
