//! A convolution layer: its packed weights and how a team of threads runs it.
//!
//! Owns the choice of the Winograd form, of the block of tiles and of how the work is shared; see
//! `docs/design/winograd.md`. Runs on the threads of the pool, allocates nothing.
#![allow(unsafe_code)]

mod strip;

use std::ops::Range;

use crate::{
    buffer::{Buffer, Shared},
    map::{Map, MapShape},
    simd::{HALF, Isa, PANEL},
    team::Member,
    winograd::{self, Block, Form, multiply::Multiply, weights::FILTERS},
};
pub(crate) use strip::{First, First3};
use strip::{Strip, strip_shape};

/// Layers of at most this many channel pairs keep their weights transformed: they see many tiles,
/// and weigh little.
const KEPT_PAIRS: usize = 128 * 128;
/// Panels multiplied together.
const PANELS: usize = 2;
/// Numbers of transformed inputs that a block should take where the weights are kept: with the
/// products and a panel of weights that stays in the second cache.
const BLOCK_NUMBERS: usize = 96 * 1024;
/// The same where the weights are transformed anew for each block: few blocks, in the third cache.
const FRESH_NUMBERS: usize = 900 * 1024;

/// The weights of one 3×3 convolution with ReLU, and 2×2 max pooling where `pool` says so.
pub(crate) struct Layer {
    /// Channels, padded to panels.
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Input channels without the padding.
    taken: usize,
    /// Whether half of the last panel is padding.
    half: bool,
    /// [panel][input channel][9][16].
    filters: Buffer,
    /// [panel][slice][point][depth][16], of the small layers.
    kept: Buffer,
    bias: Buffer,
    pub(crate) pool: bool,
}

/// One thread's memory for a layer.
#[derive(Default)]
pub(crate) struct Scratch {
    inputs: Buffer,
    products: Buffer,
    weights: Buffer,
    strip: Buffer,
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer::empty()
    }
}

impl Scratch {
    /// Makes room for a layer at a size. `strip` is the shape of the first convolution's output.
    pub(crate) fn reserve(&mut self, layer: &Layer, from: MapShape, strip: Option<First3>) {
        let tiling = layer.tiling(from, strip.is_some());
        let block = layer.block(&tiling, tiling.most);
        self.inputs.reserve(block.input_len());
        self.products.reserve(PANELS * block.product_len());
        if layer.kept.bytes() == 0 {
            self.weights.reserve(PANELS * block.weight_len());
        }
        if let Some(First3(channels)) = strip {
            self.strip.reserve(strip_shape(from.width, channels).len());
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        [&self.inputs, &self.products, &self.weights, &self.strip].map(Buffer::bytes).iter().sum()
    }
}

/// How a map is cut into blocks of tiles.
struct Tiling {
    form: Form,
    across: usize,
    down: usize,
    /// Tiles in a block at most.
    most: usize,
}

/// Tells whether half of the last panel of so many channels is padding.
fn ends_in_half(channels: usize) -> bool {
    (1..=HALF).contains(&(channels % PANEL))
}

/// Packs filters [output][input][3][3] by panels; `place` says where in a panel's part the numbers
/// of (input, tap) go.
fn pack(
    weights: impl Fn(usize) -> f32,
    (outputs, inputs): (usize, usize),
    panel_len: usize,
    place: impl Fn(usize, usize) -> usize,
) -> Buffer {
    let mut filters = Buffer::zeroed(outputs.div_ceil(PANEL) * panel_len);
    let to = filters.as_mut_slice();
    for o in 0..outputs {
        let panel = &mut to[o / PANEL * panel_len..][..panel_len];
        for i in 0..inputs {
            for tap in 0..9 {
                panel[place(i, tap) * PANEL + o % PANEL] = weights((o * inputs + i) * 9 + tap);
            }
        }
    }
    filters
}

fn pack_bias(bias: impl Fn(usize) -> f32, outputs: usize) -> Buffer {
    let mut packed = Buffer::zeroed(outputs.next_multiple_of(PANEL));
    for (o, to) in packed.as_mut_slice()[..outputs].iter_mut().enumerate() {
        *to = bias(o);
    }
    packed
}

impl Layer {
    /// Packs a layer; `weights` and `bias` read the model's numbers by index.
    pub(crate) fn new(
        isa: Isa,
        inputs: usize,
        outputs: usize,
        weights: impl Fn(usize) -> f32,
        bias: impl Fn(usize) -> f32,
        pool: bool,
    ) -> Layer {
        let padded = inputs.next_multiple_of(PANEL);
        let filters = pack(weights, (outputs, inputs), padded * FILTERS, |i, tap| i * 9 + tap);
        let bias = pack_bias(bias, outputs);
        let (half, kept) = (ends_in_half(outputs), Buffer::empty());
        let outputs = outputs.next_multiple_of(PANEL);
        let taken = inputs;
        let mut layer = Layer { inputs: padded, outputs, taken, half, filters, kept, bias, pool };
        if layer.inputs * layer.outputs <= KEPT_PAIRS {
            layer.keep(isa);
        }
        layer
    }

