//! Stable message ids of the journal: each kind of event has one, by which `journalctl -x` finds what to
//! do in the catalog (`systemd/sonofuse.catalog`) and programs find the event whatever its words are.
//!
//! `docs/reference/journal.md` lists them with their fields; `tests/journal_reference.rs` holds code, catalog
//! and reference together. An id never changes and is never used again for something else. Pure.

/// Declares the messages: name and id (128 bits, hexadecimal, drawn at random: `systemd-id128 new`).
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $id;)*

        /// All of them, by name.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

/// The field that holds it.
pub const FIELD: &str = "MESSAGE_ID";

/// Tells whether the `times`-th of a kind is worth a line: the 1st, 10th, 100th … so that one kind does not fill
/// the journal and none goes unsaid.
pub fn is_worth_a_line(times: u64) -> bool {
    times.checked_ilog10().is_some_and(|zeros| times == 10u64.pow(zeros))
}

messages! {
    /// The model was loaded and proven; what runs it, and why that.
    MODEL_CHOSEN = "129a2538e9b74374b984404bbba24561";
    /// Something that the model's manifest leaves open.
    MODEL_NOT_JUDGED = "e865c68ae15e47deb1fab24869e09015";
    /// The network's engine panicked; it is loaded again.
    MODEL_PANICKED = "c754db5e6045435a8518a05d23596edc";
    /// After a panic the network was loaded and proven again.
    MODEL_LOADED_AGAIN = "4b0174a0f29c40d986978cd186c1662f";
    /// The processor cannot stand in for the GPU.
    MODEL_NO_SPARE = "d8ec2872ff0c4a6e834ecb2160aab59e";
    /// A frame ended in a panic of what scores it.
    ENGINE_FAULT = "78516b1acb664f818a1726044517fe14";
    /// The GPU is not used, and why.
    GPU_UNUSED = "e9a93b308a0c4fa4928a0f50db7e9820";
    /// The GPU failed; the processor scores meanwhile.
    GPU_OUT = "8c8378bf9265486c82268fad811b59d9";
    /// The GPU scores again.
    GPU_BACK = "0f06fa2e4ac14760895f395a3998d62a";
    /// Pictures arrive.
    SOURCE_LIVE = "6d687e49f620471bab4127be94eb42ba";
    /// Pictures arrive that show no scanner.
    SOURCE_NO_SIGNAL = "b5728991a9b849afbc3dc4cba1485583";
    /// The source was live and sends nothing.
    SOURCE_STALLED = "ed085862ad344f3f806434a36586e94b";
    /// Nobody has said yet where pictures come from.
    SOURCE_NOT_SET_UP = "dac282e86a05451489757b5a4b884bb5";
    /// The source failed; it is tried again.
    SOURCE_LOST = "edbde9eb11fd44e9bdd84285bb55a3e8";
    /// A source that ends came to its end.
    SOURCE_ENDED = "ccba793f478b48dca6fc47df4ecf9434";
    /// The capture pipeline did not stop in time.
    SOURCE_STUCK = "1e129108db36425ca99fdb03deda97d9";
    /// No thread could be started for GStreamer.
    SOURCE_NO_THREAD = "4d8ebe0c82e04b96acef024a4fcd4a71";
    /// An element of the pipeline warns.
    ELEMENT_WARNED = "d6f6cdf5b1a84d7cadf8382853f57fb9";
    /// GStreamer did not let go of a file.
    FILE_STUCK = "b68885c0908a4c5c94abbb1f603ae615";
    /// The reading changed its outcome, its reason, or froze.
    READING_CHANGED = "8c21ce76c7ae42a9b9aa11c303f16ae6";
    /// Once a minute, and at the end: counts since the last one.
    SUMMARY = "051be6cb21a04ccfacb7f8c65af258c1";
    /// Something is wrong with how the picture comes.
    INPUT_FAULT = "88003a0a91944d46a6bb1b9637c98803";
    /// What was wrong with the picture is so no more.
    INPUT_MENDED = "a681ffb103b94726b4a2c84b93ee5a75";
    /// A signal asks the daemon to stop.
    SIGNAL = "59910b983d074b6797f226dd7e8c5749";
    /// A stage of the stop is done.
    STOP_STAGE = "412c4488b05a425cb03e1c8326b924ad";
    /// The stop took too long; what was left was left.
    STOP_LATE = "b31a9637f944499bbe67d2107501aede";
    /// The infer thread panicked.
    INFER_PANICKED = "7c246e4abef542208f91c1534c72fea2";
    /// A thread panicked; the process ends.
    PANIC = "6b4128ec5cb54d8f836b5f3cc5299bdb";
    /// The thread that prints panicked.
    STDOUT_PANICKED = "27fea79fff664681ac3b9bcc8636c4bd";
    /// Standard output was too slow for some readings.
    STDOUT_LOST = "7d7d37be0acc4ad684ffbcd07ec48111";
    /// Standard output cannot be written.
    STDOUT_FAILED = "b5d407c3056f4042b28535fdf2436901";
    /// The configured language has no font here: the panel speaks English.
    LANGUAGE_WITHOUT_FONT = "f2568fa435a940b1aefcfa7442899b12";
    /// The readings socket is there.
    SOCKET_SERVED = "e786352d89d24129a3b6473f0212c060";
    /// The readings socket was closed; what it did.
    SOCKET_CLOSED = "124b94f483cd4013958e4e6dab2ee4e3";
    /// The readings socket could not be removed.
    SOCKET_NOT_UNLINKED = "2eb7566ecd7d4d758e964102ac6379ec";
    /// A client could not be let in.
    SOCKET_ACCEPT = "040306bf35f74bcdb9146a7a55a62a6d";
    /// A client took nothing for too long.
    CLIENT_CUT_OFF = "731e4c0a43754472a7a9e399261a5dde";
    /// A command, or the configuration, gave the source another preset.
    SOURCE_PRESET = "a4fb1a73da4842be8ab4063555dde7ca";
    /// The configuration was read again and taken.
    CONFIG_TAKEN = "9b0231124a804f12a75aed56b0e73057";
    /// The configuration was read again and cannot be taken; the old one holds.
    CONFIG_REFUSED = "69fcb39be762488f9cc745c934c87631";
    /// Commands are taken.
    CONTROL_SERVED = "8433c52961799225d4f1d5444585c8da";
    /// There is no control socket, and why.
    CONTROL_ABSENT = "75c4d55e13ace4bc4c9c3582d28c2f9b";
    /// The control socket was closed; what it did.
    CONTROL_CLOSED = "7800cfd58b6ce1b7168a01220923ed90";
    /// A peer could not be let in.
    CONTROL_ACCEPT = "3dc3bb03bdd5bcf772300f99cd3df395";
    /// A peer without credentials is not heard.
    CONTROL_NO_CREDENTIALS = "4809ccae0522501c057aabe6308aeb04";
    /// A peer that may not command.
    CONTROL_DENIED = "3fde8e088200ea992df9513843cb2c88";
    /// A peer was cut off: its line was too long, or took too long.
    CONTROL_CUT_OFF = "0458cef5141273a855669f897f637ccb";
    /// A command was done.
    COMMAND_DONE = "287eac0c4ba350227cc046e843e0cf37";
    /// A command was refused.
    COMMAND_REFUSED = "55747d299da10349eeb4bfb85e7dffe4";
    /// A command ended in a panic; what was seen is forgotten, and the peer is told.
    COMMAND_PANICKED = "b8d5bbdb35fa0f398fd9462ea971c328";
    /// A key or pedal gave a command, which was done.
    KEY_DONE = "8642c41680c456cab8c12da134a7663c";
    /// A key or pedal gave a command, which was refused.
    KEY_REFUSED = "385820a64bd948839d134cf3e6dc69c3";
    /// The input device of the keys is read.
    KEYS_FOUND = "80c6216f0e1d6474459e2f1c0f1aff51";
    /// The input device went away.
    KEYS_LOST = "0146a0a1ad9011578bf41f69bbd4e8ae";
    /// The input device is not there.
    KEYS_ABSENT = "23c65d8b2f3cd6fb3b990f217957bb98";
    /// What an examination came to, for each nodule; labels never.
    EXAM_NODULE = "f4867fac040b048c8d9031859460e672";
    /// Pictures are encoded, so that clips can be kept.
    EVIDENCE_ENCODER = "cd162c57fd894e3985bc0be9b336dc0c";
    /// No encoder works: no clips.
    EVIDENCE_NO_ENCODER = "2b0806cdb52a4a59a61ccb809f3e7a58";
    /// An encoder that is installed does not work; the next one is tried.
    EVIDENCE_ENCODER_PASSED = "981c91e5eec045f8a33843a43b5a0943";
    /// The encoder failed; it is built again.
    EVIDENCE_ENCODER_FAILED = "10762d8d4ba241d4a905789440cdff2c";
    /// A snapshot, a clip or what an examination came to is on the disk.
    EVIDENCE_KEPT = "ec654da935074a62800662f5973cf61d";
    /// A snapshot, a clip or what an examination came to could not be kept.
    EVIDENCE_FAILED = "56555e2bb1984ab989ccd1364f4d3b84";
    /// The oldest evidence was removed: for room, or for its age.
    EVIDENCE_REMOVED = "72771fa4f4d9491b93badc93c20c5daa";
    /// What a killed run left half written was removed.
    EVIDENCE_SWEPT = "17089900d41f4a17ae15c85dd9001166";
    /// The folder of evidence cannot be used.
    EVIDENCE_FOLDER = "6ee40ae83d494d509e764bc54387a187";
    /// What keeps evidence did not end at the stop.
    EVIDENCE_STUCK = "fc0b0fc87e7e49de94b2c615fa67ed31";
    /// What keeps evidence ended; what it did.
    EVIDENCE_CLOSED = "aa5747190c514c2a9428809075bbc91f";
    /// Where the chain of the audit ends: a witness for `sonofuse audit verify`.
    AUDIT_HEAD = "4a5415a813414dcb85f0b03885037435";
    /// The audit cannot be written.
    AUDIT_FAILED = "67b7ec53e2a14a28a4148e107583008a";
    /// The audit is written again.
    AUDIT_MENDED = "a88601b391644b7c87eb120b57858590";
    /// The audit was changed by somebody else.
    AUDIT_BROKEN = "9216c2485d6b483eb9c2fa0d429a2c8d";
    /// The next examinations are the reference of drift, and why.
    DRIFT_BEGUN = "fe57d08c824940b7b007109175cfd942";
    /// The reference of drift is complete; what comes is held against it.
    DRIFT_COMPLETE = "6ddf11d0556f45df8f8ab357dedf2d89";
    /// The last examinations are not as the first: what shifted, from what to what.
    DRIFT_FOUND = "7bf58b23d62649f7addee84db0855df0";
    /// What had shifted is as in the first examinations again.
    DRIFT_OVER = "c9e94de418d34513bebe80767e1ff2f3";
    /// The file with the reference of drift cannot be read; it begins anew.
    DRIFT_DAMAGED = "a631e1c93dd549229308f74dfe17bef2";
    /// The reference of drift cannot be written.
    DRIFT_FAILED = "d323b7835a4b4a32b2f9741667036fd5";
    /// Metrics are served.
    METRICS_SERVED = "ed58aa58c9bf4fbba971dcefef585c85";
    /// Metrics are served at an address that others may reach.
    METRICS_OPEN = "24506c8334b7424bb8eb93ad51cd1880";
    /// The display failed; it is tried again.
    DISPLAY_FAILED = "2b67b077cb324246ad0acc5a6ab70500";
    /// The display's sink hangs at the stop.
    DISPLAY_HANGS = "236b3bb4de0f489f82586c7c4f315647";
    /// The display's thread failed.
    DISPLAY_PANICKED = "0cdeb24a545b485e94a948730d0ecf4b";
    /// The display was closed; what it did.
    DISPLAY_CLOSED = "9fc9875b3c05419188b2642f45d8bc5d";
    /// A frame cannot be shown.
    DISPLAY_REFUSED = "be7f7e5aca994479b6cbfe35f24f2f73";
    /// No picture to show: a card takes its place.
    DISPLAY_CARD = "063b267d967c4be1965b9a419f273c25";
    /// The page's pictures cannot be encoded; it is tried again.
    JPEG_FAILED = "cf7a04799944bd5dc52b0dabe439cde4";
    /// What encodes the page's pictures was closed; what it did.
    JPEG_CLOSED = "8e4925611031c625881d3fed34d0fd7c";
    /// The page is served.
    PAGE_SERVED = "20b64f280ee170ed3f18d168dc01dbb9";
    /// The page is served so that others than those at this machine may look.
    PAGE_OPEN = "bb1ee193f4ac105444a96664a929220c";
    /// The page was closed; what it did.
    PAGE_CLOSED = "26a967b06885bab5ad55082970160839";
    /// Somebody signed in at the page by a link.
    PAGE_SIGNED_IN = "23596fa9e998dd8b5cf1a5d278ce1380";
    /// A link of the page does not open, or no more.
    PAGE_LINK_REFUSED = "c11ee4b1e3548f9e4a3008831a11fc21";
    /// A viewer of the page took nothing for too long.
    PAGE_CUT_OFF = "003dc1ff810d53cbb392d8ceddcf951a";
    /// Somebody at the page gave a command, which was done.
    PAGE_DONE = "db76dc662e9c7d16d7bfa2a9e4429165";
    /// Somebody at the page gave a command, which was refused.
    PAGE_REFUSED = "c995cbddea96fad32e9a7862dad9601d";
    /// The service manager cannot be reached.
    NOTIFY_UNREACHABLE = "4e8eda09e3c6459e9e6027a7381a56a0";
    /// No progress: the watchdog is not petted.
    WATCHDOG_STILL = "31b248251a67494aa0cbdc2dd8bf2303";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ALL, is_worth_a_line};

    #[test]
    fn every_id_is_128_bits_in_hexadecimal_and_stands_for_one_message() {
        let hexadecimal =
            |id: &str| id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        assert!(ALL.iter().all(|(_, id)| hexadecimal(id)), "{ALL:?}");
        assert_eq!(ALL.iter().map(|(_, id)| id).collect::<BTreeSet<_>>().len(), ALL.len());
    }

    #[test]
    fn the_first_tenth_and_hundredth_are_worth_a_line() {
        let told: Vec<u64> = (0..=1_000).filter(|times| is_worth_a_line(*times)).collect();
        assert_eq!(told, [1, 10, 100, 1_000]);
    }
}
