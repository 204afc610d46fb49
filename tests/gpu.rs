//! The GPU's way through the real binary, on a machine whose driver and TensorRT are stand-ins: which
//! backend scores and why, engines from build to prune, faults in the live path. Nothing here ran on a
//! GPU.

#![allow(clippy::unwrap_used)]

#[path = "common/gpu.rs"]
mod gpu;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use gpu::Machine;
use gpu::command::{Ran, fixture};
use serde_json::Value;

/// Scores the real screen of the fixtures: its one reading.
fn score(machine: &Machine, variables: &[(&str, &str)]) -> Value {
    let ran = replay(machine, variables);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json().pop().unwrap()
}

fn replay(machine: &Machine, variables: &[(&str, &str)]) -> Ran {
    let screen = fixture("screens/aixplorer-swe-stacked/screen.png");
    machine.run_with(&["replay", "--json", screen.to_str().unwrap()], variables)
}

fn build(machine: &Machine) {
    let ran = machine.run(&["engine", "build"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

fn why(reading: &Value) -> &str {
    reading["model"]["why"].as_str().unwrap()
}

fn backend(reading: &Value) -> &str {
    reading["model"]["backend"].as_str().unwrap()
}

#[test]
fn an_engine_is_built_once_and_scores_like_the_processor() {
    let machine = Machine::new();
    let ran = machine.run(&["engine", "build", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("building an engine of demo-simulated"), "{}", ran.err);
    let told = &ran.json()[0];
    assert_eq!(
        (told["how"].as_str(), told["key"]["precision"].as_str()),
        (Some("built"), Some("fp32"))
    );
    assert_eq!(machine.engines("engine").len(), 1);
    assert_eq!(machine.engines("timings").len(), 1);
    // The open sizes of the model come from its manifest.
    let plan = fs::read(&machine.engines("engine")[0]).unwrap();
    let plan = String::from_utf8_lossy(&plan);
    let profile = plan.lines().find(|l| l.contains("[1,3,64,64]")).unwrap_or("no profile");
    assert!(profile.contains("[1,3,64,64] [1,3,96,256] [1,3,256,256]"), "{profile}");

    let again = machine.run(&["engine", "build"]);
    assert!(again.out.starts_with("there already"), "{}", again.out);
    assert!(!again.err.contains("building"), "{}", again.err);

    let on_gpu = score(&machine, &[]);
    assert_eq!(backend(&on_gpu), "tensorrt-10.3.0.26");
    assert!(
        why(&on_gpu).contains("engine") && why(&on_gpu).contains("Stand-in"),
        "{}",
        why(&on_gpu)
    );
    // The device preprocesses: that is no stage of its own.
    assert!(
        on_gpu["latency_ms"]["network"].is_number() && on_gpu["latency_ms"]["preprocess"].is_null()
    );
    machine.configure("[model]\nscorer = \"cpu\"\n");
    let on_cpu = score(&machine, &[]);
    assert!(backend(&on_cpu).starts_with("cpu-"));
    assert_eq!(why(&on_cpu), "named in the configuration");
    let number = |reading: &Value| reading["malignancy"].as_f64().unwrap();
    assert!((number(&on_gpu) - number(&on_cpu)).abs() < 1e-4, "{on_gpu}\n{on_cpu}");
}

/// Ways in which the GPU cannot score, with what readings say and what the error of a named backend
/// must hold.
#[test]
fn auto_falls_to_the_processor_and_a_named_gpu_is_a_configuration_error_with_what_to_do() {
    struct Case {
        name: &'static str,
        keys: &'static str,
        variables: &'static [(&'static str, &'static str)],
        why: &'static str,
        says: &'static [&'static str],
    }
    let cases = [
        Case {
            name: "no driver",
            keys: "",
            variables: &[("SONOFUSE_CUDA_LIB", "/nowhere/libcuda.so.1")],
            why: "no NVIDIA driver",
            says: &["/nowhere/libcuda.so.1", "install NVIDIA's driver"],
        },
        Case {
            name: "a library that is no driver",
            keys: "",
            variables: &[("SONOFUSE_CUDA_LIB", "libc.so.6")],
            why: "the NVIDIA driver does not work",
            says: &["libc.so.6", "cuInit"],
        },
        Case {
            name: "an old driver",
            keys: "driver 11080",
            variables: &[],
            why: "the NVIDIA driver is too old",
            says: &["CUDA 11.8", "12.2 is needed"],
        },
        Case {
            name: "a driver that was replaced under its kernel module",
            keys: "init 803",
            variables: &[],
            why: "driver and library differ: reboot",
            says: &["803", "reboot"],
        },
        Case {
            name: "a card before Volta",
            keys: "compute 61",
            variables: &[],
            why: "the GPU is too old",
            says: &["6.1", "7.0 (Volta) is the oldest"],
        },
        Case {
            name: "no device",
            keys: "devices 0",
            variables: &[],
            why: "no GPU 0",
            says: &["this machine has 0", "gpu.device"],
        },
        Case {
            name: "no TensorRT",
            keys: "",
            variables: &[("SONOFUSE_TENSORRT_LIB", "/nowhere/libnvinfer.so.10")],
            why: "no TensorRT",
            says: &["/nowhere/libnvinfer.so.10", "install TensorRT"],
        },
        Case {
            name: "another TensorRT",
            keys: "version 90300",
            variables: &[],
            why: "this TensorRT cannot be used",
            says: &["9.3", "8.6, 10 or 11"],
        },
        Case {
            name: "no engine",
            keys: "",
            variables: &[],
            why: "no engine of this model for this machine: run `sonofuse engine build`",
            says: &["plans", ".engine", "sonofuse engine build"],
        },
    ];
    let machine = Machine::new();
    for Case { name, keys, variables, why: brief, says } in cases {
        machine.set(keys);
        machine.configure("");
        let reading = score(&machine, variables);
        assert!(backend(&reading).starts_with("cpu-"), "{name}: {reading}");
        assert_eq!(why(&reading), brief, "{name}");
        machine.configure("[model]\nscorer = \"tensorrt\"\n");
        let ran = replay(&machine, variables);
        assert_eq!(ran.code, 78, "{name}: {}", ran.err);
        let line = ran.err.lines().find(|l| l.starts_with("sonofuse: ")).unwrap();
        for words in [&["\"tensorrt\" cannot run here", "set model.scorer to"], says].concat() {
            assert!(line.contains(words), "{name}: {words:?} is not in {line}");
        }
        // `run` ends alike, before it touches the source; `check` opens no device and says so.
        let live = machine.run_with(&["run", "--seconds", "1"], variables);
        assert_eq!(live.code, 78, "{name}: {}", live.err);
        let checked = machine.run_with(&["check"], variables);
        assert!(checked.out.contains("`sonofuse doctor` tells"), "{}", checked.out);
    }
    assert!(machine.engines("engine").is_empty(), "the live path builds nothing");
}

#[test]
fn a_damaged_engine_is_not_used_and_built_again() {
    let machine = Machine::new();
    build(&machine);
    let path = &machine.engines("engine")[0];
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    fs::write(path, &bytes).unwrap();
    let reading = score(&machine, &[]);
    assert_eq!(why(&reading), "the engine cannot be read");
    for args in [&["engine", "info"][..], &["engine", "verify"]] {
        let ran = machine.run(args);
        assert_eq!(ran.code, 65, "{args:?}: {}", ran.err);
        assert!(ran.err.contains("damaged"), "{}", ran.err);
    }
    let listed = machine.run(&["engine", "list"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    let ran = machine.run(&["engine", "build"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.starts_with("built again") && ran.err.contains("checksum"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert!(backend(&score(&machine, &[])).starts_with("tensorrt"));
    // A plan of another TensorRT under this name, checksum and all: it does not start.
    machine.set("version 100700");
    build(&machine);
    let newer = machine.engines("engine").into_iter().find(|p| p != path).unwrap();
    let text = fs::read(&newer).unwrap();
    fs::remove_file(&newer).unwrap();
    fs::write(path, text).unwrap();
    machine.set("");
    assert_eq!(why(&score(&machine, &[])), "the engine cannot be read");
}

#[test]
fn an_engine_with_other_answers_is_found_out_by_verify_and_never_used() {
    let machine = Machine::new();
    build(&machine);
    let ran = machine.run(&["engine", "verify", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let answers = ran.json();
    assert_eq!(answers.len(), 3);
    for answer in &answers {
        let number = |key: &str| answer[key].as_f64().unwrap();
        assert!((number("gpu") - number("expected")).abs() <= number("tolerance"), "{answer}");
        assert!((number("cpu") - number("expected")).abs() <= number("tolerance"), "{answer}");
    }
    // From now on it answers 0.05 more.
    machine.set("skew 50");
    let ran = machine.run(&["engine", "verify"]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(ran.out.lines().filter(|l| l.starts_with("WRONG")).count() == 3, "{}", ran.out);
    assert!(ran.out.contains("off 5.0e-2, allowed 2.0e-3"), "{}", ran.out);
    assert_eq!(why(&score(&machine, &[])), "the engine's answers are wrong");
    machine.configure("[model]\nscorer = \"tensorrt\"\n");
    let ran = replay(&machine, &[]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("known input") && ran.err.contains("engine verify"), "{}", ran.err);
    // It is built again, is wrong again, and is not kept.
    let ran = machine.run(&["engine", "build"]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(machine.engines("engine").is_empty());
}

#[test]
fn an_engine_in_fp16_is_held_against_a_tolerance_of_its_own() {
    let machine = Machine::new();
    // It answers 0.01 more: too much for rounding to 32 bits, little for 16.
    machine.set("skew 10");
    let ran = machine.run(&["engine", "build"]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    machine.configure("precision = \"fp16\"\n");
    build(&machine);
    assert!(backend(&score(&machine, &[])).starts_with("tensorrt"));
    let ran = machine.run(&["engine", "verify", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for answer in ran.json() {
        let number = |key: &str| answer[key].as_f64().unwrap();
        assert!((number("gpu") - number("cpu")).abs() > 5e-3, "{answer}");
        assert!((0.02..0.5).contains(&number("tolerance")), "{answer}");
    }
    // A wrong answer stays one.
    machine.set("skew 1000");
    assert_eq!(machine.run(&["engine", "verify"]).code, 65);
}

#[test]
fn a_failed_build_says_why_and_leaves_nothing() {
    let machine = Machine::new();
    for (keys, code, says) in
        [("no-memory 1", 70, "out of memory"), ("enqueue-fails 1", 70, "CUDA failure 719")]
    {
        machine.set(keys);
        let ran = machine.run(&["engine", "build"]);
        assert_eq!(ran.code, code, "{keys}: {}", ran.err);
        assert!(ran.err.contains(says), "{keys}: {}", ran.err);
        assert!(machine.engines("engine").is_empty() && machine.engines("part").is_empty());
    }
    machine.set("");
    // The GPU's trouble of the moment is not the engine's fault: it stays.
    build(&machine);
    machine.set("enqueue-fails 1");
    assert_eq!(machine.run(&["engine", "build"]).code, 70);
    assert_eq!(machine.engines("engine").len(), 1);
    // A folder that cannot be one.
    machine.set("");
    fs::write(machine.path("file"), "").unwrap();
    fs::write(machine.path("sonofuse.toml"), "[gpu]\ncache = \"file/engines\"\n").unwrap();
    let ran = machine.run(&["engine", "build"]);
    assert_eq!(ran.code, 74, "{}", ran.err);
    assert!(ran.err.contains("file/engines"), "{}", ran.err);
}

#[test]
fn a_build_that_failed_is_not_tried_again_until_something_changes_or_it_is_forced() {
    let machine = Machine::new();
    machine.set("build-fails 1");
    let first = machine.run(&["engine", "build", "--if-wanted"]);
    assert_eq!(first.code, 70, "{}", first.err);
    assert!(first.err.contains("fake: this GPU is not supported"), "{}", first.err);
    assert_eq!(machine.engines("failed").len(), 1);
    // At the next boot: nothing is built, though it would succeed now, and the unit says why.
    machine.set("");
    let unit = machine.run(&["engine", "build", "--if-wanted"]);
    assert_eq!((unit.code, unit.out.as_str()), (0, ""), "{}", unit.err);
    for says in ["nothing is built", "this GPU is not supported", "engine build --force"] {
        assert!(unit.err.contains(says), "{says}: {}", unit.err);
    }
    assert!(!unit.err.contains("building an engine"), "{}", unit.err);
    let by_hand = machine.run(&["engine", "build"]);
    assert_eq!(by_hand.code, 70, "{}", by_hand.err);
    assert!(by_hand.err.contains("engine build --force"), "{}", by_hand.err);
    let reading = score(&machine, &[]);
    assert_eq!(why(&reading), "the engine could not be built", "{reading}");
    assert!(machine.run(&["doctor"]).out.contains("this GPU is not supported"));
    // Another driver is another key.
    machine.set("driver 12060");
    assert_eq!(machine.run(&["engine", "build", "--if-wanted"]).code, 0);
    assert_eq!(machine.engines("engine").len(), 1);
    machine.set("");
    let forced = machine.run(&["engine", "build", "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert!(machine.engines("failed").is_empty());
    assert_eq!(machine.engines("engine").len(), 2);
}

#[test]
fn the_cache_may_hold_anything_and_no_command_waits_for_it() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let machine = Machine::new();
    build(&machine);
    let folder = machine.engines("engine")[0].parent().unwrap().to_owned();
    mknodat(CWD, folder.join("fifo.engine"), FileType::Fifo, Mode::from_raw_mode(0o644), 0)
        .unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("zero.engine")).unwrap();
    fs::create_dir(folder.join("dir.engine")).unwrap();
    fs::write(folder.join("0.engine"), "").unwrap();
    fs::write(folder.join("junk.engine"), vec![0xEE; 200_000]).unwrap();
    fs::write(folder.join("ptrt.engine"), b"ptrt\0\0\0\0").unwrap();
    let list = machine.run(&["engine", "list"]);
    assert_eq!(list.code, 0, "{}", list.err);
    for says in ["a link", "a folder", "no regular file", "left alone", "in use"] {
        assert!(list.out.contains(says), "{says}: {}", list.out);
    }
    let states = machine.run(&["engine", "list", "--json"]).json();
    let foreign = states.iter().filter(|entry| entry["state"] == "foreign").count();
    assert_eq!((states.len(), foreign), (7, 6));
    for name in ["fifo", "zero", "dir", "junk"] {
        let info = machine.run(&["engine", "info", name]);
        assert_eq!(info.code, 65, "{name}: {}", info.err);
        assert!(info.err.contains("left alone"), "{name}: {}", info.err);
    }
    let prune = machine.run(&["engine", "prune"]);
    assert_eq!((prune.code, prune.out.as_str()), (0, ""), "{}", prune.err);
    assert_eq!(
        fs::read_dir(&folder)
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "engine"))
            .count(),
        7
    );
    assert!(backend(&score(&machine, &[])).starts_with("tensorrt-"));
}

#[test]
fn the_unit_at_boot_does_nothing_where_the_gpu_is_not_wanted_or_left_to_choice() {
    let machine = Machine::new();
    let nothing: &[(&str, &str)] = &[("SONOFUSE_CUDA_LIB", "/nowhere.so")];
    for (scorer, variables, code) in
        [("cpu", &[][..], 0), ("rten", &[], 0), ("auto", nothing, 0), ("tensorrt", nothing, 69)]
    {
        machine.configure(&format!("[model]\nscorer = \"{scorer}\"\n"));
        let ran = machine.run_with(&["engine", "build", "--if-wanted"], variables);
        assert_eq!(ran.code, code, "{scorer}: {}", ran.err);
        assert_eq!(ran.err.contains("nothing to build"), code == 0, "{scorer}: {}", ran.err);
    }
    assert!(machine.engines("engine").is_empty());
    // By hand, what is missing is an error whatever is configured.
    machine.configure("[model]\nscorer = \"cpu\"\n");
    assert_eq!(machine.run_with(&["engine", "build"], nothing).code, 69);
}

#[test]
fn engines_are_listed_with_what_they_are_worth_here_and_stale_ones_are_pruned() {
    let machine = Machine::new();
    let empty = machine.run(&["engine", "list"]);
    assert!(empty.code == 0 && empty.err.contains("no engine in"), "{}", empty.err);
    build(&machine);
    // The driver is updated: another key.
    machine.set("driver 12060");
    let states = |variables: &[(&str, &str)]| -> Vec<String> {
        let ran = machine.run_with(&["engine", "list", "--json"], variables);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json().iter().map(|e| e["words"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&[]), ["stale: driver 12.2, now 12.6"]);
    let reading = score(&machine, &[]);
    assert!(why(&reading).starts_with("no engine of this model"), "{reading}");
    machine.configure("[model]\nscorer = \"tensorrt\"\n");
    assert!(replay(&machine, &[]).err.contains("there is one for driver 12.2, now 12.6"));
    machine.configure("");
    build(&machine);
    let mut both = states(&[]);
    both.sort();
    assert_eq!(both, ["in use", "stale: driver 12.2, now 12.6"]);
    // Without a GPU nothing is compared, and nothing of an installed model goes.
    let no_gpu: &[(&str, &str)] = &[("SONOFUSE_CUDA_LIB", "/nowhere.so")];
    assert_eq!(states(no_gpu), ["not compared", "not compared"]);
    let ran = machine.run_with(&["engine", "prune"], no_gpu);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);

    let info = machine.run(&["engine", "info", "--json"]);
    assert_eq!(info.code, 0, "{}", info.err);
    let info = info.json().pop().unwrap();
    assert_eq!((info["state"].as_str(), info["checksum"].as_str()), (Some("in use"), Some("ok")));
    let id = info["engine"].as_str().unwrap().to_owned();
    let by_digits = machine.run(&["engine", "info", &id[..6]]);
    assert!(
        by_digits.out.contains("in use") && by_digits.out.contains("CUDA 12.6"),
        "{}",
        by_digits.out
    );
    assert_eq!(machine.run(&["engine", "info", "zzzz"]).code, 66);

    let dry = machine.run(&["engine", "prune", "--dry-run"]);
    assert_eq!(machine.engines("engine").len(), 2);
    let pruned = machine.run(&["engine", "prune"]);
    assert_eq!((dry.code, pruned.code), (0, 0));
    assert_eq!(dry.out, pruned.out);
    // The old engine and its driver's timings.
    assert_eq!(pruned.out.lines().count(), 2, "{}", pruned.out);
    assert!(machine.engines("engine")[0].to_string_lossy().contains(&id));
    assert!(backend(&score(&machine, &[])).starts_with("tensorrt"));
    machine.run(&["engine", "prune", "--all"]);
    assert!(machine.engines("engine").is_empty() && machine.engines("timings").is_empty());
}

#[test]
fn doctor_tells_driver_device_tensorrt_and_engine_and_what_to_do() {
    let machine = Machine::new();
    let rows = |variables: &[(&str, &str)]| -> Vec<Value> {
        let ran = machine.run_with(&["doctor", "--json"], variables);
        assert!([0, 69].contains(&ran.code), "{}", ran.err);
        ran.json()[0]["findings"].as_array().unwrap().clone()
    };
    let row = |rows: &[Value], name: &str| -> Value {
        let row = rows.iter().find(|r| r["name"] == name).cloned();
        row.unwrap_or_else(|| panic!("no row {name}"))
    };
    let before = rows(&[]);
    let engine = row(&before, "engine");
    assert_eq!(engine["state"], "optional");
    assert_eq!(engine["todo"], "run `sonofuse engine build`");
    build(&machine);
    let after = rows(&[]);
    for (name, says) in [
        ("CUDA driver library", "CUDA 12.2"),
        ("GPU 0", "compute capability 8.0 (sm_80)"),
        ("TensorRT", "10.3.0.26"),
        ("engine", "demo-simulated"),
        ("demo", "tensorrt-10.3.0.26"),
    ] {
        let row = row(&after, name);
        assert_eq!(row["state"], "ok", "{row}");
        assert!(row["found"].as_str().unwrap().contains(says), "{row}");
    }
    // Named and not there: missing, with an exit code.
    machine.configure("[model]\nscorer = \"tensorrt\"\n");
    let named = rows(&[("SONOFUSE_TENSORRT_LIB", "/nowhere.so")]);
    for name in ["TensorRT", "engine", "demo"] {
        assert_eq!(row(&named, name)["state"], "missing", "{name}");
    }
}

/// A live daemon; killed when dropped.
struct Live {
    child: Child,
    readings: Box<dyn Iterator<Item = Value>>,
}

impl Live {
    fn start(machine: &Machine) -> Self {
        let mut child = machine
            .command()
            .args(["run", "--json", "--preset", "simulator", "--seconds", "900", "--config"])
            .arg(machine.path("sonofuse.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let readings = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        Self { child, readings: Box::new(readings) }
    }

    /// The next reading that fits.
    fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = self.readings.find(|r| fits(r));
        found.unwrap_or_else(|| panic!("no reading {what} until the daemon ended"))
    }

    /// The next reading for which a network ran, on this backend.
    fn until_network_on(&mut self, prefix: &str) -> Value {
        self.until(prefix, |r| {
            r["latency_ms"]["network"].is_number() && backend(r).starts_with(prefix)
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn while_the_gpu_fails_the_processor_scores_and_when_it_is_back_the_gpu_does() {
    let machine = Machine::new();
    build(&machine);
    let mut live = Live::start(&machine);
    live.until_network_on("tensorrt-");
    for fault in ["enqueue-fails 1", "lost 719\nlost-for-good 1"] {
        machine.set(fault);
        let reading = live.until_network_on("cpu-");
        assert!(why(&reading).contains("stands in for the GPU"), "{fault}: {reading}");
        assert_ne!(reading["reason"], "engine-fault", "{fault}");
        machine.set("lost-for-good 0");
        let back = live.until_network_on("tensorrt-");
        assert!(!why(&back).contains("stands in"), "{fault}: {back}");
    }
}

#[test]
fn where_a_fault_is_to_withhold_readings_say_so_until_the_gpu_is_back() {
    let machine = Machine::new();
    machine.configure("on-fault = \"withhold\"\n");
    build(&machine);
    let mut live = Live::start(&machine);
    live.until_network_on("tensorrt-");
    machine.set("enqueue-fails 1");
    let reading = live.until("engine-fault", |r| r["reason"] == "engine-fault");
    assert!(reading["malignancy"].is_null() && backend(&reading).starts_with("tensorrt-"));
    assert!(reading["detail"].as_str().unwrap().contains("CUDA failure 719"), "{reading}");
    machine.set("");
    live.until("scored", |r| r["outcome"] == "scored" && backend(r).starts_with("tensorrt-"));
}

#[test]
fn selftest_writes_a_report_with_and_without_a_gpu() {
    let machine = Machine::new();
    let report = |name: &str, more: &[&str], variables: &[(&str, &str)]| -> (Ran, Value) {
        let place = machine.path(name);
        let args = ["selftest", "--quick", "--fault", "--report", place.to_str().unwrap()];
        let args = [&args, more].concat();
        let ran = machine.run_with(&args, variables);
        let json = fs::read_to_string(machine.path(&format!("{name}.json"))).unwrap();
        let text = fs::read_to_string(machine.path(&format!("{name}.md"))).unwrap();
        assert!(text.contains("esearch use only") && text.contains("simulated"), "{text}");
        (ran, serde_json::from_str(&json).unwrap())
    };
    let verdicts = |report: &Value, part: &str| -> Vec<(String, String)> {
        let rows = report["rows"].as_array().unwrap().iter().filter(|r| r["part"] == part);
        let text = |r: &Value, key: &str| r[key].as_str().unwrap().to_owned();
        rows.map(|r| (text(r, "check"), text(r, "verdict"))).collect()
    };
    let (ran, with) = report("with", &[], &[]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let gpu = verdicts(&with, "GPU");
    for (check, verdict) in [
        ("kernels = definition, Staged", "ok"),
        ("lost device survived", "ok"),
        ("engine", "ok"),
        ("answers at 88×72 px", "ok"),
        ("a simulated picture, GPU = processor", "ok"),
        ("latency by stage, stream", "measured"),
    ] {
        assert!(gpu.contains(&(check.into(), verdict.into())), "{check}: {gpu:?}");
    }
    // Headers of a TensorRT 10.3 whose one function moved, by a "compiler" that knows only them.
    let compiler = machine.path("c++");
    fs::write(
        &compiler,
        "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n\
         printf '#!/bin/sh\\ncat %s\\n' \"$0.tsv\" >\"$out\"\nchmod +x \"$out\"\n",
    )
    .unwrap();
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).unwrap();
    let table = fs::read_to_string("crates/tensorrt/checks/slots-10.tsv").unwrap();
    let table = table + "version.major\t10\nversion.minor\t3\nversion.patch\t0\n";
    fs::write(machine.path("NvInfer.h"), "").unwrap();
    let headers = machine.path("").to_str().unwrap().to_owned();
    let compiler = compiler.to_str().unwrap().to_owned();
    let without = |name: &str, table: &str| {
        fs::write(machine.path("c++.tsv"), table).unwrap();
        report(
            name,
            &["--headers", &headers],
            &[("SONOFUSE_CUDA_LIB", "/nowhere.so"), ("CXX", &compiler)],
        )
    };
    let moved = table.replace("context.enqueue_v3\t", "context.enqueue_v3\t1");
    let (ran, differs) = without("differs", &moved);
    assert_eq!(ran.code, 70, "{}\n{}", ran.out, ran.err);
    assert_eq!(verdicts(&differs, "binding")[0].1, "failed");
    assert!(ran.out.contains("context.enqueue_v3: table"), "{}", ran.out);

    // With a GPU, nothing of that TensorRT is called: no engine is built, and the report begins with why.
    let engines = machine.engines("engine").len();
    let (ran, unfit) = report("unfit", &["--headers", &headers], &[("CXX", &compiler)]);
    assert_eq!(ran.code, 70, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.starts_with("FAILED  binding"), "{}", ran.out);
    let gpu_part = verdicts(&unfit, "GPU");
    assert_eq!(gpu_part, [("engine".to_owned(), "missing".to_owned())]);
    assert!(!ran.err.contains("building an engine"), "{}", ran.err);
    assert_eq!(machine.engines("engine").len(), engines);
    assert!(ran.out.contains("published: Orin Nano, ncnn in fp16: 280.8 ms"), "{}", ran.out);

    let (ran, without) = without("without", &table);
    assert_eq!(ran.code, 69, "{}\n{}", ran.out, ran.err);
    assert_eq!(verdicts(&without, "binding")[0].1, "ok", "{}", ran.out);
    let gpu = verdicts(&without, "GPU");
    assert_eq!(gpu, [("driver, device, TensorRT".to_owned(), "missing".to_owned())]);
    assert!(verdicts(&without, "processor").iter().filter(|(_, v)| v == "ok").count() >= 2);
    assert!(ran.out.contains("/nowhere.so"), "{}", ran.out);
}
