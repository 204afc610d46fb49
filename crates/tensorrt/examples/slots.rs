//! Prints what the crate assumes of a TensorRT version, one `key<TAB>number` a line, sorted: the
//! counterpart of `checks/slots.cpp`. `checks/slots.sh` compares the two.
//!
//! `cargo run -p sonofuse-tensorrt --example slots -- 10`

fn main() -> std::process::ExitCode {
    let Some(mut table) = std::env::args().nth(1).and_then(|m| sonofuse_tensorrt::slot_table(&m))
    else {
        eprintln!("usage: slots 8.6|10|11");
        return std::process::ExitCode::from(2);
    };
    table.sort();
    for (key, number) in table {
        println!("{key}\t{number}");
    }
    std::process::ExitCode::SUCCESS
}
