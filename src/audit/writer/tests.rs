//! The chain as it is written and found again, and what is found when somebody changes it.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::super::verify::{Verified, Witness, verify};
use super::*;

fn settings(max_mib: u64) -> Settings {
    Settings { max_mib, ..Settings::default() }
}

fn entry(text: &str) -> Entry {
    let fields = fields([("text", text.into())]);
    Entry { at: SystemTime::now(), event: "test", fields }
}

/// A chain of so many lines after its beginning.
fn chain(folder: &Path, lines: usize) -> Writer {
    let mut writer = Writer::new(folder.to_owned(), &settings(1));
    for n in 0..lines {
        writer.take(entry(&n.to_string()));
    }
    writer.every_second();
    writer
}

fn found(folder: &Path) -> Verified {
    verify(folder, &[]).unwrap()
}

fn texts(folder: &Path) -> Vec<String> {
    let numbers = folder::parts(folder).unwrap();
    let all = numbers.iter().map(|n| fs::read_to_string(folder::part(folder, *n)).unwrap());
    all.collect::<String>().lines().map(str::to_owned).collect()
}

fn put(folder: &Path, lines: &[String]) {
    fs::write(folder::part(folder, 1), lines.join("\n") + "\n").unwrap();
}

#[test]
fn what_was_written_is_whole_and_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    drop(chain(dir.path(), 3));
    let writer = chain(dir.path(), 2);
    let all = found(dir.path());
    assert!(all.is_whole(), "{all:?}");
    assert_eq!((all.lines, all.head.n, all.head), (5, 5, writer.head));
    assert_eq!(all.first.unwrap().0, 1);
}

#[test]
fn a_second_daemon_waits_for_the_first_one_to_leave() {
    let dir = tempfile::tempdir().unwrap();
    let first = chain(dir.path(), 1);
    let mut second = chain(dir.path(), 1);
    assert!(second.failing.as_ref().unwrap().contains("another daemon"), "{second:?}");
    assert_eq!(found(dir.path()).lines, 1);
    drop(first);
    second.every_second();
    assert_eq!((second.failing.is_none(), found(dir.path()).lines), (true, 2), "nothing was lost");
    assert!(found(dir.path()).is_whole());
}

/// What somebody does to the lines of a chain.
type Change<'a> = &'a dyn Fn(&mut Vec<String>);

#[test]
fn every_change_gap_and_swap_is_found_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    drop(chain(dir.path(), 9));
    let good = texts(dir.path());
    assert_eq!(good.len(), 9);
    let other = tempfile::tempdir().unwrap();
    drop(chain(other.path(), 9));
    let foreign = texts(other.path());
    let changes: [(Change<'_>, &str); 9] = [
        (&|l| l[4] = l[4].replace("\"text\":\"4\"", "\"text\":\"5\""), "line 5: it was changed"),
        (&|l| drop(l.remove(4)), "line 5: number 6 follows number 4"),
        (&|l| l.swap(3, 4), "line 4: number 5 follows number 3"),
        (&|l| l.insert(4, l[3].clone()), "line 5: number 4 follows number 4"),
        (&|l| l[4].clone_from(&foreign[4]), "line 5: it follows another line"),
        (&|l| drop(l.drain(..3)), "begins with number 4"),
        (&|l| l.insert(2, "hello".into()), "line 3: it is no line of an audit"),
        (&|l| l.insert(0, String::new()), "line 1: it is no line of an audit"),
        (&|l| l.insert(9, l[0].clone()), "line 10: number 1 follows number 9"),
    ];
    for (change, says) in changes {
        let mut lines = good.clone();
        change(&mut lines);
        put(dir.path(), &lines);
        let all = found(dir.path());
        assert!(!all.is_whole() && all.faults[0].contains(says), "{says}: {:?}", all.faults);
    }
    put(dir.path(), &good);
    assert!(found(dir.path()).is_whole());
}

#[test]
fn a_cut_tail_and_a_chain_made_anew_are_found_by_a_witness_and_only_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let writer = chain(dir.path(), 9);
    let head = writer.head;
    drop(writer);
    let good = texts(dir.path());
    let early = chain::read(good[4].as_bytes()).unwrap().head;
    let witness = |head: Head| [Witness { n: Some(head.n), hash: head.hash }];
    let held = verify(dir.path(), &witness(early)).unwrap();
    assert_eq!((held.is_whole(), held.confirmed, held.witnessed), (true, 1, Some(5)));
    let alone = verify(dir.path(), &[Witness { n: None, hash: head.hash }]).unwrap();
    assert_eq!(alone.witnessed, Some(9), "a hash without its number serves too");
    // Cut.
    put(dir.path(), &good[..7]);
    let cut = verify(dir.path(), &[]).unwrap();
    assert_eq!((cut.is_whole(), cut.witnessed), (true, None), "by itself it cannot know");
    let cut = verify(dir.path(), &witness(head)).unwrap();
    assert!(!cut.is_whole() && cut.missing.len() == 1, "{cut:?}");
    assert!(verify(dir.path(), &witness(early)).unwrap().is_whole(), "an older witness is content");
    // Made anew, as long and with the same words.
    fs::remove_file(folder::part(dir.path(), 1)).unwrap();
    drop(chain(dir.path(), 12));
    assert!(found(dir.path()).is_whole());
    for witness in [witness(head), witness(early)] {
        assert!(!verify(dir.path(), &witness).unwrap().is_whole());
    }
}