    /// Transforms the weights once and for all, and lets go of the filters.
    fn keep(&mut self, isa: Isa) {
        let block = Block::new(Form::F4, 1, self.taken);
        let (panels, slices) = (self.outputs / PANEL, block.slices());
        let kept = Buffer::zeroed(panels * slices * block.weight_len());
        for panel in 0..panels {
            for slice in 0..slices {
                let at = (panel * slices + slice) * block.weight_len();
                // SAFETY: one thread, and no slice of the buffer is held.
                let to = unsafe { kept.share() }.part(at, block.weight_len());
                self.transform(isa, block, panel, slice, to);
            }
        }
        self.kept = kept;
        self.filters = Buffer::empty();
    }

    fn transform(&self, isa: Isa, block: Block, panel: usize, slice: usize, to: Shared<'_>) {
        let at = (panel * self.inputs + slice * block.depth) * FILTERS;
        let filters = &self.filters.as_slice()[at..][..block.slice_depth(slice) * FILTERS];
        let (form, depth) = (block.form, block.depth);
        isa.run(winograd::weights::Transform { form, depth, filters, to });
    }

    pub(crate) fn bytes(&self) -> usize {
        self.filters.bytes() + self.kept.bytes() + self.bias.bytes()
    }

    /// Returns the shape of the output.
    pub(crate) fn output(&self, from: MapShape) -> MapShape {
        let full = MapShape { channels: self.outputs, ..from };
        if self.pool { full.pooled() } else { full }
    }

    fn block(&self, tiling: &Tiling, tiles: usize) -> Block {
        Block::new(tiling.form, tiles, self.taken)
    }

    /// Chooses the form and the blocks for a size.
    fn tiling(&self, from: MapShape, strip: bool) -> Tiling {
        let kept = self.kept.bytes() > 0;
        // Kept weights were transformed for F(4×4), and a strip holds the rows of its tiles.
        let form = if kept || strip { Form::F4 } else { cheapest(from) };
        let (across, down) = (from.width.div_ceil(form.out()), from.height.div_ceil(form.out()));
        let numbers = if kept { BLOCK_NUMBERS } else { FRESH_NUMBERS };
        let room = (numbers / (form.points() * self.inputs)).max(6);
        // A strip holds one row of tiles.
        let all = if strip { across } else { across * down };
        let blocks = all.div_ceil(room);
        Tiling { form, across, down, most: all.div_ceil(blocks) }
    }

