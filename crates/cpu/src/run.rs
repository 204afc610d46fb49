//! One run: pictures into padded maps, branches through their layers, features to logits.
//!
//! Owns all memory of a run. Branches are dealt to teams of threads; a team's members share each
//! layer. Allocates only where a size is larger than any before.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    buffer::{Buffer, Shared},
    explain::{self, ClassMap},
    head,
    layer::{First3, Scratch},
    map::{Map, MapShape},
    network::{RunError, TensorView},
    simd::Isa,
    team::{Barrier, Member, Pool},
    weights::{Matrix, Stack, Weights},
};

/// The memory of the runs of one network.
pub(crate) struct Work {
    teams: Vec<Team>,
    features: Vec<Buffer>,
    head: head::Memory,
    /// The thread that shall panic in the next run.
    pub(crate) failing: Option<usize>,
}

/// The memory of a team, which runs one branch at a time.
struct Team {
    barrier: Barrier,
    input: Buffer,
    maps: [Buffer; 2],
    /// A member's each.
    scratch: Vec<Scratch>,
}

/// Is told when a step is done: a branch's packing or one of its layers, or the head. It is called
/// by the thread that ran the step.
pub(crate) type Watch<'a> = Option<&'a (dyn Fn(Option<(usize, Option<usize>)>) + Sync)>;

/// A branch to run.
struct Task<'a> {
    isa: Isa,
    stack: &'a Stack,
    inputs: &'a [TensorView<'a>],
    /// The branch's number.
    index: usize,
    watch: Watch<'a>,
}

impl Stack {
    /// Returns the height and width of the features of a picture.
    pub(crate) fn feature_size(&self, [height, width]: [usize; 2]) -> (usize, usize) {
        let pools = self.layers.iter().filter(|layer| layer.pool).count();
        (height >> pools, width >> pools)
    }

    pub(crate) fn input_shape(&self, view: &TensorView<'_>) -> MapShape {
        let channels = match (&self.first, self.layers.first()) {
            (Some(first), _) => first.inputs,
            (None, Some(layer)) => layer.inputs,
            (None, None) => self.inputs,
        };
        MapShape { height: view.height, width: view.width, channels }
    }

    fn output_shape(&self, view: &TensorView<'_>) -> MapShape {
        self.layers.iter().fold(self.input_shape(view), |shape, layer| layer.output(shape))
    }
}

