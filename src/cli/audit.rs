//! `sonofuse audit verify`: is the audit what the daemon wrote? Reads files, and the journal where that is
//! asked for. Runs on the main thread.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use sonofuse_core::published::Audited;

use super::error::{CliError, Exit};
use super::output::Output;
use crate::audit::verify::{Verified, Witness, verify};
use crate::config::Loaded;
use crate::journal;

/// Look at the audit: what the daemon was, what it showed, and what it was told.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    Verify(VerifyArgs),
}

/// Tell whether the audit is what the daemon wrote.
///
/// Finds every change, gap and swap by itself. A cut tail, or a chain that was made anew as a whole, takes a
/// witness: a head that somebody else kept. The daemon gives its heads to the journal once a minute and at
/// each stop; without a witness this says that it cannot know.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: whole. 65: not whole, or a witness is missing in it. 66: there is no \
    audit. 74: it cannot be read."
)]
struct VerifyArgs {
    /// Folder of the audit [default: that of the configuration]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A head to find in it, as the journal has it (LINE:HASH or HASH), or journal: all that the
    /// service's journal has; may be repeated
    #[arg(long, value_name = "HEAD|journal")]
    head: Vec<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Where the service keeps it.
const SERVICE: &str = "/var/lib/sonofuse/audit";
/// Most of the journal's heads that are read, bytes.
const MAX_JOURNAL_BYTES: u64 = 256 << 20;

/// Runs the command.
///
/// # Errors
/// [`Exit::Data`] where the audit is not whole, [`Exit::NoInput`] where there is none.
pub fn run(args: &AuditArgs) -> Result<(), CliError> {
    let AuditCommand::Verify(args) = &args.command;
    let folder = folder(args)?;
    let witnesses = witnesses(&args.head)?;
    let failed = |e: &std::io::Error| {
        let exit = if e.kind() == std::io::ErrorKind::NotFound { Exit::NoInput } else { Exit::Io };
        CliError::caused(exit, format!("cannot read the audit in {}", folder.display()), e)
    };
    let found = verify(&folder, &witnesses).map_err(|e| failed(&e))?;
    if found.lines == 0 && !found.torn {
        return Err(CliError::new(
            Exit::NoInput,
            format!("there is no audit in {}", folder.display()),
        ));
    }
    let mut out = Output::new();
    if args.json {
        out.json(&published(&found))?;
    } else {
        for line in told(&found, witnesses.len()) {
            out.line(&line)?;
        }
    }
    if let Some(fault) = found.faults.first() {
        return Err(CliError::new(Exit::Data, format!("the audit is not whole: {fault}")));
    }
    match found.missing.first() {
        None => Ok(()),
        Some(witness) => Err(CliError::new(
            Exit::Data,
            format!("the audit does not have {witness}: its end was cut off, or it was made anew"),
        )),
    }
}

fn folder(args: &VerifyArgs) -> Result<PathBuf, CliError> {
    if let Some(folder) = &args.folder {
        return Ok(folder.clone());
    }
    let loaded = Loaded::checked(args.config.as_deref()).map_err(|e| CliError::of(&e))?;
    match loaded.config.audit.folder.as_str() {
        "none" => Err(CliError::new(
            Exit::NoInput,
            "the configuration keeps no audit: [audit] folder is \"none\", give --folder",
        )),
        _ => Ok(loaded.config.audit.folder().unwrap_or_else(|| PathBuf::from(SERVICE))),
    }
}

fn witnesses(heads: &[String]) -> Result<Vec<Witness>, CliError> {
    let mut found = Vec::new();
    for head in heads {
        if head == "journal" {
            let told = from_journal().map_err(|e| {
                CliError::caused(Exit::Unavailable, "the journal tells no heads of the audit", &e)
            })?;
            if told.is_empty() {
                let words = "the journal has no heads of the audit: is it read with the right to (group systemd-journal), and kept?";
                return Err(CliError::new(Exit::Unavailable, words));
            }
            found.extend(told);
        } else {
            let witness = head.parse();
            found.push(
                witness
                    .map_err(|why: String| CliError::new(Exit::Usage, format!("--head: {why}")))?,
            );
        }
    }
    Ok(found)
}

/// Every head that the service's own unit logged.
fn from_journal() -> std::io::Result<Vec<Witness>> {
    let mut child = Command::new("journalctl")
        .args(["--no-pager", "--output=json", "--output-fields=HEAD"])
        .arg("_SYSTEMD_UNIT=sonofuse.service")
        .arg(format!("MESSAGE_ID={}", journal::AUDIT_HEAD))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut text = String::new();
    let out = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
    out.take(MAX_JOURNAL_BYTES).read_to_string(&mut text)?;
    child.wait()?;
    let read = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        entry["HEAD"].as_str()?.parse().ok()
    };
    Ok(text.lines().filter_map(read).collect())
}

fn published(found: &Verified) -> Audited {
    Audited {
        whole: found.is_whole(),
        parts: found.parts,
        lines: found.lines,
        first: found.first.as_ref().map(|(n, _)| *n),
        head: found.head.to_string(),
        removed: found.removed,
        torn: found.torn,
        faults: found.faults.clone(),
        confirmed: found.confirmed,
        of_removed: found.of_removed,
        witnessed: found.witnessed,
        missing: found.missing.iter().map(ToString::to_string).collect(),
        notice: sonofuse_core::NOTICE,
    }
}

fn told(found: &Verified, witnesses: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (first, since) = found.first.clone().unwrap_or_default();
    lines.push(format!(
        "{} lines in {} parts, number {first} of {since} to {} of {}",
        found.lines, found.parts, found.head.n, found.last_at
    ));
    lines.push(format!("head       {}", found.head));
    if found.removed > 0 {
        lines.push(format!(
            "removed    {} older lines, by size or age: told of in it",
            found.removed
        ));
    }
    if found.torn {
        lines.push("torn       the last line has no end: the daemon was killed at it, and says so at its next start".to_owned());
    }
    lines.extend(found.faults.iter().map(|fault| format!("NOT WHOLE  {fault}")));
    if found.faults.is_empty() {
        lines.push(
            "chain      whole: nothing in it was changed, left out or put elsewhere".to_owned(),
        );
    }
    match (witnesses, found.witnessed) {
        (0, _) => lines.push(
            "witness    none: whether its end was cut off, or all of it made anew, cannot be known (--head)"
                .to_owned(),
        ),
        (_, Some(n)) => {
            let after = found.head.n.saturating_sub(n);
            lines.push(format!(
                "witness    {} of {witnesses} are in it: confirmed up to number {n}, {after} lines after that are not",
                found.confirmed
            ));
        }
        (_, None) => lines.push(format!("witness    none of {witnesses} is in it")),
    }
    if found.of_removed > 0 {
        lines.push(format!("witness    {} are of lines that were removed", found.of_removed));
    }
    lines.extend(found.missing.iter().map(|witness| format!("MISSING    {witness}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_hash_with_or_without_its_line() {
        let hash = "ab".repeat(32);
        for good in [hash.clone(), format!("17:{hash}")] {
            let read = witnesses(std::slice::from_ref(&good));
            assert_eq!(read.map(|w| w[0].to_string()).ok(), Some(good));
        }
        for wrong in ["", "17", "x:y", &format!("x:{hash}"), &hash[1..]] {
            assert!(witnesses(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
