//! Writes a PNG of every skin: `cargo run -p sonofuse-sim --example gallery -- DIR [SEED] [INDEX] [WxH] [SKIN]`; SKIN
//! `drawn` gives the drawn skins 0 to 23.

use std::path::PathBuf;

use sonofuse_sim::{SimConfig, Simulator, Skin};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().unwrap_or_else(|| "sim-look".to_owned()));
    let seed = args.next().map_or(Ok(1), |s| s.parse())?;
    let index = args.next().map_or(Ok(300), |s| s.parse())?;
    let size = args.next().filter(|s| s != "native");
    let only = args.next();
    std::fs::create_dir_all(&dir)?;
    let drawn = only.as_deref() == Some("drawn");
    let skins: Vec<Skin> =
        if drawn { (0..24).map(Skin::Drawn).collect() } else { Skin::all().to_vec() };
    for skin in skins {
        if only.as_ref().is_some_and(|name| !skin.to_string().contains(name.as_str())) {
            continue;
        }
        let (width, height) = match &size {
            Some(s) => {
                let (w, h) = s.split_once('x').ok_or("give the size as WxH")?;
                (w.parse()?, h.parse()?)
            }
            None => skin.native_size(),
        };
        let mut simulator =
            Simulator::new(SimConfig { seed, skin, width, height, ..SimConfig::default() })?;
        let mut bgrx = vec![0; (width * height * 4) as usize];
        let truth = simulator.render(index, &mut bgrx, width as usize * 4);
        let rgb: Vec<u8> = bgrx.chunks_exact(4).flat_map(|p| [p[2], p[1], p[0]]).collect();
        let path = dir.join(format!("{skin}.png").replace(':', "-"));
        image::save_buffer(&path, &rgb, width, height, image::ExtendedColorType::Rgb8)?;
        println!("{}", serde_json::to_string(&truth)?);
    }
    Ok(())
}
