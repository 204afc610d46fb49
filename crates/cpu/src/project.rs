//! Projects activations back to pixels by a deconvolutional network: what in a picture a channel of a
//! layer answers to (Zeiler and Fergus, ECCV 2014, §2.1).
//!
//! The way down undoes the way up: what was a maximum goes back to where it came from (the switches
//! of the way up), what is negative is dropped, and the same filters are applied transposed; biases
//! play no part. It needs every layer's activations and the filters as they are in the file, which
//! the fast path keeps neither of, so it has a plain one of its own: seconds a picture at full width,
//! for figures, not for the live path. Runs on the calling thread; allocates.

use crate::{
    architecture::{Architecture, Conv},
    network::{LoadError, RunError, TensorView},
    onnx,
};

mod plain;

use plain::{Layer, Plane, Switches};

/// A network's convolution stacks with their filters as they are in the file.
pub struct Projector {
    inputs: Vec<(String, usize)>,
    branches: Vec<Branch>,
}

struct Branch {
    sources: Vec<usize>,
    mix: Option<Layer>,
    layers: Vec<Layer>,
}

/// The greatest activation of a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// The activation behind the ReLU, 0 or above.
    pub value: f32,
    /// Its row in the layer's map.
    pub row: usize,
    /// Its column.
    pub column: usize,
}

/// An activation in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// What was projected.
    pub peak: Peak,
    /// One for each input of the branch: its planes, as large as the input. Positive numbers made the
    /// activation larger.
    pub pictures: Vec<Vec<f32>>,
    /// The rows and columns of the input that the activation can depend on: `[top, left, bottom,
    /// right]`, half open.
    pub field: [usize; 4],
}

/// The activations of one layer for one set of pictures, with what it takes to go back.
pub struct Activations<'p> {
    branch: &'p Branch,
    /// The layers up to this one, each with where its input's maxima came from.
    switches: Vec<Option<Switches>>,
    map: Plane,
    channels: Vec<usize>,
    size: (usize, usize),
}

impl Projector {
    /// Reads the bytes of an ONNX file, which are not needed afterwards.
    ///
    /// # Errors
    /// As [`crate::Network::load`].
    pub fn load(bytes: &[u8]) -> Result<Projector, LoadError> {
        let Architecture { inputs, branches, .. } = onnx::read(bytes)?;
        let layers = |convs: &[Conv<'_>], taps| convs.iter().map(|c| Layer::new(c, taps)).collect();
        let branches = branches.iter().map(|branch| Branch {
            sources: branch.sources.clone(),
            mix: branch.mix.as_ref().map(|mix| Layer::new(mix, 1)),
            layers: layers(&branch.convs, 9),
        });
        Ok(Projector {
            branches: branches.collect(),
            inputs: inputs.into_iter().map(|input| (input.name, input.channels)).collect(),
        })
    }

    /// Returns the number of convolutions of each branch.
    pub fn layers(&self) -> Vec<usize> {
        self.branches.iter().map(|branch| branch.layers.len()).collect()
    }

    /// Returns the inputs that a branch takes; none where there is no such branch.
    pub fn sources(&self, branch: usize) -> &[usize] {
        self.branches.get(branch).map_or(&[], |branch| &branch.sources)
    }

    /// Runs a branch up to and including convolution `layer`, counted from 1, and its ReLU.
    ///
    /// # Errors
    /// [`RunError::Layer`] where there is none, [`RunError::Inputs`] and [`RunError::Shape`] where the
    /// inputs do not fit.
    pub fn run(
        &self,
        inputs: &[TensorView<'_>],
        branch: usize,
        layer: usize,
    ) -> Result<Activations<'_>, RunError> {
        if inputs.len() != self.inputs.len() {
            let (given, expected) = (inputs.len(), self.inputs.len());
            return Err(RunError::Inputs { given, expected });
        }
        let none = RunError::Layer { branch, layer };
        let Some(found) = self.branches.get(branch) else { return Err(none) };
        let Some(layers) = found.layers.get(..layer).filter(|layers| !layers.is_empty()) else {
            return Err(none);
        };
        let mut map = Plane::default();
        for source in &found.sources {
            let (name, channels) = &self.inputs[*source];
            let view = &inputs[*source];
            let fits = view.data.len() == channels * view.height * view.width
                && view.channels == *channels
                && (map.channels == 0 || (map.height, map.width) == (view.height, view.width));
            if !fits {
                let TensorView { channels, height, width, .. } = *view;
                let why = "the network takes another shape".to_owned();
                return Err(RunError::Shape { input: name.clone(), channels, height, width, why });
            }
            (map.height, map.width) = (view.height, view.width);
            map.channels += channels;
            map.data.extend_from_slice(view.data);
        }
        let size = (map.height, map.width);
        let channels = found.sources.iter().map(|source| self.inputs[*source].1).collect();
        if let Some(mix) = &found.mix {
            map = mix.forward(&map);
        }
        let mut switches = Vec::new();
        for (at, conv) in layers.iter().enumerate() {
            map = conv.forward(&map);
            let pool = conv.pool && at + 1 < layers.len();
            switches.push(pool.then(|| plain::pool(&mut map)));
        }
        Ok(Activations { branch: found, switches, map, channels, size })
    }
}

impl Activations<'_> {
    /// Returns the greatest activation of each channel, the first where several are equal.
    pub fn peaks(&self) -> Vec<Peak> {
        let Plane { height, width, .. } = self.map;
        self.map
            .data
            .chunks_exact((height * width).max(1))
            .map(|plane| {
                let mut peak = Peak { value: 0.0, row: 0, column: 0 };
                for (at, value) in plane.iter().enumerate() {
                    if *value > peak.value {
                        peak = Peak { value: *value, row: at / width, column: at % width };
                    }
                }
                peak
            })
            .collect()
    }

