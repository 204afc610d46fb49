//! Small networks of the family for the tests: each writes itself as ONNX, and computes itself in
//! `f64` by the definition of each layer.
#![allow(dead_code)]

#[path = "model/exact.rs"]
mod exact;
#[path = "model/file.rs"]
mod file;

use exact::{Exact, Plane};
use file::{File, int, string, value_info};
// Not every test that takes this file in writes files of its own.
#[allow(unused_imports)]
pub(crate) use file::{message, varint, varint_field};

/// A network with weights that follow from `seed`.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Channels of each input.
    pub(crate) inputs: Vec<usize>,
    pub(crate) branches: Vec<Stack>,
    pub(crate) head: Head,
    /// Outputs of the hidden dense layers.
    pub(crate) hidden: Vec<usize>,
    /// Logits. More than two, so that a relative error is not one of a small difference.
    pub(crate) classes: usize,
    pub(crate) softmax: bool,
    /// Whether the weights are stored as 16-bit floats.
    pub(crate) half: bool,
    pub(crate) seed: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) sources: Vec<usize>,
    /// Outputs of a 1×1 convolution in front.
    pub(crate) mix: Option<usize>,
    /// Outputs of each convolution, and whether pooling follows.
    pub(crate) convs: Vec<(usize, bool)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Head {
    /// Flattened features of so many pixels.
    Fc(usize),
    /// Spatial pyramid pooling of the concatenated features.
    Spp(Vec<usize>),
    /// A pyramid a branch, concatenated.
    SppEach(Vec<usize>),
    /// The mean, then dense layers.
    Gap,
    /// A 1×1 convolution to two classes (with a `ReLU`?), then the mean.
    ConvGap(bool),
    /// The mean, then a 1×1 convolution to two classes.
    GapConv,
}

/// Numbers in -1..1 by a linear congruential generator.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / 8_388_608.0) - 1.0
    }

    pub(crate) fn take(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| self.next() * scale).collect()
    }
}

pub(crate) fn vgg16(width: usize, last_pool: bool) -> Vec<(usize, bool)> {
    let stages: [(usize, usize); 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];
    let mut convs = Vec::new();
    for (stage, (count, channels)) in stages.into_iter().enumerate() {
        for at in 0..count {
            let pool = at + 1 == count && (stage < 4 || last_pool);
            convs.push(((channels / width).max(1), pool));
        }
    }
    convs
}

impl Model {
    /// The product's network: two stacks, a pyramid, dense layers.
    #[expect(clippy::needless_pass_by_value, reason = "a test hands over what it made")]
    pub(crate) fn dual(
        convs: Vec<(usize, bool)>,
        head: Head,
        hidden: Vec<usize>,
        seed: u64,
    ) -> Model {
        let stack = |source| Stack { sources: vec![source], mix: None, convs: convs.clone() };
        Model {
            inputs: vec![3, 3],
            branches: vec![stack(0), stack(1)],
            head,
            hidden,
            classes: 16,
            softmax: true,
            half: false,
            seed,
        }
    }

    /// One stack of one input: a single source, or mixed training.
    pub(crate) fn single(
        convs: Vec<(usize, bool)>,
        head: Head,
        hidden: Vec<usize>,
        seed: u64,
    ) -> Model {
        let stack = Stack { sources: vec![0], mix: None, convs };
        let (inputs, branches) = (vec![3], vec![stack]);
        Model { inputs, branches, head, hidden, classes: 16, softmax: false, half: false, seed }
    }

    /// Fusion before the features: six channels mixed to three.
    pub(crate) fn fused(
        convs: Vec<(usize, bool)>,
        head: Head,
        hidden: Vec<usize>,
        seed: u64,
    ) -> Model {
        let stack = Stack { sources: vec![0, 1], mix: Some(3), convs };
        let (inputs, branches) = (vec![3, 3], vec![stack]);
        Model { inputs, branches, head, hidden, classes: 16, softmax: true, half: false, seed }
    }

