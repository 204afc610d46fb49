//! The panel's words, which the terminal and the page say too: identifiers of the `[panel]` table of a language
//! file, with the names of their values. Pure.

use crate::quality::Fault;
use crate::reading::Withheld;

/// Declares the labels: their identifiers and the names of the values that fill them.
macro_rules! labels {
    ($($name:ident = $id:literal [$($value:literal),*];)*) => {
        /// A text of the panel. Each is documented by its English text in `words/en.toml`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Label {
            $(
                #[doc = concat!("`", $id, "`")]
                $name,
            )*
        }

        impl Label {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The identifier in the `[panel]` table of language files.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Names of the values that it is said with.
            pub const fn values(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($value),*],)* }
            }
        }
    };
}

labels! {
    WordScored = "word-scored" [];
    WordFrozen = "word-frozen" [];
    WordUnfamiliar = "word-unfamiliar" [];
    WordWithheld = "word-withheld" [];
    WordNoSignal = "word-no-signal" [];
    WordNotShown = "word-not-shown" [];
    WordStale = "word-stale" [];
    WordStarting = "word-starting" [];
    WordNotSetUp = "word-not-set-up" [];
    WordUntrained = "word-untrained" [];
    WordSimulated = "word-simulated" [];
    ReasonWarmingUp = "reason-warming-up" [];
    DoWarmingUp = "do-warming-up" [];
    ReasonNoSignal = "reason-no-signal" [];
    DoNoSignal = "do-no-signal" [];
    ReasonStalled = "reason-stalled" [];
    DoStalled = "do-stalled" [];
    ReasonNoDualView = "reason-no-dual-view" [];
    DoNoDualView = "do-no-dual-view" [];
    ReasonEmptyElastogram = "reason-empty-elastogram" [];
    DoEmptyElastogram = "do-empty-elastogram" [];
    ReasonUnstableElastogram = "reason-unstable-elastogram" [];
    DoUnstableElastogram = "do-unstable-elastogram" [];
    ReasonBoxTooSmall = "reason-box-too-small" [];
    DoBoxTooSmall = "do-box-too-small" [];
    ReasonOutOfFocus = "reason-out-of-focus" [];
    DoOutOfFocus = "do-out-of-focus" [];
    ReasonPaletteUnknown = "reason-palette-unknown" [];
    DoPaletteUnknown = "do-palette-unknown" [];
    ReasonOutOfDistribution = "reason-out-of-distribution" [];
    DoOutOfDistribution = "do-out-of-distribution" [];
    ReasonEngineFault = "reason-engine-fault" [];
    DoEngineFault = "do-engine-fault" [];
    ReasonPaused = "reason-paused" [];
    DoPaused = "do-paused" [];
    ReasonNotSetUp = "reason-not-set-up" [];
    DoNotSetUp = "do-not-set-up" [];
    ReasonNotShown = "reason-not-shown" [];
    DoNotShown = "do-not-shown" [];
    NoReadingFor = "no-reading-for" ["seconds"];
    NoReadingMinutes = "no-reading-minutes" [];
    StaleWhy = "stale-why" [];
    Starting = "starting" [];
    StartingWhy = "starting-why" [];
    FaultRedBlueSwapped = "fault-red-blue-swapped" [];
    FaultGreyOnly = "fault-grey-only" [];
    FaultRangeClipped = "fault-range-clipped" [];
    FaultRangeNarrow = "fault-range-narrow" [];
    FaultCombed = "fault-combed" [];
    FaultEnlarged = "fault-enlarged" [];
    FaultSqueezed = "fault-squeezed" [];
    FaultChromaHalvedTwice = "fault-chroma-halved-twice" [];
    FaultRateLow = "fault-rate-low" [];
    FaultDropped = "fault-dropped" [];
    FaultRepeated = "fault-repeated" [];
    InputIs = "input-is" ["fault"];
    UnlikeBmodeUnfamiliar = "unlike-bmode-unfamiliar" [];
    UnlikeMapUnfamiliar = "unlike-map-unfamiliar" [];
    UnlikeBothUnfamiliar = "unlike-both-unfamiliar" [];
    NoteFrozen = "note-frozen" [];
    NoteNotSettled = "note-not-settled" [];
    NotePaletteAssumed = "note-palette-assumed" [];
    NodulePlane = "nodule-plane" ["nodule", "plane"];
    Caption = "caption" [];
    Interval = "interval" [];
    ElastogramsOne = "elastograms-one" ["count"];
    Elastograms = "elastograms" ["count"];
    EvidenceLong = "evidence-long" ["count", "age"];
    EvidenceShort = "evidence-short" ["count", "age"];
    EvidenceBare = "evidence-bare" ["count"];
    AgeSeconds = "age-seconds" ["count"];
    AgeMinutes = "age-minutes" ["count"];
    Benign = "benign" [];
    Malignant = "malignant" [];
    OperatingPoint = "operating-point" ["percent"];
    Sensitivity = "sensitivity" ["percent"];
    Specificity = "specificity" ["percent"];
    SensitivityShort = "sensitivity-short" ["percent"];
    SpecificityShort = "specificity-short" ["percent"];
    HalfMinuteAgo = "half-minute-ago" [];
    Now = "now" [];
    NoViews = "no-views" [];
    ViewsUnknown = "views-unknown" [];
    RedHard = "red-hard" [];
    BlueHard = "blue-hard" [];
    Model = "model" ["name"];
    UntrainedWhy = "untrained-why" [];
    NoticeResearch = "notice-research" [];
    NoticeDevice = "notice-device" [];
    StiffnessMean = "stiffness-mean" ["value"];
    StiffnessStiffest = "stiffness-stiffest" ["value"];
    Stiffness2mm = "stiffness-2mm" ["value"];
    StiffnessP99 = "stiffness-p99" ["value"];
    StiffnessRatio = "stiffness-ratio" ["ratio"];
    StiffnessOnlyRatio = "stiffness-only-ratio" ["ratio"];
    StiffnessNoScale = "stiffness-no-scale" ["ratio"];
    OffTheScreen = "off-the-screen" [];
    KeptSnapshot = "kept-snapshot" [];
    KeptClip = "kept-clip" [];
    KeptBlack = "kept-black" [];
    KeptDiskFull = "kept-disk-full" [];
    KeptReadOnly = "kept-read-only" [];
    KeptNoRights = "kept-no-rights" [];
    KeptProtected = "kept-protected" [];
    KeptInUse = "kept-in-use" [];
    KeptFailed = "kept-failed" [];
    HeatBenign = "heat-benign" [];
    HeatMalignant = "heat-malignant" [];
    HeatTitle = "heat-title" [];
    HeatShort = "heat-short" [];
    HeatCaveat = "heat-caveat" [];
    HeatCaveatShort = "heat-caveat-short" [];
    HeatBmode = "heat-bmode" [];
    HeatElastogram = "heat-elastogram" [];
    TailCut = "tail-cut" ["percent"];
    TailPlace = "tail-place" ["place"];
    ExamNodule = "exam-nodule" ["exam", "nodule"];
    ExamNoScore = "exam-no-score" [];
    ExamPlanes = "exam-planes" ["planes"];
    ExamVerdict = "exam-verdict" ["verdict"];
}