impl Work {
    pub(crate) fn new(weights: &Weights, threads: usize) -> Work {
        let count = threads.min(weights.branches.len()).max(1);
        let teams = (0..count).map(|team| Team {
            barrier: Barrier::new(),
            input: Buffer::empty(),
            maps: [Buffer::empty(), Buffer::empty()],
            scratch: (team..threads).step_by(count).map(|_| Scratch::default()).collect(),
        });
        Work {
            teams: teams.collect(),
            features: weights.branches.iter().map(|_| Buffer::empty()).collect(),
            head: head::Memory::new(weights),
            failing: None,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let teams = self.teams.iter().map(|team| {
            let scratch: usize = team.scratch.iter().map(Scratch::bytes).sum();
            team.input.bytes() + team.maps.iter().map(Buffer::bytes).sum::<usize>() + scratch
        });
        let features = self.features.iter().map(Buffer::bytes);
        teams.sum::<usize>() + features.sum::<usize>() + self.head.bytes()
    }

    /// Makes room for these pictures.
    fn reserve(&mut self, weights: &Weights, inputs: &[TensorView<'_>]) {
        let teams = self.teams.len();
        for (index, stack) in weights.branches.iter().enumerate() {
            let team = &mut self.teams[index % teams];
            let mut shape = stack.input_shape(&inputs[stack.sources[0]]);
            team.input.reserve(shape.len());
            for (at, layer) in stack.layers.iter().enumerate() {
                let strip = stack.first.as_ref().filter(|_| at == 0);
                let strip = strip.map(|first| First3(first.outputs));
                for scratch in &mut team.scratch {
                    scratch.reserve(layer, shape, strip);
                }
                shape = layer.output(shape);
                let last = at + 1 == stack.layers.len();
                let to = if last { &mut self.features[index] } else { &mut team.maps[at % 2] };
                to.reserve(shape.len());
            }
        }
    }

    /// Runs the network on checked inputs.
    pub(crate) fn run(
        &mut self,
        weights: &Weights,
        pool: &mut Pool,
        inputs: &[TensorView<'_>],
        watch: Watch<'_>,
    ) -> Result<(), RunError> {
        self.reserve(weights, inputs);
        let failing = self.failing.take();
        let overflow = AtomicBool::new(false);
        let (teams, features) = (&self.teams, &self.features);
        pool.run(&|thread| {
            let (team, rank) = (thread % teams.len(), thread / teams.len());
            let memory = &teams[team];
            let member = Member::new(rank, memory.scratch.len(), &memory.barrier);
            member.work(|member| {
                for index in (team..weights.branches.len()).step_by(teams.len()) {
                    let stack = &weights.branches[index];
                    // SAFETY: a branch is run by one team, whose members write different parts; the
                    // features are read when the pool's run is over.
                    let to = unsafe { features[index].share() };
                    let task = Task { isa: weights.isa, stack, inputs, index, watch };
                    assert!(failing != Some(thread), "a self-test asked thread {thread} to fail");
                    // SAFETY: a branch is run by one team, a team's memory is its own, and every
                    // member of the team makes this call.
                    let finite = unsafe { memory.run(&task, member, to) };
                    // A sum of zeros; anything else is NaN.
                    if finite != 0.0 {
                        overflow.store(true, Ordering::Relaxed);
                    }
                }
            });
        });
        if overflow.load(Ordering::Relaxed) {
            return Err(RunError::Overflow);
        }
        let features = features_of(weights, &self.features, inputs);
        let head = self.head.run(weights, pool, &features);
        if let Some(watch) = watch {
            watch(None);
        }
        head
    }

    /// Returns the logits of the last run.
    pub(crate) fn logits(&self) -> &[f32] {
        self.head.logits()
    }

    /// Returns what dense layer `depth`, counted from 1, gave in the last run.
    pub(crate) fn given(&self, weights: &Weights, depth: usize) -> &[f32] {
        self.head.given(weights, depth)
    }
}

/// Returns each branch's features, of the last run.
fn features_of<'a>(
    weights: &'a Weights,
    features: &'a [Buffer],
    inputs: &'a [TensorView<'a>],
) -> impl Iterator<Item = head::Features<'a>> + Clone {
    weights.branches.iter().zip(features).map(|(stack, buffer)| {
        let shape = stack.output_shape(&inputs[stack.sources[0]]);
        head::Features::of_map(buffer.as_slice(), shape, stack.channels)
    })
}

