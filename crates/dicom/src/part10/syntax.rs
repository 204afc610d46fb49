//! Transfer syntaxes by UID (PS3.6 A): how each is written, or what to do with one that is not read.
//! Pure.

use super::elements::Encoding;
use crate::StillError;

/// How the pixel data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Samples as they are.
    Native,
    /// Samples as they are, a frame in each fragment.
    Fragmented,
    Rle,
    /// JPEG of any process; its own header tells which.
    Jpeg,
}

/// What is said of a syntax that is not read: the way that works for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    JpegLs,
    Jpeg2000,
    HighThroughput,
    Video,
    Elsewhere,
    Other,
}

impl Refused {
    const fn hint(self) -> &'static str {
        match self {
            Self::JpegLs => {
                "convert it: `dcmdjpls in.dcm out.dcm` or `gdcmconv --raw in.dcm out.dcm`"
            }
            Self::Jpeg2000 => "convert it: `gdcmconv --raw in.dcm out.dcm`",
            Self::HighThroughput => {
                "export it again, uncompressed (Explicit VR Little Endian) or as JPEG Baseline"
            }
            Self::Video => {
                "take the video out and replay that: `gdcmraw -i in.dcm -o clip.mp4`, then \
                 `sonofuse replay clip.mp4`"
            }
            Self::Elsewhere => {
                "its pixels are not in the file but at an address, which is not opened: export it \
                 with its pixels"
            }
            Self::Other => "export it again, uncompressed (Explicit VR Little Endian)",
        }
    }
}

/// A transfer syntax.
#[derive(Debug)]
pub(super) struct Syntax {
    pub uid: &'static str,
    pub name: &'static str,
    pub encoding: Encoding,
    /// The data set behind the file meta group is deflated.
    pub deflated: bool,
    how: Result<Coding, Refused>,
}

impl Syntax {
    /// How its pixel data is written.
    ///
    /// # Errors
    /// [`StillError::Unsupported`], which names the syntax and what to do.
    pub(super) fn coding(&self) -> Result<Coding, StillError> {
        self.how.map_err(|refused| {
            StillError::Unsupported(format!(
                "is a DICOM file in transfer syntax {} ({}), which is not read: {}",
                self.uid,
                self.name,
                refused.hint()
            ))
        })
    }
}

const LITTLE: Encoding = Encoding { implicit: false, big: false };
const IMPLICIT: Encoding = Encoding { implicit: true, big: false };
const BIG: Encoding = Encoding { implicit: false, big: true };

const fn read(uid: &'static str, name: &'static str, encoding: Encoding, coding: Coding) -> Syntax {
    Syntax { uid, name, encoding, deflated: false, how: Ok(coding) }
}

const fn refused(uid: &'static str, name: &'static str, why: Refused) -> Syntax {
    Syntax { uid, name, encoding: LITTLE, deflated: false, how: Err(why) }
}

