//! Small networks of the family for the tests: each writes itself as ONNX, and computes itself in
//! `f64` by the definition of each layer.
#![allow(dead_code)]

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
    /// A 1×1 convolution to two classes (with a ReLU?), then the mean.
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

#[derive(Clone)]
struct Plane {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<f64>,
}

impl Plane {
    fn vector(data: Vec<f64>) -> Plane {
        Plane { channels: data.len(), height: 1, width: 1, data }
    }
}

struct Exact {
    pictures: Vec<Plane>,
}

impl Walk for Exact {
    type Value = Plane;

    fn input(&mut self, at: usize) -> Plane {
        self.pictures[at].clone()
    }

    fn concat(&mut self, maps: Vec<Plane>) -> Plane {
        Plane {
            channels: maps.iter().map(|map| map.channels).sum(),
            data: maps.iter().flat_map(|map| map.data.clone()).collect(),
            ..maps[0]
        }
    }

    fn conv(&mut self, x: Plane, [out, c, side]: [usize; 3], w: Vec<f32>, b: Vec<f32>) -> Plane {
        let (height, width) = (x.height, x.width);
        let pad = side / 2;
        let mut data = vec![0.0; out * height * width];
        for o in 0..out {
            let plane = &mut data[o * height * width..][..height * width];
            plane.fill(f64::from(b[o]));
            for i in 0..c {
                let from = &x.data[i * height * width..][..height * width];
                for (tap, w) in w[(o * c + i) * side * side..][..side * side].iter().enumerate() {
                    let (dy, dx) = (tap / side, tap % side);
                    for y in 0..height {
                        let Some(sy) = (y + dy).checked_sub(pad).filter(|sy| *sy < height) else {
                            continue;
                        };
                        for x in 0..width {
                            if let Some(sx) = (x + dx).checked_sub(pad).filter(|sx| *sx < width) {
                                plane[y * width + x] += f64::from(*w) * from[sy * width + sx];
                            }
                        }
                    }
                }
            }
        }
        Plane { channels: out, data, ..x }
    }

    fn relu(&mut self, mut x: Plane) -> Plane {
        x.data.iter_mut().for_each(|x| *x = x.max(0.0));
        x
    }

    fn pool(&mut self, x: Plane) -> Plane {
        let (height, width) = (x.height / 2, x.width / 2);
        let mut data = Vec::new();
        for c in 0..x.channels {
            let at = |y: usize, w: usize| x.data[(c * x.height + y) * x.width + w];
            for y in 0..height {
                for w in 0..width {
                    let top = at(2 * y, 2 * w).max(at(2 * y, 2 * w + 1));
                    data.push(top.max(at(2 * y + 1, 2 * w)).max(at(2 * y + 1, 2 * w + 1)));
                }
            }
        }
        Plane { channels: x.channels, height, width, data }
    }

    fn bins(&mut self, x: Plane, level: usize) -> Plane {
        let mut data = Vec::new();
        for plane in x.data.chunks(x.height * x.width) {
            for bin in 0..level * level {
                let range =
                    |i: usize, size: usize| (i * size) / level..((i + 1) * size).div_ceil(level);
                let mut most = f64::NEG_INFINITY;
                for y in range(bin / level, x.height) {
                    for w in range(bin % level, x.width) {
                        most = most.max(plane[y * x.width + w]);
                    }
                }
                data.push(most);
            }
        }
        Plane::vector(data)
    }

    fn mean(&mut self, x: Plane) -> Plane {
        let pixels = x.height * x.width;
        Plane::vector(
            x.data.chunks(pixels).map(|p| p.iter().sum::<f64>() / pixels as f64).collect(),
        )
    }

    fn flatten(&mut self, x: Plane) -> Plane {
        Plane::vector(x.data)
    }

    fn join(&mut self, parts: Vec<Plane>) -> Plane {
        Plane::vector(parts.into_iter().flat_map(|part| part.data).collect())
    }

    fn dense(&mut self, x: Plane, [out, inputs]: [usize; 2], w: Vec<f32>, b: Vec<f32>) -> Plane {
        assert_eq!(x.data.len(), inputs, "the picture's size does not fit the dense layer");
        let row = |o: usize| {
            let w = &w[o * inputs..][..inputs];
            f64::from(b[o]) + w.iter().zip(&x.data).map(|(w, x)| f64::from(*w) * x).sum::<f64>()
        };
        Plane::vector((0..out).map(row).collect())
    }
}

/// The graph message of a file in the making.
#[derive(Default)]
struct File {
    graph: Vec<u8>,
    names: usize,
    half: bool,
}