impl Label {
    /// What is the matter, two or three words; and what to do about it, one short sentence.
    pub const fn of_reason(reason: Withheld) -> [Self; 2] {
        match reason {
            Withheld::WarmingUp => [Self::ReasonWarmingUp, Self::DoWarmingUp],
            Withheld::NoSignal => [Self::ReasonNoSignal, Self::DoNoSignal],
            Withheld::Stalled => [Self::ReasonStalled, Self::DoStalled],
            Withheld::NoDualView => [Self::ReasonNoDualView, Self::DoNoDualView],
            Withheld::EmptyElastogram => [Self::ReasonEmptyElastogram, Self::DoEmptyElastogram],
            Withheld::UnstableElastogram => {
                [Self::ReasonUnstableElastogram, Self::DoUnstableElastogram]
            }
            Withheld::BoxTooSmall => [Self::ReasonBoxTooSmall, Self::DoBoxTooSmall],
            Withheld::OutOfFocus => [Self::ReasonOutOfFocus, Self::DoOutOfFocus],
            Withheld::PaletteUnknown => [Self::ReasonPaletteUnknown, Self::DoPaletteUnknown],
            Withheld::OutOfDistribution => {
                [Self::ReasonOutOfDistribution, Self::DoOutOfDistribution]
            }
            Withheld::EngineFault => [Self::ReasonEngineFault, Self::DoEngineFault],
            Withheld::Paused => [Self::ReasonPaused, Self::DoPaused],
            Withheld::NotSetUp => [Self::ReasonNotSetUp, Self::DoNotSetUp],
        }
    }

    /// What happened to the picture on its way, in short.
    pub const fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::RedBlueSwapped => Self::FaultRedBlueSwapped,
            Fault::GreyOnly => Self::FaultGreyOnly,
            Fault::RangeClipped => Self::FaultRangeClipped,
            Fault::RangeNarrow => Self::FaultRangeNarrow,
            Fault::Combed => Self::FaultCombed,
            Fault::Enlarged => Self::FaultEnlarged,
            Fault::Squeezed => Self::FaultSqueezed,
            Fault::ChromaHalvedTwice => Self::FaultChromaHalvedTwice,
            Fault::RateLow => Self::FaultRateLow,
            Fault::Dropped => Self::FaultDropped,
            Fault::Repeated => Self::FaultRepeated,
        }
    }
}
