//! A network computed by the definition of each layer.

use super::Walk;

#[derive(Clone)]
pub(super) struct Plane {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) data: Vec<f64>,
}

impl Plane {
    pub(super) fn vector(data: Vec<f64>) -> Plane {
        Plane { channels: data.len(), height: 1, width: 1, data }
    }
}

pub(super) struct Exact {
    pub(super) pictures: Vec<Plane>,
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
