//! Nothing that a file names is opened: playlists, manifests, session descriptions and references,
//! through the real binary, with a server at the address that counts who comes.

#![allow(clippy::unwrap_used)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use command::sonofuse;

/// A server that answers everything with 404 and counts its visitors.
struct Server {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visits);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                answer(stream);
            }
        });
        let server = Self { port, visits };
        // It does count: the test can fail.
        let mut visitor = TcpStream::connect(("127.0.0.1", port)).unwrap();
        visitor.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        visitor.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(server.visits.swap(0, Ordering::SeqCst), 1);
        server
    }
}

fn answer(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1024]);
    let _ = stream.write_all(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], &kind, body].concat()
}

/// A QuickTime movie whose one video track has its pictures at an address.
fn movie_elsewhere(url: &str) -> Vec<u8> {
    let entry = boxed(*b"url ", &[&[0; 4], url.as_bytes(), &[0]].concat());
    let dref = boxed(*b"dref", &[&[0, 0, 0, 0, 0, 0, 0, 1], entry.as_slice()].concat());
    let path = [*b"dinf", *b"minf", *b"mdia", *b"trak", *b"moov"];
    let moov = path.into_iter().fold(dref, |inner, kind| boxed(kind, &inner));
    [boxed(*b"ftyp", b"qt  \0\0\0\0qt  "), moov].concat()
}

/// A QuickTime reference movie.
fn reference_movie(url: &str) -> Vec<u8> {
    let url = [url.as_bytes(), &[0]].concat();
    let body = [&[0; 4], b"url ".as_slice(), &(url.len() as u32).to_be_bytes(), &url].concat();
    boxed(*b"moov", &boxed(*b"rmra", &boxed(*b"rmda", &boxed(*b"rdrf", &body))))
}

/// An MXF header partition with a network locator.
fn mxf(url: &str) -> Vec<u8> {
    let key = |tail: &[u8]| [b"\x06\x0E\x2B\x34".as_slice(), tail].concat();
    let url: Vec<u8> = url.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let text = [&[0x40, 0x01], &(url.len() as u16).to_be_bytes()[..], &url].concat();
    [
        key(&[0x02, 0x05, 0x01, 0x01, 0x0D, 0x01, 0x02, 0x01, 0x01, 0x02, 0x04, 0x00]),
        vec![0x83, 0, 0, 88],
        [&[0, 1, 0, 2, 0, 0, 0, 1], &[0; 80][..]].concat(),
        key(&[0x02, 0x53, 0x01, 0x01, 0x0D, 0x01, 0x01, 0x01, 0x01, 0x01, 0x32, 0x00]),
        [&[0x83, 0, 0][..], &[text.len() as u8]].concat(),
        text,
        vec![0; 4096],
    ]
    .concat()
}

fn files(port: u16, local: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let at = |name: &str| format!("http://127.0.0.1:{port}/{name}");
    let local = local.display();
    let text = |s: String| s.into_bytes();
    let dash = format!(
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" mediaPresentationDuration=\"PT5S\" \
         profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"><Period><AdaptationSet \
         mimeType=\"video/mp4\"><Representation id=\"1\" bandwidth=\"1\" codecs=\"avc1.640028\"><BaseURL>{}\
         </BaseURL></Representation></AdaptationSet></Period></MPD>",
        at("x.mp4")
    );
    let smooth = "<?xml version=\"1.0\"?><SmoothStreamingMedia MajorVersion=\"2\" MinorVersion=\"0\" \
                  Duration=\"50000000\"><StreamIndex Type=\"video\" Chunks=\"1\" \
                  Url=\"Q({bitrate})/F({start time})\"><QualityLevel Index=\"0\" Bitrate=\"1\" \
                  FourCC=\"H264\"/><c d=\"50000000\"/></StreamIndex></SmoothStreamingMedia>";
    let hls = |uri: String| {
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{uri}\n#EXT-X-ENDLIST\n")
    };
    vec![
        ("hls.mp4", text(hls(at("segment0.ts")))),
        ("hls.m3u8", text(hls(at("segment0.ts")))),
        ("hls-of-a-file.mkv", text(hls(format!("file://{local}")))),
        ("plain.m3u", text(format!("#EXTM3U\n{}\n", at("a.mp4")))),
        ("dash.mp4", text(format!("<?xml version=\"1.0\"?>\n{dash}"))),
        // Behind a comment that is longer than what is looked at: only the elements are left to
        // refuse it.
        ("dash-far.mp4", text(format!("<?xml version=\"1.0\"?><!--{}-->{dash}", " ".repeat(5000)))),
        ("smooth.mp4", text(smooth.to_owned())),
        (
            "session.mp4",
            text(format!(
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 a=control:rtsp://127.0.0.1:{port}/\r\nm=video {port} RTP/AVP 96\r\n\
                 a=rtpmap:96 H264/90000\r\n"
            )),
        ),
        ("address.mp4", text(format!("RTSPtextrtsp://127.0.0.1:{port}/live\n"))),
        ("list.txt", text(at("a.mp4"))),
        (
            "asx.wmv",
            text(format!(
                "<ASX version=\"3.0\"><Entry><Ref href=\"{}\"/></Entry></ASX>",
                at("a.wmv")
            )),
        ),
        ("elsewhere.mov", movie_elsewhere(&at("a.mov"))),
        ("reference.mov", reference_movie(&at("a.mov"))),
        ("locator.mxf", mxf(&at("a.mxf"))),
    ]
}

#[test]
fn what_a_file_names_is_never_opened() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("other.mkv");
    let ran = sonofuse([
        "simulate".as_ref(),
        "--seed=3".as_ref(),
        "--size=320x240".as_ref(),
        "--frames=20".as_ref(),
        "--video".as_ref(),
        local.as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for (name, bytes) in files(server.port, &local) {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let ran = sonofuse(["replay".as_ref(), "--json".as_ref(), path.as_os_str()]);
        assert_eq!(ran.code, 65, "{name}: {}", ran.err);
        assert!(ran.err.contains(name), "{name}: {}", ran.err);
        assert_eq!(ran.out, "", "{name}: no picture of another file is scored");
        let location = format!("location={}", path.display());
        let live = sonofuse([
            "run",
            "--preset",
            "replay",
            "--param",
            &location,
            "--json",
            "--seconds",
            "1",
            "--socket",
            "none",
        ]);
        let scored = live.out.lines().any(|line| line.contains("\"outcome\":\"scored\""));
        assert!(!scored, "{name}: {}", live.out);
        assert_eq!(server.visits.load(Ordering::SeqCst), 0, "{name} opened what it names");
    }
}