impl Work {
    /// Returns the class activation map of each branch for the inputs of the last run, `of` being
    /// what each logit counts.
    pub(crate) fn explain(
        &self,
        weights: &Weights,
        inputs: &[TensorView<'_>],
        of: &[f32],
    ) -> Vec<ClassMap> {
        let features: Vec<_> = features_of(weights, &self.features, inputs).collect();
        let gradients = self.head.gradients(weights, &features, of);
        let branches = weights.branches.iter().zip(features.iter().zip(&gradients));
        branches.map(|(stack, (map, gradient))| explain::class_map(stack, map, gradient)).collect()
    }
}

impl Team {
    /// Runs a branch as one member of the team; returns zero, or NaN where a number of this
    /// member's part was not finite.
    ///
    /// # Safety
    /// Every member of the team, and nobody else, makes this call; the team's memory and `to` are
    /// reserved for these inputs and used by nobody else meanwhile.
    unsafe fn run(&self, task: &Task<'_>, member: Member<'_>, to: Shared<'_>) -> f32 {
        let Task { isa, stack, inputs, index, watch } = *task;
        let seen = |step: Option<usize>| {
            if let (Some(watch), 0) = (watch, member.rank) {
                watch(Some((index, step)));
            }
        };
        let shape = stack.input_shape(&inputs[stack.sources[0]]);
        // SAFETY: the team's own memory: members write different rows, and read behind the barrier.
        let mut from = Map::new(shape, unsafe { self.input.share() });
        // SAFETY: members write different rows; the frame is the first member's.
        unsafe {
            if member.rank == 0 {
                from.clear_frame();
            }
            for y in member.share(shape.height) {
                pack_row(stack, inputs, y, from);
            }
        }
        member.wait();
        seen(None);
        let mut finite = 0.0;
        for (at, layer) in stack.layers.iter().enumerate() {
            let last = at + 1 == stack.layers.len();
            // SAFETY: the team's own memory: members write different parts, and read behind the
            // barrier below.
            let memory = if last { to } else { unsafe { self.maps[at % 2].share() } };
            let map = Map::new(layer.output(from.shape), memory);
            let first = stack.first.as_ref().filter(|_| at == 0);
            // SAFETY: source and target are different buffers, complete behind the barriers; the
            // scratch is a member's each and reserved.
            finite += unsafe { layer.run(isa, member, (from, first), map, &self.scratch) };
            member.wait();
            seen(Some(at));
            from = map;
        }
        finite
    }
}

/// Writes row `y` of a branch's inputs into its map, one pixel's channels behind the other, through
/// the 1×1 convolution if there is one.
///
/// # Safety
/// The row is this thread's own.
unsafe fn pack_row(stack: &Stack, inputs: &[TensorView<'_>], y: usize, to: Map<'_>) {
    let MapShape { width, channels, .. } = to.shape;
    let at = to.data.at(to.framed(y + 1, 1), width * channels);
    // SAFETY: the pixels of a row, inside the map (`at`), this thread's own.
    let row = unsafe { std::slice::from_raw_parts_mut(at, width * channels) };
    let planes = stack.sources.iter().flat_map(|source| {
        let view = inputs[*source];
        view.data.chunks_exact(view.height * view.width).map(move |plane| &plane[y * view.width..])
    });
    let used = stack.inputs;
    if channels > used {
        row.fill(0.0);
    }
    match &stack.mix {
        // Nearly every picture: one pass instead of three.
        None if channels == 3 && stack.sources.len() == 1 => {
            let view = &inputs[stack.sources[0]];
            let plane = view.height * view.width;
            let at = |plane_at: usize| &view.data[plane_at * plane + y * width..][..width];
            let (red, green, blue) = (at(0), at(1), at(2));
            for (pixel, ((r, g), b)) in row.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue))
            {
                pixel.copy_from_slice(&[*r, *g, *b]);
            }
        }
        None => {
            for (c, plane) in planes.enumerate() {
                for (pixel, x) in row.chunks_exact_mut(channels).zip(plane) {
                    pixel[c] = *x;
                }
            }
        }
        Some(mix) => mix_row(mix, planes, row, channels),
    }
}

/// Adds each plane's part to each pixel: bias, sum, ReLU.
fn mix_row<'a>(
    mix: &Matrix,
    planes: impl Iterator<Item = &'a [f32]>,
    row: &mut [f32],
    channels: usize,
) {
    for pixel in row.chunks_exact_mut(channels) {
        pixel[..mix.outputs].copy_from_slice(mix.bias());
    }
    for (i, plane) in planes.enumerate() {
        for (pixel, x) in row.chunks_exact_mut(channels).zip(plane) {
            for (o, to) in pixel[..mix.outputs].iter_mut().enumerate() {
                *to += x * mix.weights()[o * mix.inputs + i];
            }
        }
    }
    if mix.relu {
        for x in row {
            *x = if *x < 0.0 { 0.0 } else { *x };
        }
    }
}