static SYNTAXES: [Syntax; 41] = [
    read("1.2.840.10008.1.2", "Implicit VR Little Endian", IMPLICIT, Coding::Native),
    read("1.2.840.10008.1.2.1", "Explicit VR Little Endian", LITTLE, Coding::Native),
    read(
        "1.2.840.10008.1.2.1.98",
        "Encapsulated Uncompressed Explicit VR Little Endian",
        LITTLE,
        Coding::Fragmented,
    ),
    Syntax {
        uid: "1.2.840.10008.1.2.1.99",
        name: "Deflated Explicit VR Little Endian",
        encoding: LITTLE,
        deflated: true,
        how: Ok(Coding::Native),
    },
    read("1.2.840.10008.1.2.2", "Explicit VR Big Endian", BIG, Coding::Native),
    read("1.2.840.10008.1.2.5", "RLE Lossless", LITTLE, Coding::Rle),
    read("1.2.840.10008.1.2.4.50", "JPEG Baseline", LITTLE, Coding::Jpeg),
    read("1.2.840.10008.1.2.4.51", "JPEG Extended", LITTLE, Coding::Jpeg),
    read("1.2.840.10008.1.2.4.53", "JPEG Spectral Selection", LITTLE, Coding::Jpeg),
    read("1.2.840.10008.1.2.4.55", "JPEG Full Progression", LITTLE, Coding::Jpeg),
    read("1.2.840.10008.1.2.4.57", "JPEG Lossless", LITTLE, Coding::Jpeg),
    read("1.2.840.10008.1.2.4.70", "JPEG Lossless, First-Order Prediction", LITTLE, Coding::Jpeg),
    refused("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", Refused::JpegLs),
    refused("1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless", Refused::JpegLs),
    refused("1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless", Refused::Jpeg2000),
    refused("1.2.840.10008.1.2.4.91", "JPEG 2000", Refused::Jpeg2000),
    refused("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Lossless", Refused::Jpeg2000),
    refused("1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2", Refused::Jpeg2000),
    refused("1.2.840.10008.1.2.4.94", "JPIP Referenced", Refused::Elsewhere),
    refused("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", Refused::Elsewhere),
    refused("1.2.840.10008.1.2.4.100", "MPEG-2 Main Profile, Main Level", Refused::Video),
    refused("1.2.840.10008.1.2.4.100.1", "MPEG-2 Main Profile, fragmentable", Refused::Video),
    refused("1.2.840.10008.1.2.4.101", "MPEG-2 Main Profile, High Level", Refused::Video),
    refused("1.2.840.10008.1.2.4.101.1", "MPEG-2 High Level, fragmentable", Refused::Video),
    refused("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile", Refused::Video),
    refused("1.2.840.10008.1.2.4.102.1", "MPEG-4 AVC/H.264, fragmentable", Refused::Video),
    refused("1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible", Refused::Video),
    refused("1.2.840.10008.1.2.4.103.1", "MPEG-4 AVC/H.264 BD, fragmentable", Refused::Video),
    refused("1.2.840.10008.1.2.4.104", "MPEG-4 AVC/H.264 for 2D Video", Refused::Video),
    refused("1.2.840.10008.1.2.4.105", "MPEG-4 AVC/H.264 for 3D Video", Refused::Video),
    refused("1.2.840.10008.1.2.4.106", "MPEG-4 AVC/H.264 Stereo", Refused::Video),
    refused("1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile", Refused::Video),
    refused("1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile", Refused::Video),
    refused("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", Refused::Other),
    refused("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", Refused::Other),
    refused("1.2.840.10008.1.2.4.112", "JPEG XL", Refused::Other),
    refused(
        "1.2.840.10008.1.2.4.201",
        "High-Throughput JPEG 2000 Lossless",
        Refused::HighThroughput,
    ),
    refused(
        "1.2.840.10008.1.2.4.202",
        "High-Throughput JPEG 2000 RPCL Lossless",
        Refused::HighThroughput,
    ),
    refused("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", Refused::HighThroughput),
    refused("1.2.840.10008.1.2.6.2", "XML Encoding", Refused::Other),
    // Implicit VR little endian with big-endian pixels: which of them, no two readers agree.
    refused("1.2.840.113619.5.2", "GE private, big-endian pixel data", Refused::Other),
];

/// Finds a transfer syntax; `None` for one that is not in the list.
pub(super) fn find(uid: &str) -> Option<&'static Syntax> {
    SYNTAXES.iter().find(|s| s.uid == uid)
}

/// The syntax that a data set without a name for it is written in, by its first element.
pub(super) fn guessed(explicit: bool) -> &'static Syntax {
    &SYNTAXES[usize::from(explicit)]
}

/// What is said of a UID that is not in the list.
pub(super) fn unknown(uid: &str) -> StillError {
    let uid: String = uid.chars().filter(char::is_ascii_graphic).take(64).collect();
    StillError::Unsupported(format!(
        "is a DICOM file in transfer syntax {uid} (unknown), which is not read: {}",
        Refused::Other.hint()
    ))
}
