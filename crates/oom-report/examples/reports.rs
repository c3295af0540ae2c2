//! Prints the facts of every report in a file: `cargo run --example reports -- kern.log`.

use oom_report::{Assumptions, Scanner};

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path)?;
        let mut scanner = Scanner::new(Assumptions::default());
        scanner.scan(&bytes, 1, &mut |mut report| {
            println!(
                "{path} lines {:?}-{:?}",
                report.text.first_line(),
                report.text.last_line()
            );
            report.text = Default::default();
            println!("{report:#?}");
        });
        println!("{path}: {:?}", scanner.ignored());
    }
    Ok(())
}