    pub(crate) fn pictures(&self, height: usize, width: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut numbers = Numbers(seed ^ 0x5eed);
        self.inputs.iter().map(|c| numbers.take(c * height * width, 2.0)).collect()
    }

    /// Calls `make` with each layer, in order, on one walk that the writer and the reference share.
    fn walk<W: Walk>(&self, walk: &mut W) -> W::Value {
        let mut numbers = Numbers(self.seed);
        let mut weights = |count: usize, fan_in: usize| {
            let scale = (6.0 / fan_in as f32).sqrt();
            let mut all = numbers.take(count, scale);
            if self.half {
                for x in &mut all {
                    *x = from_half(to_half(*x));
                }
            }
            all
        };
        let mut ends = Vec::new();
        let mut channels = 0;
        for stack in &self.branches {
            let sources = stack.sources.iter().map(|at| walk.input(*at)).collect();
            let mut x = walk.concat(sources);
            let mut c: usize = stack.sources.iter().map(|at| self.inputs[*at]).sum();
            if let Some(out) = stack.mix {
                let (w, b) = (weights(out * c, c), weights(out, 4));
                x = walk.conv(x, [out, c, 1], w, b);
                c = out;
            }
            for (out, pool) in &stack.convs {
                let (w, b) = (weights(out * c * 9, c * 9), weights(*out, 100));
                let y = walk.conv(x, [*out, c, 3], w, b);
                x = walk.relu(y);
                if *pool {
                    x = walk.pool(x);
                }
                c = *out;
            }
            channels += c;
            ends.push((x, c));
        }
        let classes = self.classes;
        let last = |weights: &mut dyn FnMut(usize, usize) -> Vec<f32>, c: usize| {
            ([classes, c], weights(classes * c, c), weights(classes, 10))
        };
        let each = matches!(self.head, Head::SppEach(_));
        let (mut vector, mut len) = if let (Head::SppEach(levels), true) = (&self.head, each) {
            let (mut parts, mut len) = (Vec::new(), 0);
            for (end, c) in ends {
                for level in levels {
                    parts.push(walk.bins(end.clone(), *level));
                    len += c * level * level;
                }
            }
            (walk.join(parts), len)
        } else {
            let x = walk.concat(ends.into_iter().map(|(end, _)| end).collect());
            match &self.head {
                Head::Fc(pixels) => (walk.flatten(x), channels * pixels),
                Head::Spp(levels) => {
                    let parts = levels.iter().map(|level| walk.bins(x.clone(), *level)).collect();
                    let bins: usize = levels.iter().map(|level| level * level).sum();
                    (walk.join(parts), channels * bins)
                }
                Head::Gap | Head::SppEach(_) => {
                    let mean = walk.mean(x);
                    (walk.flatten(mean), channels)
                }
                Head::ConvGap(relu) => {
                    let ([out, c], w, b) = last(&mut weights, channels);
                    let mut y = walk.conv(x, [out, c, 1], w, b);
                    if *relu {
                        y = walk.relu(y);
                    }
                    let mean = walk.mean(y);
                    (walk.flatten(mean), classes)
                }
                Head::GapConv => {
                    let mean = walk.mean(x);
                    let ([out, c], w, b) = last(&mut weights, channels);
                    let y = walk.conv(mean, [out, c, 1], w, b);
                    (walk.flatten(y), classes)
                }
            }
        };
        if !matches!(self.head, Head::ConvGap(_) | Head::GapConv) {
            for hidden in &self.hidden {
                let (w, b) = (weights(hidden * len, len), weights(*hidden, 100));
                let y = walk.dense(vector, [*hidden, len], w, b);
                vector = walk.relu(y);
                len = *hidden;
            }
            let (shape, w, b) = last(&mut weights, len);
            vector = walk.dense(vector, shape, w, b);
        }
        vector
    }

