//! A network as an ONNX file.

use super::{Walk, to_half};

/// The graph message of a file in the making.
#[derive(Default)]
pub(super) struct File {
    pub(super) graph: Vec<u8>,
    pub(super) names: usize,
    pub(super) half: bool,
}

impl File {
    pub(super) fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}_{}", self.names)
    }

    pub(super) fn node(&mut self, op: &str, inputs: &[&str], attributes: &[Vec<u8>], output: &str) {
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

    pub(super) fn op(&mut self, op: &str, inputs: &[&str], attributes: &[Vec<u8>]) -> String {
        let output = self.name(op);
        self.node(op, inputs, attributes, &output);
        output
    }

    pub(super) fn tensor(&mut self, kind: u64, dims: &[usize], raw: &[u8]) -> String {
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

    pub(super) fn floats(&mut self, dims: &[usize], data: &[f32]) -> String {
        if self.half {
            let raw: Vec<u8> = data.iter().flat_map(|x| to_half(*x).to_le_bytes()).collect();
            self.tensor(10, dims, &raw)
        } else {
            let raw: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
            self.tensor(1, dims, &raw)
        }
    }

    pub(super) fn number(&mut self, x: i64) -> String {
        self.tensor(7, &[1], &x.to_le_bytes())
    }

    pub(super) fn axis(&mut self, x: &str, size: &str, axis: i64, level: usize) -> String {
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

pub(super) fn string(to: &mut Vec<u8>, field: u64, text: &str) {
    message(to, field, text.as_bytes());
}

pub(super) fn int(name: &str, x: i64) -> Vec<u8> {
    let mut attribute = Vec::new();
    string(&mut attribute, 1, name);
    varint_field(&mut attribute, 3, x as u64);
    varint_field(&mut attribute, 20, 2);
    attribute
}

pub(super) fn ints(name: &str, all: &[i64]) -> Vec<u8> {
    let mut attribute = Vec::new();
    string(&mut attribute, 1, name);
    for x in all {
        varint_field(&mut attribute, 8, *x as u64);
    }
    varint_field(&mut attribute, 20, 7);
    attribute
}

pub(super) fn value_info(name: &str, kind: u64, dims: &[String]) -> Vec<u8> {
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