    /// Projects the greatest activation of `channel`, all others set to zero; `None` where there is
    /// no such channel.
    pub fn project(&self, channel: usize) -> Option<Projection> {
        let peak = *self.peaks().get(channel)?;
        let Plane { height, width, .. } = self.map;
        let mut map = Plane { data: vec![0.0; self.map.data.len()], ..self.map };
        map.data[(channel * height + peak.row) * width + peak.column] = peak.value;
        let mut rows = peak.row..peak.row + 1;
        let mut columns = peak.column..peak.column + 1;
        let layers = self.branch.layers[..self.switches.len()].iter();
        for (conv, switches) in layers.zip(&self.switches).rev() {
            if let Some(switches) = switches {
                map = plain::unpool(&map, switches);
                rows = 2 * rows.start..2 * rows.end;
                columns = 2 * columns.start..2 * columns.end;
            }
            plain::rectify(&mut map);
            map = conv.transposed(&map);
            rows = rows.start.saturating_sub(1)..rows.end + 1;
            columns = columns.start.saturating_sub(1)..columns.end + 1;
        }
        if let Some(mix) = &self.branch.mix {
            if mix.relu {
                plain::rectify(&mut map);
            }
            map = mix.transposed(&map);
        }
        let plane = self.size.0 * self.size.1;
        let mut rest = &map.data[..];
        let pictures = self.channels.iter().map(|channels| {
            let (mine, others) = rest.split_at(channels * plane);
            rest = others;
            mine.to_vec()
        });
        let pictures = pictures.collect();
        let (bottom, right) = (rows.end.min(self.size.0), columns.end.min(self.size.1));
        Some(Projection { peak, pictures, field: [rows.start, columns.start, bottom, right] })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::test_model::{Head, Model, Numbers};

    fn views(pictures: &[Vec<f32>], height: usize, width: usize) -> Vec<TensorView<'_>> {
        let view = |data: &'_ Vec<f32>| data.len() / (height * width);
        let view = pictures.iter().map(move |data| (data, view(data)));
        view.map(|(data, channels)| TensorView { data, channels, height, width }).collect()
    }

    fn small(seed: u64) -> Model {
        let convs = vec![(8, true), (8, false), (8, true), (12, false)];
        Model { classes: 2, ..Model::dual(convs, Head::Spp(vec![2, 1]), vec![8], seed) }
    }

    #[test]
    fn a_projection_of_the_first_layer_is_its_filter_where_it_fired() {
        let model = small(1);
        let bytes = model.onnx();
        let projector = Projector::load(&bytes).unwrap();
        assert_eq!(projector.layers(), [4, 4]);
        let (height, width) = (20, 24);
        let pictures = model.pictures(height, width, 1);
        let seen = projector.run(&views(&pictures, height, width), 1, 1).unwrap();
        let architecture = onnx::read(&bytes).unwrap();
        let filter = &architecture.branches[1].convs[0].weights;
        for channel in 0..8 {
            let p = seen.project(channel).unwrap();
            let Peak { value, row, column } = p.peak;
            assert!(value > 0.0);
            for c in 0..3 {
                for tap in 0..9 {
                    let (y, x) = (row + tap / 3, column + tap % 3);
                    if (1..=height).contains(&y) && (1..=width).contains(&x) {
                        let found = p.pictures[0][(c * height + y - 1) * width + x - 1];
                        let expected = value * filter.float((channel * 3 + c) * 9 + tap);
                        assert!((found - expected).abs() < 1e-5 * value);
                    }
                }
            }
            let others = p.pictures[0].iter().filter(|x| **x != 0.0).count();
            assert!(others <= 27);
        }
    }

