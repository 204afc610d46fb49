//! A machine with a GPU that is none: the stand-in driver, whose device is the host and which runs the
//! kernels' own text, and the stand-in libnvinfer, which runs real models on the CPU engine. The
//! daemon finds them by the variables that name libraries; a file tells both what shall go wrong.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "command.rs"]
pub(crate) mod command;

use command::Ran;

/// The machine, a folder of engines, and a configuration that names both.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles the stand-in driver, once a process.
fn driver() -> &'static Path {
    static BUILT: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> = std::sync::OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libcuda.so.1");
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let output = Command::new(&compiler)
            .args(["-std=c++14", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-I"])
            .arg(root().join("crates/gpu/kernels"))
            .arg("-o")
            .arg(&path)
            .arg(root().join("crates/gpu/tests/libcuda.cpp"))
            .output()
            .unwrap_or_else(|e| panic!("the tests need a C++ compiler ({compiler}): {e}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (folder, path)
    });
    path
}

/// The stand-in libnvinfer, which cargo builds next to the tests.
fn nvinfer() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.push("libsonofuse_fake_nvinfer.so");
    path
}

impl Machine {
    /// A machine with TensorRT 10.3 and an empty folder of engines.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trt = folder.path().join("trt");
        fs::create_dir(&trt).unwrap();
        fs::copy(nvinfer(), trt.join("libnvinfer.so.10")).unwrap();
        fs::copy(nvinfer(), trt.join("libnvonnxparser.so.10")).unwrap();
        let machine = Self { folder };
        machine.configure("");
        machine.set("");
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration; `more` is TOML at its end.
    pub(crate) fn configure(&self, more: &str) {
        // The demo model withholds the real screen by default.
        let gate = "[scoring.gate]\nunfamiliar = \"off\"\n";
        let text = format!("{gate}[publish]\nsocket = \"none\"\n[gpu]\ncache = \"plans\"\n{more}");
        fs::write(self.path("sonofuse.toml"), text).unwrap();
    }

    /// Tells driver and TensorRT what shall be from now on: lines `key value`.
    pub(crate) fn set(&self, keys: &str) {
        let written = self.path(".settings.part");
        fs::write(&written, keys).unwrap();
        fs::rename(written, self.path("settings")).unwrap();
    }

    /// The program on this machine. The configuration is named by the caller.
    pub(crate) fn command(&self) -> Command {
        let mut command = command::command();
        command
            .env("SONOFUSE_CUDA_LIB", driver())
            .env("SONOFUSE_TENSORRT_LIB", self.path("trt"))
            .env("SONOFUSE_STAND_IN", self.path("settings"))
            .env_remove("CACHE_DIRECTORY");
        command
    }

    /// Runs a command of the program to its end, with this machine's configuration.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[])
    }

    /// The same, with variables of the environment.
    pub(crate) fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let output = self
            .command()
            .args(args)
            .arg("--config")
            .arg(self.path("sonofuse.toml"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("{}: {err}", output.status));
        // But for those that a self-test asks for.
        let unasked =
            err.split("panicked at").skip(1).any(|said| !said.contains("a self-test asked"));
        assert!(!unasked, "{err}");
        assert!(!err.contains("stand-in driver:"), "a violation: {err}");
        Ran { code, out: String::from_utf8(output.stdout).unwrap(), err }
    }

    /// Files in the folder of engines with this ending, sorted.
    pub(crate) fn engines(&self, ending: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path("plans")).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = files
            .map(|f| f.path())
            .filter(|p| p.extension().is_some_and(|e| e == ending))
            .collect();
        files.sort();
        files
    }
}
