//! The checks of `scripts/gpu-check.sh`, on a GPU where there is one, else on the stand-in driver.
#![allow(clippy::unwrap_used)]

mod common;

use common::StandIn;
use sonofuse_gpu::check::{Row, Settings, Verdict, lost, run};
use sonofuse_gpu::{Cuda, UploadWay};

fn rows(cuda: Cuda, settings: &Settings) -> Vec<Row> {
    let mut rows = Vec::new();
    run(cuda, settings, |row| {
        println!("{row}");
        rows.push(row);
    });
    rows.push(lost(cuda, settings));
    rows
}

#[test]
fn all_checks_pass_on_the_stand_in_driver() {
    let stand_in = StandIn::new();
    stand_in.set("deferred", 1);
    // A device of 100 MB.
    stand_in.set("memory-left", 100_000_000);
    let settings =
        Settings { device: 0, every: 5, timed: 2, soak: 60, fill_memory: true, fault: true };
    let rows = rows(stand_in.open(), &settings);
    for row in &rows {
        assert!(!matches!(row.verdict, Verdict::Failed | Verdict::Skipped), "{row}");
    }
    for way in [UploadWay::Staged, UploadWay::Mapped, UploadWay::Direct] {
        let name = format!("kernels = definition, {way:?}");
        let row = rows.iter().find(|row| row.check == name).unwrap();
        assert!(row.verdict == Verdict::Ok && row.said.contains(" 0 not equal"), "{row}");
    }
    stand_in.assert_clean();
}

#[test]
fn a_check_that_fails_says_so() {
    let stand_in = StandIn::new();
    // The device does not come back after a loss.
    stand_in.set("lost-for-good", 1);
    let settings =
        Settings { device: 0, every: 20, timed: 1, soak: 1, fill_memory: false, fault: true };
    let rows = rows(stand_in.open(), &settings);
    let last = rows.last().unwrap();
    assert!(last.verdict == Verdict::Failed && last.said.contains("only a restart"), "{last}");
    assert!(rows.iter().any(|row| row.verdict == Verdict::Skipped));
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn all_checks_pass_on_this_machines_gpu() {
    let settings =
        Settings { device: 0, every: 1, timed: 500, soak: 5000, fill_memory: false, fault: true };
    let rows = rows(Cuda::open().unwrap(), &settings);
    let failed: Vec<String> =
        rows.iter().filter(|row| row.verdict == Verdict::Failed).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
