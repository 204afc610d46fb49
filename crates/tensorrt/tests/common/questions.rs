//! The same questions to the stand-in and to NVIDIA's own library: what each says is compared.
#![allow(clippy::unwrap_used)]

use sonofuse_tensorrt::{Error, Library, OnnxParser, ProfilePoint, Typing};
use std::ffi::CString;

/// What a library says to a list of situations, each a line: the same questions to the stand-in and to
/// NVIDIA's, so that our reading of the headers is compared with their code wherever it runs without a
/// GPU. Words are each one's own; whether it is an error, shapes, counts and settings are not.
pub(crate) fn said(library: Library, model: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |what: &str, said: String| all.push(format!("{what}: {said}"));
    let good = |result: Result<(), Error>| if result.is_ok() { "ok" } else { "error" }.to_owned();
    let parser = OnnxParser::open(library).unwrap();
    let mut builder = library.create_builder().unwrap();
    say("no threads", good(builder.set_max_threads(0)));
    say("DLA cores", builder.dla_cores().to_string());
    let builder = builder;
    let parsed = || {
        let mut network = builder.create_network(Typing::Default).unwrap();
        parser.parse(&mut network, model).unwrap();
        network
    };
    let mut network = builder.create_network(Typing::Default).unwrap();
    say("junk parses", good(parser.parse(&mut network, b"junk")));
    say(
        "nothing parses",
        good(parser.parse(&mut builder.create_network(Typing::Default).unwrap(), b"")),
    );
    let network = parsed();
    for tensor in network.inputs().iter().chain(&network.outputs()) {
        let (name, kind, shape) = (&tensor.name, tensor.data_type, &tensor.shape);
        say("tensor", format!("{name:?} {kind} {shape:?} {}", tensor.is_shape_tensor));
    }
    let config = || builder.create_config().unwrap();
    let empty = builder.create_network(Typing::Default).unwrap();
    say("an empty network builds", good(builder.build(&empty, &mut config()).map(drop)));
    let mut set = config();
    say("profiles before", set.profiles().to_string());
    let profile = builder.create_profile().unwrap();
    say("an empty profile is valid", profile.is_valid().to_string());
    say("an empty profile is added", good(set.add_profile(&profile).map(drop)));
    say("profiles after", set.profiles().to_string());
    let mut profile = builder.create_profile().unwrap();
    say("a shape before", format!("{:?}", profile.get(c"x", ProfilePoint::Opt)));
    say("no rank", good(profile.set(c"r", &[], &[], &[])));
    say("large", good(profile.set(c"x", &[1, 30], &[1, 40], &[1, 50])));
    say("smaller after it", good(profile.set(c"x", &[1, 3], &[1, 4], &[1, 5])));
    say("larger after it", good(profile.set(c"x", &[1, 60], &[1, 70], &[1, 80])));
    say("another rank after it", good(profile.set(c"x", &[1], &[1], &[1])));
    say("a shape after", format!("{:?}", profile.get(c"x", ProfilePoint::Opt)));
    // What a profile alone cannot know is found when it is built.
    let names: Vec<CString> = network.inputs().into_iter().map(|tensor| tensor.name).collect();
    let builds = |what: [&[[i64; 4]; 3]; 2]| {
        let mut profile = builder.create_profile().unwrap();
        for (name, [min, opt, max]) in names.iter().zip(what) {
            profile.set(name, min, opt, max).unwrap();
        }
        let mut set = config();
        set.add_profile(&profile).unwrap();
        good(builder.build(&parsed(), &mut set).map(drop))
    };
    let sides = |batch, channels, sides: [i64; 3]| sides.map(|side| [batch, channels, side, side]);
    let fits = sides(1, 3, [64, 96, 128]);
    say("no profile builds", good(builder.build(&parsed(), &mut config()).map(drop)));
    say("fitting sides build", builds([&fits, &fits]));
    say("other channels build", builds([&fits, &sides(1, 4, [64, 96, 128])]));
    let mut one = builder.create_profile().unwrap();
    one.set(&names[0], &fits[0], &fits[1], &fits[2]).unwrap();
    let mut set = config();
    set.add_profile(&one).unwrap();
    say("one input's profile builds", good(builder.build(&parsed(), &mut set).map(drop)));
    let mut set = config();
    set.add_profile(&one).unwrap();
    set.add_profile(&one).unwrap();
    say("the same profile twice", set.profiles().to_string());
    all
}