    #[test]
    fn without_biases_a_projection_is_the_gradient_where_all_is_positive() {
        // Positive filters and pictures: nothing is dropped on either way, so that the projection is
        // the activation times its gradient, and a small step along it changes the activation so.
        let mut layers: Vec<Layer> = Vec::new();
        let mut numbers = Numbers(3);
        for (inputs, outputs, pool) in [(3, 4, true), (4, 5, false), (5, 3, false)] {
            let weights = numbers.take(inputs * outputs * 9, 0.3).iter().map(|x| x.abs()).collect();
            let bias = vec![0.0; outputs];
            layers.push(Layer { inputs, outputs, taps: 9, weights, bias, relu: true, pool });
        }
        let branches = vec![Branch { sources: vec![0], mix: None, layers }];
        let projector = Projector { inputs: vec![("x".into(), 3)], branches };
        let (height, width) = (12, 14);
        let picture: Vec<f32> =
            numbers.take(3 * height * width, 1.0).iter().map(|x| x.abs() + 0.1).collect();
        let at = |picture: &Vec<f32>| {
            let pictures = [picture.clone()];
            let seen = projector.run(&views(&pictures, height, width), 0, 3).unwrap();
            (seen.peaks()[1], seen.project(1).unwrap())
        };
        let (peak, projection) = at(&picture);
        let gradient = &projection.pictures[0];
        // Euler: a homogeneous function is the sum of its arguments times their derivatives.
        let sum: f32 = gradient.iter().zip(&picture).map(|(g, x)| g * x).sum();
        assert!((sum / peak.value - peak.value).abs() < 1e-3 * peak.value, "{sum}, {peak:?}");
        let [top, left, bottom, right] = projection.field;
        for (i, g) in gradient.iter().enumerate() {
            let (y, x) = (i / width % height, i % width);
            let inside = (top..bottom).contains(&y) && (left..right).contains(&x);
            assert!(*g == 0.0 || inside, "{y}, {x} outside of {:?}", projection.field);
        }
    }

    #[test]
    fn the_plain_way_up_is_the_fast_one() {
        // With a pyramid of one bin and no hidden layer, the logits are sums of the peaks.
        let convs = vec![(8, true), (8, false), (8, true), (12, false)];
        let model = Model { classes: 2, ..Model::dual(convs, Head::Spp(vec![1]), vec![], 5) };
        let bytes = model.onnx();
        let projector = Projector::load(&bytes).unwrap();
        let (height, width) = (36, 45);
        let pictures = model.pictures(height, width, 2);
        let views = views(&pictures, height, width);
        let peaks = |branch| projector.run(&views, branch, 4).unwrap().peaks();
        let peaks: Vec<f32> = [0, 1].into_iter().flat_map(peaks).map(|peak| peak.value).collect();
        let options = crate::Options { threads: 1, ..crate::Options::default() };
        let mut network = crate::Network::load(&bytes, &options).unwrap();
        let logits = network.run(&views).unwrap().logits;
        let architecture = onnx::read(&bytes).unwrap();
        let dense = &architecture.dense[0];
        for (class, logit) in logits.iter().enumerate() {
            let weight = |input: usize| {
                let at = if dense.by_output { class * 24 + input } else { input * 2 + class };
                dense.weights.float(at)
            };
            let sum: f32 = peaks.iter().enumerate().map(|(i, peak)| weight(i) * peak).sum();
            let expected = sum + dense.bias.as_ref().unwrap().float(class);
            assert!((logit - expected).abs() < 1e-4 * expected.abs().max(1.0));
        }
    }

    #[test]
    fn fusion_first_projects_to_both_inputs() {
        let convs = vec![(8, true), (8, false)];
        let model = Model { classes: 2, ..Model::fused(convs, Head::Spp(vec![1]), vec![], 4) };
        let projector = Projector::load(&model.onnx()).unwrap();
        assert_eq!(projector.sources(0), [0, 1]);
        let pictures = model.pictures(16, 16, 2);
        let seen = projector.run(&views(&pictures, 16, 16), 0, 2).unwrap();
        let strongest =
            (0..8).max_by(|a, b| seen.peaks()[*a].value.total_cmp(&seen.peaks()[*b].value));
        let p = seen.project(strongest.unwrap()).unwrap();
        assert_eq!(p.pictures.len(), 2);
        assert!(p.pictures.iter().all(|p| p.len() == 3 * 256 && p.iter().any(|x| *x != 0.0)));
        assert!(seen.project(8).is_none());
    }

    #[test]
    fn what_does_not_exist_is_told() {
        let model = small(2);
        let projector = Projector::load(&model.onnx()).unwrap();
        let pictures = model.pictures(16, 16, 2);
        let told = |branch, layer| {
            let views = views(&pictures, 16, 16);
            projector.run(&views, branch, layer).err().unwrap().to_string()
        };
        assert!(told(0, 0).contains("no convolution 0"));
        assert!(told(0, 5).contains("no convolution 5"));
        assert!(told(2, 1).contains("branch 2"));
        let view = views(&pictures[..1], 16, 16);
        assert!(matches!(projector.run(&view, 0, 1), Err(RunError::Inputs { .. })));
    }
}