#[test]
fn a_torn_line_is_cut_off_and_the_chain_says_so() {
    let dir = tempfile::tempdir().unwrap();
    drop(chain(dir.path(), 3));
    let path = folder::part(dir.path(), 1);
    let good = fs::read(&path).unwrap();
    let last = good[..good.len() - 1].iter().rposition(|&b| b == b'\n').unwrap() + 1;
    // Wherever the kill or the power cut came; zeros are what some file systems leave.
    let torn = (last + 1..good.len()).step_by(7).map(|len| good[..len].to_vec());
    for bytes in torn.chain([[&good[..], &[0; 100]].concat()]) {
        fs::write(&path, &bytes).unwrap();
        let before = found(dir.path());
        assert!(before.torn && before.faults.is_empty(), "{before:?}");
        drop(chain(dir.path(), 1));
        let all = found(dir.path());
        assert!(all.is_whole() && !all.torn, "{all:?}");
        let lines = texts(dir.path());
        let repaired = lines.iter().filter(|line| line.contains("\"event\":\"repaired\""));
        assert_eq!(repaired.count(), 1, "{lines:?}");
    }
}

#[test]
fn a_last_line_that_somebody_changed_is_not_written_over_and_stays_to_be_found() {
    let dir = tempfile::tempdir().unwrap();
    drop(chain(dir.path(), 3));
    let mut lines = texts(dir.path());
    lines[2] = lines[2].replace("\"text\":\"2\"", "\"text\":\"7\"");
    put(dir.path(), &lines);
    drop(chain(dir.path(), 2));
    assert_eq!(texts(dir.path())[2], lines[2]);
    let all = found(dir.path());
    assert!(all.faults[0].contains("line 3: it was changed"), "{all:?}");
    assert!(texts(dir.path()).iter().any(|line| line.contains("\"event\":\"broken\"")));
}

#[test]
fn a_part_that_is_taken_away_while_it_is_written_is_a_gap_and_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = chain(dir.path(), 3);
    fs::remove_file(folder::part(dir.path(), 1)).unwrap();
    writer.every_second();
    writer.take(entry("after"));
    writer.every_second();
    let all = found(dir.path());
    assert!(all.faults[0].contains("begins with number 4"), "{all:?}");
    assert!(texts(dir.path()).last().unwrap().contains("after"));
}

#[test]
fn size_is_bounded_and_the_heads_of_what_was_removed_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(dir.path().to_owned(), &settings(1));
    let long = "x".repeat(900);
    let mut early = Head::default();
    for n in 0..4_000 {
        writer.take(entry(&long));
        if n == 10 {
            early = writer.head;
        }
        if n % 50 == 0 {
            writer.every_second();
        }
    }
    writer.every_second();
    let head = writer.head;
    let bytes: u64 =
        fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < (1 << 20) + 300_000, "{bytes} bytes of 4 MB were kept");
    let witness = |head: Head| Witness { n: Some(head.n), hash: head.hash };
    let all = verify(dir.path(), &[witness(head), witness(early)]).unwrap();
    assert!(all.is_whole() && all.removed > 1_000, "{all:?}");
    assert_eq!((all.confirmed, all.of_removed), (1, 1));
    // The hash alone of a part that was removed is known by the list.
    let removed = folder::removed(dir.path()).unwrap();
    let known = Witness { n: None, hash: removed[0].head.hash };
    assert_eq!(verify(dir.path(), &[known]).unwrap().of_removed, 1);
    // A removal that nobody told of is found, and so is a list that was changed.
    let first = folder::parts(dir.path()).unwrap()[0];
    let bytes = fs::read(folder::part(dir.path(), first)).unwrap();
    fs::remove_file(folder::part(dir.path(), first)).unwrap();
    assert!(found(dir.path()).faults[0].contains("no line tells of the removal"));
    fs::write(folder::part(dir.path(), first), bytes).unwrap();
    assert!(found(dir.path()).is_whole());
    let list = dir.path().join("removed.jsonl");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.split_once('\n').unwrap().1).unwrap();
    assert!(found(dir.path()).faults[0].contains("list of removed parts has a gap"));
    // It goes on after a restart.
    fs::write(&list, text).unwrap();
    drop(writer);
    drop(chain(dir.path(), 5));
    assert!(found(dir.path()).is_whole());
}

#[test]
fn old_parts_go_by_their_age() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = chain(dir.path(), 5);
    // As if a week had passed.
    writer.part.as_mut().unwrap().begun = SystemTime::now() - PART_TIME * 2;
    writer.every_second();
    writer.take(entry("new"));
    assert_eq!(folder::parts(dir.path()).unwrap(), [1, 2]);
    let old = File::options().append(true).open(folder::part(dir.path(), 1)).unwrap();
    let long_ago = SystemTime::now() - Duration::from_hours(24 * 800);
    old.set_modified(long_ago).unwrap();
    drop(writer);
    drop(chain(dir.path(), 1));
    assert_eq!(folder::parts(dir.path()).unwrap(), [2]);
    let all = found(dir.path());
    assert!(all.is_whole() && all.removed == 5, "{all:?}");
}

#[test]
fn what_the_disk_refuses_waits_and_what_is_too_much_is_counted_in_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    // Where the folder should be there is a file.
    let folder = dir.path().join("audit");
    fs::write(&folder, "").unwrap();
    let mut writer = Writer::new(folder.clone(), &settings(1));
    for n in 0..WAITING_ENTRIES + 7 {
        writer.take(entry(&n.to_string()));
    }
    writer.every_second();
    assert!(writer.failing.is_some());
    fs::remove_file(&folder).unwrap();
    writer.every_second();
    assert!(writer.failing.is_none(), "{:?}", writer.failing);
    let all = found(&folder);
    assert!(all.is_whole());
    assert_eq!(all.lines as usize, WAITING_ENTRIES + 1);
    let last = texts(&folder).pop().unwrap();
    assert!(last.contains("\"event\":\"lost\"") && last.contains("\"entries\":7"), "{last}");
}
