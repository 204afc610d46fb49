//! Writes pictures of a scenario, one every so many seconds, as one PNG:
//! `cargo run -p sonofuse-sim --example scenario_sheet -- OUT.png NAME|FILE [EVERY_S] [COLUMNS] [SCALE_DOWN] [FROM_S]`.

use sonofuse_sim::{Play, Player, Scenario};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let out = args.next().ok_or("name the PNG")?;
    let name = args.next().ok_or("name the scenario")?;
    let mut number = |usual: f64| args.next().map_or(Ok(usual), |a| a.parse::<f64>());
    let every_s = number(1.0)?;
    let (columns, down, from_s) = (number(4.0)? as usize, number(2.0)? as usize, number(0.0)?);
    let scenario = match std::fs::read_to_string(&name) {
        Ok(text) => Scenario::parse_named(&name, &text)?,
        Err(_) => Scenario::named(&name)?,
    };
    let mut player = Player::with(&scenario, Play { rate_hz: Some(20.0), ..Play::default() })?;
    let step = (every_s * 20.0).round().max(1.0) as usize;
    let [cell_w, cell_h] = player.first_size().map(|s| s as usize / down);
    let indices: Vec<u64> =
        ((from_s * 20.0) as u64..player.frames()).step_by(step).take(columns * 8).collect();
    let (width, height) = (cell_w * columns, cell_h * indices.len().div_ceil(columns));
    let mut sheet = vec![0u8; width * height * 3];
    let mut bgrx = Vec::new();
    for (n, index) in indices.iter().enumerate() {
        let picture = player.render(*index, &mut bgrx);
        let [w, h] = picture.size.map(|s| s as usize);
        println!("{}", serde_json::to_string(&picture.truth.support)?);
        for y in 0..cell_h.min(h / down) {
            for x in 0..cell_w.min(w / down) {
                let at = ((n / columns * cell_h + y) * width + n % columns * cell_w + x) * 3;
                for c in 0..3 {
                    let from = |dy: usize, dx: usize| {
                        u32::from(bgrx[((y * down + dy) * w + x * down + dx) * 4 + 2 - c])
                    };
                    let sum: u32 = (0..down * down).map(|i| from(i / down, i % down)).sum();
                    sheet[at + c] = (sum / (down * down) as u32) as u8;
                }
            }
        }
    }
    image::save_buffer(&out, &sheet, width as u32, height as u32, image::ExtendedColorType::Rgb8)?;
    Ok(())
}
