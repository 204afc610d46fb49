//! Which devices and drivers are taken, how they are used and what is said of the others, on the stand-in
//! driver.
#![allow(clippy::unwrap_used)]
#![allow(clippy::float_cmp, reason = "the same arithmetic in the same order")]

mod common;

use common::{StandIn, fixed, input, load, means};
use sonofuse_core::preprocess::FusionInput;
use sonofuse_gpu::{GpuError, Options, UploadWay};

#[test]
fn orin_gets_its_machine_code_and_ptx_where_that_is_refused() {
    for (no_cubin, image) in [(0, "sm_87"), (1, "compute_70")] {
        let stand_in = StandIn::new();
        stand_in.set("compute", 87);
        stand_in.set("integrated", 1);
        stand_in.set("no-cubin", no_cubin);
        let scorer = load(&stand_in, &input(fixed(8, 8)), Options::default()).unwrap();
        assert_eq!(scorer.kernels(), image);
        assert_eq!(scorer.device().architecture(), "sm_87");
    }
}

#[test]
fn every_device_from_volta_on_gets_ptx_and_older_ones_are_refused_before_anything_is_made() {
    for compute in [70, 72, 75, 80, 86, 89, 90, 110, 120] {
        let stand_in = StandIn::new();
        stand_in.set("compute", compute);
        let scorer = load(&stand_in, &input(fixed(8, 8)), Options::default()).unwrap();
        assert_eq!(scorer.kernels(), "compute_70", "sm_{compute}");
    }
    for compute in [53, 61, 62] {
        let stand_in = StandIn::new();
        stand_in.set("compute", compute);
        let error = load(&stand_in, &input(fixed(8, 8)), Options::default()).unwrap_err();
        assert!(matches!(error, GpuError::OldDevice { .. }), "{error}");
        assert!(error.to_string().contains("7.0 (Volta) is the oldest"), "{error}");
        assert_eq!(stand_in.get("ptxs"), 0);
        stand_in.assert_clean();
    }
}

#[test]
fn waiting_for_the_gpu_sleeps_where_the_driver_lets_it() {
    for (answer, flags) in [(0, 4), (708, 0), (801, 0)] {
        let stand_in = StandIn::new();
        stand_in.set("set-flags", answer);
        let input = input(fixed(24, 24));
        let mut scorer = load(&stand_in, &input, Options::default()).unwrap();
        assert_eq!(stand_in.get("context-flags"), flags, "{answer}");
        let golden = FusionInput::golden(24, 24);
        assert_eq!(scorer.score_input(&golden).unwrap().numbers, means(&golden));
    }
}

#[test]
fn a_driver_that_was_replaced_under_its_kernel_module_says_reboot() {
    for code in [803, 804] {
        let stand_in = StandIn::new();
        stand_in.set("init", code);
        let error = sonofuse_gpu::Cuda::open_at(stand_in.path()).unwrap_err();
        assert!(matches!(error, GpuError::Replaced(_)) && !error.is_temporary(), "{error}");
        let text = error.to_string();
        assert!(text.contains("reboot") && text.contains(&code.to_string()), "{text}");
    }
}

#[test]
fn what_the_device_cannot_do_is_an_error_that_says_so() {
    let stand_in = StandIn::new();
    let input = input(fixed(8, 8));
    let fails = |options| load(&stand_in, &input, options).unwrap_err().to_string();
    let error = fails(Options { device: 3, ..Options::default() });
    assert!(error.contains("no GPU 3: this machine has 1"), "{error}");
    stand_in.set("no-map", 1);
    let error = fails(Options { upload: UploadWay::Mapped, ..Options::default() });
    assert!(error.contains("cannot map host memory"), "{error}");
    stand_in.set("no-ptx", 1);
    let error = fails(Options::default());
    assert!(error.contains("cuModuleLoadData answered 218"), "{error}");
    stand_in.set("devices", 0);
    let error = fails(Options::default());
    assert!(error.contains("this machine has 0"), "{error}");
    stand_in.assert_clean();
}
