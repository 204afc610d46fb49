//! Tests of parsing: what is wrong is told with its line and key.

use super::*;

const HEAD: &str = "summary = \"x\"\nseed = 1\nskins = [\"aixplorer-stacked\"]\nlength-s = 10.0\n";

fn refused(text: &str) -> String {
    Scenario::parse(text).unwrap_err().to_string()
}

#[test]
fn every_committed_scenario_is_sound_and_named_by_its_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let names: Vec<&str> = Scenario::names().collect();
    assert_eq!(names, files, "the list in suite.rs and the files differ");
    for name in names {
        let scenario = Scenario::named(name).unwrap();
        assert_eq!(scenario.name(), name);
        assert!(!scenario.summary().is_empty() && !scenario.skins().is_empty());
    }
}

#[test]
fn a_mistake_is_told_with_line_event_and_key() {
    let cases: &[(&str, &[&str])] = &[
        ("[[event]]\nat-s = 1.0\ngian = 0.5\n", &["gian", "line 7", "gain"]),
        ("[[event]]\nat-s = 1.0\nbox = \"dopler\"\n", &["dopler", "colour-doppler"]),
        ("[[event]]\ngain = 0.5\n", &["at-s"]),
        ("\n[[event]]\nat-s = 1.0\ngain = 9.0\n", &["line 6", "event 1", "gain is 9", "0.1 to 4"]),
        ("[[event]]\nat-s = 11.0\n", &["event 1", "at-s is 11", "0 to 10"]),
        ("[[event]]\nat-s = 5.0\n[[event]]\nat-s = 4.0\n", &["line 7", "event 2", "at-s", "order"]),
        ("[[event]]\nat-s = 1.0\nover-s = 2.0\n", &["event 1", "over-s", "slide-mm"]),
        ("[[event]]\nat-s = 1.0\ncine-maps = 1\n", &["cine-maps", "2 maps"]),
        ("[[event]]\nat-s = 1.0\nskin = \"menu\"\n", &["skin", "menu", "no dual view"]),
        ("[[event]]\nat-s = 1.0\nsize-px = [9000, 20]\n", &["size-px", "240"]),
        ("[exam]\nmap-rate-hz = 99.0\n", &["line 6", "map-rate-hz is 99"]),
        (
            "[exam]\nneighbour-mm = 15.0\n[[event]]\nat-s = 1.0\nnodule = 1\n",
            &["nodule", "slide-mm"],
        ),
    ];
    for (text, words) in cases {
        let message = refused(&format!("{HEAD}{text}"));
        for word in *words {
            assert!(message.contains(word), "{text}gives\n{message}\nwithout {word:?}");
        }
    }
    let message = refused("summary = \"x\"\nseed = 1\nskins = []\nlength-s = 10.0\n");
    assert!(message.contains("line 3") && message.contains("skins"), "{message}");
}

#[test]
fn an_unknown_name_is_answered_with_the_names() {
    let message = Scenario::named("no-such").unwrap_err().to_string();
    assert!(message.contains("no-such") && message.contains("next-patient"), "{message}");
}