impl File {
    fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}_{}", self.names)
    }

    fn node(&mut self, op: &str, inputs: &[&str], attributes: &[Vec<u8>], output: &str) {
        let mut node = Vec::new();
        for name in inputs {
            string(&mut node, 1, name);
        }
        string(&mut node, 2, output);
        string(&mut node, 3, output);
        string(&mut node, 4, op);
        for attribute in attributes {
            message(&mut node, 5, attribute);
        }
        message(&mut self.graph, 1, &node);
    }

    fn op(&mut self, op: &str, inputs: &[&str], attributes: &[Vec<u8>]) -> String {
        let output = self.name(op);
        self.node(op, inputs, attributes, &output);
        output
    }

    fn tensor(&mut self, kind: u64, dims: &[usize], raw: &[u8]) -> String {
        let name = self.name("w");
        let mut tensor = Vec::new();
        for dim in dims {
            varint_field(&mut tensor, 1, *dim as u64);
        }
        varint_field(&mut tensor, 2, kind);
        string(&mut tensor, 8, &name);
        message(&mut tensor, 9, raw);
        message(&mut self.graph, 5, &tensor);
        name
    }

    fn floats(&mut self, dims: &[usize], data: &[f32]) -> String {
        if self.half {
            let raw: Vec<u8> = data.iter().flat_map(|x| to_half(*x).to_le_bytes()).collect();
            self.tensor(10, dims, &raw)
        } else {
            let raw: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
            self.tensor(1, dims, &raw)
        }
    }

    fn number(&mut self, x: i64) -> String {
        self.tensor(7, &[1], &x.to_le_bytes())
    }

    fn axis(&mut self, x: &str, size: &str, axis: i64, level: usize) -> String {
        let (along, count, less) =
            (self.number(axis), self.number(level as i64), self.number(level as i64 - 1));
        let mut bins = Vec::new();
        for bin in 0..level as i64 {
            let (this, next) = (self.number(bin), self.number(bin + 1));
            let start = self.op("Mul", &[size, &this], &[]);
            let start = self.op("Div", &[&start, &count], &[]);
            let end = self.op("Mul", &[size, &next], &[]);
            let end = self.op("Add", &[&end, &less], &[]);
            let end = self.op("Div", &[&end, &count], &[]);
            let cut = self.op("Slice", &[x, &start, &end, &along], &[]);
            bins.push(self.op("ReduceMax", &[&cut], &[ints("axes", &[axis]), int("keepdims", 1)]));
        }
        let bins: Vec<&str> = bins.iter().map(|bin| &**bin).collect();
        self.op("Concat", &bins, &[int("axis", axis)])
    }
}

impl Walk for File {
    type Value = String;

    fn input(&mut self, at: usize) -> String {
        format!("x{at}")
    }

    fn concat(&mut self, maps: Vec<String>) -> String {
        match &maps[..] {
            [one] => one.clone(),
            all => {
                let all: Vec<&str> = all.iter().map(|map| &**map).collect();
                self.op("Concat", &all, &[int("axis", 1)])
            }
        }
    }

    fn conv(&mut self, x: String, [out, c, side]: [usize; 3], w: Vec<f32>, b: Vec<f32>) -> String {
        let w = self.floats(&[out, c, side, side], &w);
        let b = self.floats(&[out], &b);
        let pad = side as i64 / 2;
        let attributes = [ints("kernel_shape", &[side as i64; 2]), ints("pads", &[pad; 4])];
        self.op("Conv", &[&x, &w, &b], &attributes)
    }

    fn relu(&mut self, x: String) -> String {
        self.op("Relu", &[&x], &[])
    }

    fn pool(&mut self, x: String) -> String {
        self.op("MaxPool", &[&x], &[ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
    }

    fn bins(&mut self, x: String, level: usize) -> String {
        let pooled = if level == 1 {
            self.op("GlobalMaxPool", &[&x], &[])
        } else {
            let (two, three, four) = (self.number(2), self.number(3), self.number(4));
            let shape = self.op("Shape", &[&x], &[]);
            let height = self.op("Slice", &[&shape, &two, &three], &[]);
            let width = self.op("Slice", &[&shape, &three, &four], &[]);
            let rows = self.axis(&x, &height, 2, level);
            self.axis(&rows, &width, 3, level)
        };
        self.flatten(pooled)
    }

    fn mean(&mut self, x: String) -> String {
        self.op("GlobalAveragePool", &[&x], &[])
    }

    fn flatten(&mut self, x: String) -> String {
        self.op("Flatten", &[&x], &[int("axis", 1)])
    }

    fn join(&mut self, parts: Vec<String>) -> String {
        self.concat(parts)
    }

    fn dense(&mut self, x: String, [out, inputs]: [usize; 2], w: Vec<f32>, b: Vec<f32>) -> String {
        let w = self.floats(&[out, inputs], &w);
        let b = self.floats(&[out], &b);
        self.op("Gemm", &[&x, &w, &b], &[int("transB", 1)])
    }
}

pub(crate) fn varint(to: &mut Vec<u8>, mut x: u64) {
    while x > 0x7f {
        to.push(x as u8 | 0x80);
        x >>= 7;
    }
    to.push(x as u8);
}

pub(crate) fn varint_field(to: &mut Vec<u8>, field: u64, x: u64) {
    varint(to, field << 3);
    varint(to, x);
}

pub(crate) fn message(to: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(to, field << 3 | 2);
    varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn string(to: &mut Vec<u8>, field: u64, text: &str) {
    message(to, field, text.as_bytes());
}

fn int(name: &str, x: i64) -> Vec<u8> {
    let mut attribute = Vec::new();
    string(&mut attribute, 1, name);
    varint_field(&mut attribute, 3, x as u64);
    varint_field(&mut attribute, 20, 2);
    attribute
}

fn ints(name: &str, all: &[i64]) -> Vec<u8> {
    let mut attribute = Vec::new();
    string(&mut attribute, 1, name);
    for x in all {
        varint_field(&mut attribute, 8, *x as u64);
    }
    varint_field(&mut attribute, 20, 7);
    attribute
}

fn value_info(name: &str, kind: u64, dims: &[String]) -> Vec<u8> {
    let mut shape = Vec::new();
    for dim in dims {
        let mut one = Vec::new();
        match dim.parse() {
            Ok(size) => varint_field(&mut one, 1, size),
            Err(_) => string(&mut one, 2, dim),
        }
        message(&mut shape, 1, &one);
    }
    let mut tensor = Vec::new();
    varint_field(&mut tensor, 1, kind);
    message(&mut tensor, 2, &shape);
    let mut of_type = Vec::new();
    message(&mut of_type, 1, &tensor);
    let mut info = Vec::new();
    string(&mut info, 1, name);
    message(&mut info, 2, &of_type);
    info
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
