//! The compiled kernels that travel in the binary. Constants; any thread.
//!
//! `scripts/gpu-ptx.sh` makes them from `kernels/preprocess.cu` and writes `kernels/IMAGES`, which
//! records the digests of source and results; a test says when they are out of date.

/// The source.
pub const SOURCE: &str = include_str!("../kernels/preprocess.cu");
/// What the source includes when the host compiles it.
pub const HOST_HEADER: &str = include_str!("../kernels/host.h");
/// PTX for compute_70 (Volta), which every driver of CUDA 12.2 and later compiles for its GPU.
pub const PTX: &str = include_str!("../kernels/preprocess.ptx");
/// Machine code of Orin (sm_87), where the driver's compiler may be missing.
pub const CUBIN_SM87: &[u8] = include_bytes!("../kernels/preprocess.sm_87.cubin");
/// Compiler, options and digests.
pub const RECORD: &str = include_str!("../kernels/IMAGES");

/// Names of the kernels.
pub(crate) mod names {
    pub(crate) const PREPROCESS: &std::ffi::CStr = c"sonofuse_preprocess";
    pub(crate) const STATISTICS: &std::ffi::CStr = c"sonofuse_statistics";
    pub(crate) const CHECK_MEAN: &std::ffi::CStr = c"sonofuse_check_mean";
    pub(crate) const CHECK_FAULT: &std::ffi::CStr = c"sonofuse_check_fault";
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn recorded(name: &str) -> &str {
        let line = RECORD.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in kernels/IMAGES"))
    }

    #[test]
    fn the_images_were_made_from_the_source_as_it_is() {
        for (name, bytes) in [
            ("preprocess.cu", SOURCE.as_bytes()),
            ("preprocess.ptx", PTX.as_bytes()),
            ("preprocess.sm_87.cubin", CUBIN_SM87),
        ] {
            let digest = crate::cache::hex(&Sha256::digest(bytes));
            assert_eq!(digest, recorded(name), "{name} changed: run scripts/gpu-ptx.sh");
        }
        assert_eq!(recorded("nvrtc"), "12.2");
        assert!(recorded("options").contains("--fmad=false"), "results must be those of the CPU");
    }

    #[test]
    fn the_ptx_is_for_volta_and_later_and_holds_every_kernel_without_contraction() {
        let [major, minor] = crate::OLDEST_COMPUTE;
        assert!(
            PTX.contains(&format!(".target sm_{major}{minor}\n")),
            "what older devices are refused by"
        );
        assert!(PTX.contains(".version 8.2") && PTX.contains(".target sm_70"));
        for name in [names::PREPROCESS, names::STATISTICS, names::CHECK_MEAN, names::CHECK_FAULT] {
            let entry = format!(".visible .entry {}(", name.to_str().unwrap());
            assert!(PTX.contains(&entry), "{entry}");
        }
        assert!(!PTX.contains("fma."), "contracted");
        assert!(!PTX.contains("bar.sync") && !PTX.contains(".shared"), "threads must not wait");
    }

    #[test]
    fn the_machine_code_is_an_object_file_for_the_gpu() {
        assert_eq!(&CUBIN_SM87[..4], b"\x7fELF");
        // e_machine 190 is CUDA; the low byte of e_flags is the architecture.
        assert_eq!(u16::from_le_bytes([CUBIN_SM87[18], CUBIN_SM87[19]]), 190);
        assert_eq!(CUBIN_SM87[48], 87);
    }
}