    /// Runs the layer as one member of a team, every member calling it with the same arguments.
    /// Returns zero, or NaN where a number of this member's part was not finite.
    ///
    /// # Safety
    /// Only the members of this team use `to` and the scratch meanwhile, none writes `from`, and
    /// each has its own `scratch[rank]`, reserved for this layer and size by [`Scratch::reserve`].
    pub(crate) unsafe fn run(
        &self,
        isa: Isa,
        member: Member<'_>,
        (from, first): (Map<'_>, Option<&First>),
        to: Map<'_>,
        scratch: &[Scratch],
    ) -> f32 {
        let tiling = self.tiling(from.shape, first.is_some());
        if member.rank == 0 {
            // SAFETY: the members write the picture only.
            unsafe { to.clear_frame() };
        }
        let own = &scratch[member.rank];
        let mut finite = 0.0;
        if let Some(first) = first {
            // SAFETY: the scratch is this member's own.
            let mut strip = unsafe { Strip::new(first, from, &own.strip) };
            for row in member.share(tiling.down) {
                finite += strip.advance(isa, row);
                for tile in (0..tiling.across).step_by(tiling.most) {
                    let tiles = tiling.most.min(tiling.across - tile);
                    let at = row * tiling.across + tile;
                    let work = Work { tiling: &tiling, from: strip.map(row), to, at };
                    let block = self.block(&tiling, tiles);
                    // SAFETY: scratch is this member's own, and so are these tiles.
                    finite += unsafe { self.alone(isa, &work, block, own) };
                }
            }
        } else {
            let all = tiling.across * tiling.down;
            let blocks = all.div_ceil(tiling.most);
            // Few blocks: all members work on each, else each takes some.
            let together = member.size > 1 && blocks < 4 * member.size;
            let mine = if together { 0..blocks } else { member.share(blocks) };
            for block in mine {
                let at = block * tiling.most;
                let work = Work { tiling: &tiling, from, to, at };
                let block = self.block(&tiling, tiling.most.min(all - at));
                // SAFETY: as above; together, the members meet at the barrier between writing the
                // transformed inputs and reading them.
                finite += unsafe {
                    if together {
                        self.together(isa, &work, block, member, scratch)
                    } else {
                        self.alone(isa, &work, block, own)
                    }
                };
            }
        }
        finite
    }

    /// # Safety
    /// The scratch and the block's tiles are this thread's own.
    unsafe fn alone(&self, isa: Isa, work: &Work<'_>, block: Block, own: &Scratch) -> f32 {
        // SAFETY: this thread's own (the caller's promise), written before it is read.
        let inputs = unsafe { own.inputs.share() };
        work.inputs(isa, block, 0..block.tiles, inputs);
        // SAFETY: this thread wrote the inputs; the rest is the caller's promise.
        unsafe { self.panels(isa, work, block, 0..self.outputs / PANEL, (inputs, own)) }
    }

    /// # Safety
    /// Every member calls this; each has its own scratch.
    unsafe fn together(
        &self,
        isa: Isa,
        work: &Work<'_>,
        block: Block,
        member: Member<'_>,
        scratch: &[Scratch],
    ) -> f32 {
        // SAFETY: members write different tiles, and read behind the barrier; the next block is
        // written behind the one at the end.
        let inputs = unsafe { scratch[0].inputs.share() };
        work.inputs(isa, block, member.share(block.tiles), inputs);
        member.wait();
        let panels = member.share(self.outputs / PANEL);
        // SAFETY: the inputs are complete behind the barrier, and not written before the next one;
        // members have different panels.
        let finite =
            unsafe { self.panels(isa, work, block, panels, (inputs, &scratch[member.rank])) };
        member.wait();
        finite
    }

    /// Multiplies and transforms back some panels of a block.
    ///
    /// # Safety
    /// The products and weights of the scratch and these panels of the block's pixels are this
    /// thread's own; nobody writes the inputs.
    unsafe fn panels(
        &self,
        isa: Isa,
        work: &Work<'_>,
        block: Block,
        panels: Range<usize>,
        (inputs, own): (Shared<'_>, &Scratch),
    ) -> f32 {
        let (slices, weight_len) = (block.slices(), block.weight_len());
        // SAFETY: this thread's own, by the caller's promise.
        let products = unsafe { own.products.share() };
        let mut finite = 0.0;
        // The panel that is half padding is multiplied by itself.
        let whole = self.outputs / PANEL - usize::from(self.half);
        let mut panel = panels.start;
        while panel < panels.end {
            let half = panel >= whole;
            let group = if half { 1 } else { PANELS.min(panels.end.min(whole) - panel) };
            for slice in 0..slices {
                let (weights, weight_step) = if self.kept.bytes() > 0 {
                    let at = (panel * slices + slice) * weight_len;
                    (&self.kept.as_slice()[at..], slices * weight_len)
                } else {
                    // SAFETY: this thread's own, by the caller's promise.
                    let fresh = unsafe { own.weights.share() };
                    for p in 0..group {
                        let to = fresh.part(p * weight_len, weight_len);
                        self.transform(isa, block, panel + p, slice, to);
                    }
                    // SAFETY: written above by this thread, and not while this slice is multiplied.
                    (unsafe { fresh.read() }, weight_len)
                };
                isa.run(Multiply {
                    block,
                    slice,
                    inputs,
                    weights,
                    weight_step,
                    panels: group,
                    half,
                    products,
                });
            }
            for p in 0..group {
                let len = block.product_len();
                finite += isa.run(winograd::output::Transform {
                    block,
                    products: products.part(p * len, len),
                    across: work.tiling.across,
                    first: work.at,
                    bias: &self.bias.as_slice()[(panel + p) * PANEL..][..PANEL],
                    panel: panel + p,
                    pool: self.pool,
                    to: work.to,
                });
            }
            panel += group;
        }
        finite
    }
}

/// A block of tiles of a layer's input and output.
struct Work<'a> {
    tiling: &'a Tiling,
    from: Map<'a>,
    to: Map<'a>,
    /// The block's first tile.
    at: usize,
}

impl Work<'_> {
    fn inputs(&self, isa: Isa, block: Block, tiles: Range<usize>, to: Shared<'_>) {
        let (from, across, first) = (self.from, self.tiling.across, self.at);
        isa.run(winograd::input::Transform { block, from, across, first, tiles, to });
    }
}

/// Chooses the form that takes less time where the weights are transformed for each frame.
///
/// A tile's products take one step of the micro-kernel a point; transforming a pair of filters takes
/// `FILTER_F2` or `FILTER_F4` such steps (measured on Zen 3, from the second cache).
fn cheapest(from: MapShape) -> Form {
    const FILTER_F2: usize = 75;
    const FILTER_F4: usize = 140;
    let tiles = |side: usize| from.width.div_ceil(side) * from.height.div_ceil(side);
    let (f2, f4) = (16 * tiles(2) + FILTER_F2, 36 * tiles(4) + FILTER_F4);
    if f2 < f4 { Form::F2 } else { Form::F4 }
}
