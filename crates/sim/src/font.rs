//! A small stroke font for the simulated screens: Latin capitals, lower case, digits, signs, the
//! accents of western European languages, and made-up ideographs for the rest. Pure.
//!
//! A glyph is a list of strokes; a stroke is a run of points, two digits each: x, then y downwards.
//! Capitals stand on y = 0..6, lower case on 2..6, descenders reach 8.

/// Height of a capital in glyph units.
pub(crate) const CAP_UNITS: f32 = 6.0;

/// Strokes of the glyphs that have no accent.
const GLYPHS: &[(char, &str)] = &[
    ('A', "062046 1434"),
    ('B', "000636454433 003041423303"),
    ('C', "4130100105163645"),
    ('D', "00062644422000"),
    ('E', "40000646 0333"),
    ('F', "400006 0333"),
    ('G', "41301001051636454323"),
    ('H', "0006 4046 0343"),
    ('I', "1016 0020 0626"),
    ('J', "3035261605"),
    ('K', "0006 4003 1346"),
    ('L', "000646"),
    ('M', "0600234046"),
    ('N', "06004640"),
    ('O', "100105163645413010"),
    ('P', "06003041423303"),
    ('Q', "100105163645413010 3447"),
    ('R', "06003041423303 2346"),
    ('S', "4130100102133344453616 1605"),
    ('T', "0040 2026"),
    ('U', "000516364540"),
    ('V', "002640"),
    ('W', "0016223640"),
    ('X', "0046 4006"),
    ('Y', "002340 2326"),
    ('Z', "00400646"),
    ('0', "100105163645413010"),
    ('1', "112026"),
    ('2', "01103041420646"),
    ('3', "0110304142334445361605 1333"),
    ('4', "36300444"),
    ('5', "400002324345361605"),
    ('6', "4130100105163645443303"),
    ('7', "004016"),
    ('8', "133342413010010213040516364544 4433"),
    ('9', "0516364541301001021343"),
    ('a', "02223336 3414051636"),
    ('b', "0006 022233352606"),
    ('c', "321203051636"),
    ('d', "3036 32120305163635"),
    ('e', "043433221203051636"),
    ('f', "201116 0222"),
    ('g', "321203051636 32372808"),
    ('h', "0006 02223336"),
    ('i', "0206 0000"),
    ('j', "121708 1010"),
    ('k', "0006 3204 1436"),
    ('l', "0006"),
    ('m', "0602122326 23324346"),
    ('n', "0602223336"),
    ('o', "120305162635332212"),
    ('p', "0208 022233352606"),
    ('q', "3238 321203051636"),
    ('r', "0602 041222"),
    ('s', "32120314243526 2606"),
    ('t', "10152636 0222"),
    ('u', "02051636 3236"),
    ('v', "021632"),
    ('w', "0216233642"),
    ('x', "0236 3206"),
    ('y', "0216 3208"),
    ('z', "02320636"),
    ('.', "0606"),
    (',', "1607"),
    (':', "0303 0606"),
    ('-', "0424"),
    ('_', "0737"),
    ('/', "0630"),
    ('%', "0640 0010110100 3545463635"),
    ('(', "20111526"),
    (')', "00111506"),
    ('[', "20000626"),
    (']', "00202606"),
    ('+', "0434 2326 2224"),
    ('=', "0333 0535"),
    ('<', "320436"),
    ('>', "023406"),
    ('≥', "003204 0636"),
    ('°', "0010110100"),
    ('*', "0234 3204"),
    ('#', "1016 3036 0242 0444"),
    ('|', "0006"),
    ('™', "0020 1013 3330413050"),
    ('µ', "0208 02051636 3236"),
    ('²', "00102003 0323"),
    ('?', "0110304133 2324 2626"),
    ('!', "0004 0606"),
];

/// Marks over a letter.
const ACCENTS: &[(&str, &str, &str)] = &[
    ("äöüÄÖÜï", "aouAOUi", "0000 2020"),
    ("éáíóúÉ", "eaiouE", "1120"),
    ("èàùò", "eauo", "0011"),
    ("êâôî", "eaoi", "011021"),
    ("ñãõ", "nao", "01102120"),
];

/// The unaccented letter and the marks on it.
fn decompose(c: char) -> (char, &'static str) {
    for (accented, plain, marks) in ACCENTS {
        if let Some(i) = accented.chars().position(|a| a == c) {
            return (plain.chars().nth(i).unwrap_or(c), marks);
        }
    }
    match c {
        'ß' => ('B', ""),
        'ç' => ('c', "161807"),
        _ => (c, ""),
    }
}

fn glyph(c: char) -> Option<&'static str> {
    GLYPHS.iter().find(|(g, _)| *g == c).map(|(_, s)| *s)
}

fn digit(b: u8) -> f32 {
    f32::from(b.saturating_sub(b'0'))
}

fn walk(path: &str, mut stroke: impl FnMut([f32; 2], [f32; 2])) {
    for run in path.split(' ') {
        let mut last = None;
        for xy in run.as_bytes().chunks_exact(2) {
            let p = [digit(xy[0]), digit(xy[1])];
            let from = last.unwrap_or(p);
            if last.is_some() || run.len() == 4 {
                stroke(from, p);
            }
            last = Some(p);
        }
    }
}

/// Calls `stroke` with both ends of every stroke of `c`, in glyph units.
pub(crate) fn strokes(c: char, mut stroke: impl FnMut([f32; 2], [f32; 2])) {
    let (base, marks) = decompose(c);
    if let Some(path) = glyph(base) {
        walk(path, &mut stroke);
        walk(marks, &mut stroke);
    } else if !base.is_whitespace() {
        // A made-up ideograph: bars and stems chosen by the character's number.
        let h = (base as u32).wrapping_mul(0x9e37_79b9);
        let bit = |i: u32| h >> i & 1 == 1;
        for i in 0..3u32 {
            let y = (i * 3) as f32;
            if bit(i) || i == 0 {
                stroke([if bit(i + 3) { 0.0 } else { 1.0 }, y], [6.0, y]);
            }
            let x = (i * 3) as f32;
            if bit(i + 6) || i == 1 {
                stroke([x, if bit(i + 9) { -0.5 } else { 3.0 }], [x, 6.5]);
            }
        }
        if bit(20) {
            stroke([3.0, 3.0], [0.0, 6.5]);
            stroke([3.0, 3.0], [6.0, 6.5]);
        }
    }
}

/// Distance from one character to the next, in glyph units.
pub(crate) fn advance(c: char) -> f32 {
    if c == ' ' {
        return 3.0;
    }
    let (base, _) = decompose(c);
    match glyph(base) {
        None => 8.0,
        Some(path) => {
            let widest = path
                .split(' ')
                .flat_map(|run| run.as_bytes().chunks_exact(2))
                .map(|xy| digit(xy[0]))
                .fold(0.0, f32::max);
            widest + 1.9
        }
    }
}

/// Length of `words` in glyph units.
pub(crate) fn width(words: &str) -> f32 {
    words.chars().map(advance).sum()
}