    /// Writes the network as the project's own writer does: opset 17, IR 8.
    pub(crate) fn onnx(&self) -> Vec<u8> {
        self.onnx_with(&[])
    }

    /// The same with further outputs: values of the graph, by their names.
    pub(crate) fn onnx_with(&self, further: &[&str]) -> Vec<u8> {
        let mut file = File { half: self.half, ..File::default() };
        let logits = self.walk(&mut file);
        if self.softmax {
            file.node("Softmax", &[&logits], &[int("axis", 1)], "y");
        } else {
            file.node("Identity", &[&logits], &[], "y");
        }
        let kind = if self.half { 10 } else { 1 };
        for (at, channels) in self.inputs.iter().enumerate() {
            let dims = ["n".into(), channels.to_string(), format!("h{at}"), format!("w{at}")];
            message(&mut file.graph, 11, &value_info(&format!("x{at}"), kind, &dims));
        }
        message(
            &mut file.graph,
            12,
            &value_info("y", kind, &["n".into(), self.classes.to_string()]),
        );
        for name in further {
            let dims = ["n".into(), "m".to_owned()];
            message(&mut file.graph, 12, &value_info(name, kind, &dims));
        }
        string(&mut file.graph, 2, "test");
        let mut model = Vec::new();
        varint_field(&mut model, 1, 8);
        message(&mut model, 7, &file.graph);
        let mut opset = Vec::new();
        string(&mut opset, 1, "");
        varint_field(&mut opset, 2, 17);
        message(&mut model, 8, &opset);
        model
    }

    /// Computes the logits in `f64`.
    pub(crate) fn logits(&self, pictures: &[Vec<f32>], height: usize, width: usize) -> Vec<f64> {
        let pictures = pictures.iter().map(|picture| Plane {
            channels: picture.len() / (height * width),
            height,
            width,
            data: picture.iter().map(|x| f64::from(*x)).collect(),
        });
        self.walk(&mut Exact { pictures: pictures.collect() }).data
    }
}

/// What is done with each layer.
trait Walk {
    type Value: Clone;
    fn input(&mut self, at: usize) -> Self::Value;
    fn concat(&mut self, maps: Vec<Self::Value>) -> Self::Value;
    fn conv(&mut self, x: Self::Value, shape: [usize; 3], w: Vec<f32>, b: Vec<f32>) -> Self::Value;
    fn relu(&mut self, x: Self::Value) -> Self::Value;
    fn pool(&mut self, x: Self::Value) -> Self::Value;
    fn bins(&mut self, x: Self::Value, level: usize) -> Self::Value;
    fn mean(&mut self, x: Self::Value) -> Self::Value;
    fn flatten(&mut self, x: Self::Value) -> Self::Value;
    fn join(&mut self, parts: Vec<Self::Value>) -> Self::Value;
    fn dense(&mut self, x: Self::Value, shape: [usize; 2], w: Vec<f32>, b: Vec<f32>)
    -> Self::Value;
}

/// Rounds to a half by cutting the fraction; the small weights of the tests stay normal.
pub(crate) fn to_half(x: f32) -> u16 {
    let bits = x.to_bits();
    let exponent = (bits >> 23 & 0xff) as i32 - 112;
    let sign = (bits >> 16 & 0x8000) as u16;
    if exponent <= 0 { sign } else { sign | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16 }
}

pub(crate) fn from_half(bits: u16) -> f32 {
    let (exponent, sign) = (u32::from(bits >> 10 & 31), u32::from(bits >> 15) << 31);
    if exponent == 0 {
        return f32::from_bits(sign);
    }
    f32::from_bits(sign | (exponent + 112) << 23 | u32::from(bits & 0x3ff) << 13)
}

/// Returns the relative error of `found` in the 2-norm.
pub(crate) fn distance(found: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let error: f64 = found.iter().zip(exact).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    let size: f64 = exact.iter().map(|b| b * b).sum();
    (error / size).sqrt()
}
