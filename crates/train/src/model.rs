//! Which network: a backbone at a width, a method of the paper, a head; and its random beginning.
//!
//! An architecture is written `re-fusion/spp/vgg16` with what differs from the defaults behind it:
//! `:width=8` divides every width by 8, `:hidden=256` sets the hidden fully connected layers,
//! `:side=96` the input of an FC head, `:norm` puts batch normalisation behind the convolutions of
//! VGG16 and `AlexNet` while they are trained (it is folded away on export).

mod engine;
mod tensors;

pub(crate) use engine::Engine;
pub(crate) use tensors::{Mode, Tensors, numbers};

use std::fmt;
use std::str::FromStr;

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::network::{
    Conv, Linear, Network, Pooling, Sources, Stack, Step, Window, alexnet, googlenet, inception_v3,
    resnet18, stack_size, vgg16,
};

/// Why an architecture cannot be built.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ModelError {
    /// Words that name no architecture.
    #[error(
        "`{text}` is no architecture: {problem}; write METHOD/HEAD/BACKBONE[:width=N][:hidden=N][:side=PX][:norm], \
         as in re-fusion/spp/vgg16:width=8"
    )]
    Words {
        /// What was read.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing would be left of the picture.
    #[error(
        "{backbone} leaves nothing of an input of {side_px}×{side_px} px: it needs {least_px} px"
    )]
    TooSmall {
        /// The backbone.
        backbone: Backbone,
        /// Side of the input.
        side_px: usize,
        /// Least side.
        least_px: usize,
    },
}

/// A convolution stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backbone {
    /// Simonyan & Zisserman, 2015: the product's.
    #[default]
    Vgg16,
    /// He et al., 2016.
    Resnet18,
    /// Szegedy et al., 2015.
    Googlenet,
    /// Szegedy et al., 2016.
    InceptionV3,
    /// Krizhevsky, 2014.
    Alexnet,
}

/// How two pictures make one answer; the paper's five rows of Table VI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The B-mode picture alone.
    Conventional,
    /// The elastogram alone.
    Elastography,
    /// Both kinds of picture in one training set, one network.
    Mixed,
    /// Fusion followed by feature re-extraction: six channels, a 1×1 convolution to three, one stack.
    FusionFirst,
    /// Feature extraction followed by re-fusion: two stacks, their features joined: the product.
    #[default]
    ReFusion,
}

/// What follows the convolutions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// The original: the last pooling, two hidden fully connected layers, at a fixed input size.
    Fc,
    /// Spatial pyramid pooling of 4×4, 2×2 and 1×1 bins, two hidden fully connected layers.
    #[default]
    Spp,
    /// Global average pooling, no hidden layer.
    Gap,
}

/// Text forms, for arguments, file names and tables.
macro_rules! words {
    ($kind:ty, $what:literal, $($value:path => $word:literal),+) => {
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $($value => $word),+ })
            }
        }

        impl FromStr for $kind {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok($value),)+
                    _ => Err(format!(
                        "`{word}` is no {}: {}", $what, [$($word),+].join(", ")
                    )),
                }
            }
        }

        impl $kind {
            /// All of them, in the paper's order.
            pub const ALL: &'static [Self] = &[$($value),+];
        }
    };
}

words!(Backbone, "backbone", Self::Vgg16 => "vgg16", Self::Resnet18 => "resnet18",
    Self::Googlenet => "googlenet", Self::InceptionV3 => "inception-v3", Self::Alexnet => "alexnet");
words!(Method, "method", Self::Conventional => "conventional", Self::Elastography => "elastography",
    Self::Mixed => "mixed", Self::FusionFirst => "fusion-first", Self::ReFusion => "re-fusion");
words!(Head, "head", Self::Fc => "fc", Self::Spp => "spp", Self::Gap => "gap");

impl Backbone {
    /// Shortest side of an input that leaves a map of at least one pixel.
    pub const fn least_px(self) -> usize {
        match self {
            Self::Vgg16 => 16,
            Self::Resnet18 | Self::Googlenet => 1,
            Self::InceptionV3 => 75,
            Self::Alexnet => 63,
        }
    }

    /// Convolutions in a stack.
    pub fn depth(self) -> usize {
        let mut rng = Pcg64Mcg::seed_from_u64(0);
        self.stack(&mut rng, 1 << 12).convs().len()
    }

    /// Random weights, every width divided.
    fn stack(self, rng: &mut Pcg64Mcg, divisor: usize) -> Stack {
        match self {
            Self::Vgg16 => vgg16(rng, divisor),
            Self::Resnet18 => resnet18(rng, divisor),
            Self::Googlenet => googlenet(rng, divisor),
            Self::InceptionV3 => inception_v3(rng, divisor),
            Self::Alexnet => alexnet(rng, divisor),
        }
    }

    /// The pooling between the last convolution and the first fully connected layer of the original.
    fn last_pool(self) -> Option<Step> {
        match self {
            Self::Vgg16 => Some(Step::MaxPool(Window::HALVE)),
            Self::Alexnet => Some(Step::MaxPool(Window { side: 3, stride: 2, pad: 0 })),
            Self::Resnet18 | Self::Googlenet | Self::InceptionV3 => None,
        }
    }
}

