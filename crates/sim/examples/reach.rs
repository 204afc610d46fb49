//! Tells how near the generator comes to each named skin: the nearest of 1,000 draws.
//! `cargo run -p sonofuse-sim --example reach -- [DRAWS]`.

use sonofuse_sim::{Distance, Skin, seeds};

fn main() {
    let draws = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000);
    let drawn: Vec<_> = seeds::DISTANCE.skins(draws);
    let traits: Vec<_> = drawn.iter().filter_map(|s| s.traits().map(|t| (*s, t))).collect();
    println!(
        "| skin | colours, ΔE | palette, ΔE | box share | opacity | nearest | colours alone | unseen |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for skin in Skin::all() {
        let Some(own) = skin.traits() else { continue };
        let apart: Vec<(Skin, Distance)> =
            traits.iter().map(|(s, t)| (*s, own.distance(t))).collect();
        let Some((nearest, d)) = apart.iter().min_by(|a, b| a.1.total().total_cmp(&b.1.total()))
        else {
            continue;
        };
        let colours = apart.iter().map(|(_, d)| d.colours).fold(f32::INFINITY, f32::min);
        let near = apart.iter().filter(|(_, d)| d.total() <= 1.0).count();
        println!(
            "| {skin} | {:.1} | {:.1} | {:.2} | {:.2} | {nearest}: {:.2} | {colours:.1} | {} |",
            d.colours,
            d.palette,
            d.box_share,
            d.opacity,
            d.total(),
            if near == 0 { "yes".to_owned() } else { format!("no, {near} draws near") }
        );
    }
}