impl Method {
    /// What its networks take.
    pub const fn sources(self) -> Sources {
        match self {
            Self::Conventional => Sources::Bmode,
            Self::Elastography => Sources::Elastogram,
            Self::Mixed => Sources::Either,
            Self::FusionFirst => Sources::Mixed,
            Self::ReFusion => Sources::Both,
        }
    }

    /// Whether it looks at elastograms.
    pub const fn needs_elastogram(self) -> bool {
        !matches!(self, Self::Conventional)
    }
}

/// A network's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Architecture {
    /// Convolution stack.
    pub backbone: Backbone,
    /// What every width of the original is divided by.
    pub divisor: usize,
    /// How two pictures make one answer.
    pub method: Method,
    /// What follows the convolutions.
    pub head: Head,
    /// Width of the hidden fully connected layers; without it 4096 / divisor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Side of the input of an FC head, in pixels.
    pub side_px: usize,
    /// Batch normalisation behind the convolutions of VGG16 and `AlexNet`; the others have it anyway.
    pub norm: bool,
}

impl Default for Architecture {
    fn default() -> Self {
        Self {
            backbone: Backbone::default(),
            divisor: 1,
            method: Method::default(),
            head: Head::default(),
            hidden: None,
            side_px: 224,
            norm: false,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.method, self.head, self.backbone)?;
        if self.divisor != 1 {
            write!(f, ":width={}", self.divisor)?;
        }
        if let Some(hidden) = self.hidden {
            write!(f, ":hidden={hidden}")?;
        }
        if self.side_px != Self::default().side_px {
            write!(f, ":side={}", self.side_px)?;
        }
        if self.norm { f.write_str(":norm") } else { Ok(()) }
    }
}

impl FromStr for Architecture {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let fail = |problem: String| ModelError::Words { text: text.to_owned(), problem };
        let mut parts = text.split(':');
        let names: Vec<&str> = parts.next().unwrap_or_default().split('/').collect();
        let [method, head, backbone] = names[..] else {
            return Err(fail("it does not begin with three words".into()));
        };
        let mut new = Self {
            method: method.parse().map_err(fail)?,
            head: head.parse().map_err(fail)?,
            backbone: backbone.parse().map_err(fail)?,
            ..Self::default()
        };
        for part in parts {
            let number = |digits: &str| match digits.parse::<usize>() {
                Ok(n @ 1..=8192) => Ok(n),
                _ => Err(fail(format!("`{digits}` is no whole number from 1 to 8192"))),
            };
            match part.split_once('=') {
                Some(("width", n)) => new.divisor = number(n)?,
                Some(("hidden", n)) => new.hidden = Some(number(n)?),
                Some(("side", n)) => new.side_px = number(n)?,
                None if part == "norm" => new.norm = true,
                _ => return Err(fail(format!("`{part}` is no setting"))),
            }
        }
        Ok(new)
    }
}

impl Architecture {
    /// Height and width that the head fixes the input to; `None` where they are free.
    pub fn fixed_size(&self) -> Option<[usize; 2]> {
        (self.head == Head::Fc).then_some([self.side_px; 2])
    }

    /// Shortest side of an input: below it, a bin of the pyramid or the whole map would be empty.
    pub fn least_px(&self) -> usize {
        self.backbone.least_px()
    }

    /// Builds the network with random weights; the same seed gives the same numbers.
    ///
    /// # Errors
    /// [`ModelError::TooSmall`] when the fixed input leaves nothing.
    pub fn network(&self, seed: u64) -> Result<Network, ModelError> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let sources = self.method.sources();
        let mix = (sources == Sources::Mixed).then(|| {
            let conv = Conv::random(&mut rng, 6, 3, [1, 1]);
            Conv { relu: false, ..conv }
        });
        let count = if sources == Sources::Both { 2 } else { 1 };
        let mut stacks: Vec<Stack> =
            (0..count).map(|_| self.backbone.stack(&mut rng, self.divisor)).collect();
        for stack in &mut stacks {
            if self.head == Head::Fc {
                stack.0.extend(self.backbone.last_pool());
            }
            if self.norm {
                let plain = stack.convs_mut().into_iter().filter(|c| c.norm.is_none());
                plain.for_each(|c| *c = c.clone().with_norm(1e-5));
            }
        }
        let pooling = match self.head {
            Head::Fc => {
                let size = stacks.first().and_then(|s| stack_size(&s.0, [self.side_px; 2]));
                let size = size.filter(|s| s[0] > 0).ok_or(ModelError::TooSmall {
                    backbone: self.backbone,
                    side_px: self.side_px,
                    least_px: self.least_px().max(if self.backbone == Backbone::Vgg16 {
                        32
                    } else {
                        0
                    }),
                })?;
                Pooling::Whole(size)
            }
            Head::Spp => Pooling::paper(),
            Head::Gap => Pooling::Mean,
        };
        let features = stacks.iter().map(Stack::channels).sum::<usize>() * pooling.bins();
        let hidden = self.hidden.unwrap_or(4096 / self.divisor).max(1);
        let widths: &[usize] =
            if self.head == Head::Gap { &[features, 2] } else { &[features, hidden, hidden, 2] };
        let layers = widths.windows(2).map(|w| Linear::random(&mut rng, w[0], w[1])).collect();
        Ok(Network { sources, mix, stacks, pooling, layers, heads: 0 })
    }
}
