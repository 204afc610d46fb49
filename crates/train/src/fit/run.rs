//! The loop over epochs, on one backend.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use burn::tensor::activation::log_softmax;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::adam::Memory;
use super::batch::{self, Batch, Draw, Item};
use super::checkpoint::{self, Header};
use super::curves;
use super::plan::{ClassWeights, Monitor, Plan};
use super::predict::{Vectors, features, head_odds, log_odds, per_sample, picture_odds};
use super::{FitError, Fitted, Options, score};
use crate::model::{Architecture, Engine, Mode, Tensors, numbers};
use crate::network::Network;
use crate::sample::Sample;

/// A line of `metrics.jsonl`: what an epoch brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Steps since the beginning.
    pub steps: u64,
    /// Learning rate of its last step.
    pub rate: f64,
    /// Mean loss of the training steps, as it was minimised.
    pub loss: f64,
    /// Share of training pictures on the right side of even odds, while they were trained on.
    pub accuracy: f64,
    /// Mean cross-entropy on the validation samples, in nats.
    pub validation_loss: Option<f64>,
    /// Share of validation samples on the right side of even odds.
    pub validation_accuracy: Option<f64>,
    /// Area under the ROC curve on the validation samples.
    pub validation_auc: Option<f64>,
    /// Whether its weights are the best so far.
    pub best: bool,
    /// Seconds that it took, validation included.
    pub seconds: f64,
    /// Training pictures (or pairs) a second.
    pub pictures_per_s: f64,
}

/// Where a run stands.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs at most.
    pub epochs: usize,
    /// Steps of this epoch that are done.
    pub step: usize,
    /// Steps of this epoch.
    pub steps: usize,
    /// Mean loss of this epoch so far.
    pub loss: f64,
    /// Seconds to the last epoch, if patience does not end it before.
    pub eta_s: f64,
    /// The epoch, when this call is its end.
    pub finished: Option<Epoch>,
}

/// What a step is fed.
enum Feed {
    Pictures(Batch),
    /// Vectors that were computed once, as all convolutions are frozen.
    Vectors {
        data: Vec<f32>,
        malignant: Vec<bool>,
    },
}

/// Trains on a backend. Everything was checked.
#[expect(clippy::too_many_lines, reason = "one loop whose state is read top to bottom")]
pub(super) fn run<B>(
    architecture: &Architecture,
    plan: &Plan,
    train: &[Sample],
    validation: &[Sample],
    start: &Network,
    device: &B::Device,
    options: Options<'_>,
) -> Result<Fitted, FitError>
where
    B: Engine + AutodiffBackend,
    B::InnerBackend: Engine,
{
    let Options { folder, augment, mut progress, device: named, vectors: known, .. } = options;
    let mut tensors = Tensors::<B>::new(start, plan.freeze, device);
    tensors.track();
    let mut memory = Memory::new(&tensors);
    let mut header = Header {
        architecture: *architecture,
        plan: plan.clone(),
        data: fingerprint(train, validation, start, augment.is_some()),
        history: Vec::new(),
        steps: 0,
        best: 0,
        finished: false,
        seconds: 0.0,
        lengths: Vec::new(),
    };
    let mut best = tensors.lists();
    if let Some(folder) = folder {
        fs::create_dir_all(folder).map_err(|source| FitError::Io {
            verb: "write",
            path: folder.to_owned(),
            source,
        })?;
        if let Some((found, lists)) = checkpoint::read(folder)? {
            resume::<B>(
                folder,
                &mut header,
                found,
                lists,
                &mut tensors,
                &mut memory,
                &mut best,
                device,
            )?;
        }
    }
    let weights = class_weights(plan.class_weights, train);
    let items = batch::items(architecture.method, train);
    let held_out = batch::items(architecture.method, validation);
    let all_frozen = plan.freeze >= start.depth() && start.mix.is_none() && augment.is_none();
    let [vectors, held_out_vectors] = if all_frozen && !header.finished {
        let mut plain = tensors.plain(device);
        let mut own = Vectors::default();
        let known = known.unwrap_or(&mut own);
        [(&items, train), (&held_out, validation)].map(|(items, samples)| {
            Some(features(&mut plain, items, samples, plan.batch, device, known))
        })
    } else {
        [None, None]
    };
    let begun = Instant::now();
    let mut steps_done = 0usize;
    for epoch in header.history.len()..plan.epochs {
        if header.finished {
            break;
        }
        let epoch_begun = Instant::now();
        let crop_px = if vectors.is_some() { usize::MAX } else { plan.crop_px };
        let mut rng = draws(plan.seed, epoch, 0);
        let order = batch::shuffled(&items, train, plan.batch, crop_px, &mut rng);
        let (mut sum, mut right, mut seen, mut rate) = (0.0, 0usize, 0usize, 0.0);
        thread::scope(|scope| -> Result<(), FitError> {
            let (sender, receiver) = mpsc::sync_channel(2);
            let (order, vectors) = (&order, &vectors);
            scope.spawn(move || {
                for (index, items) in order.iter().enumerate() {
                    let feed = if let Some(vectors) = vectors {
                        gather(vectors, items, train)
                    } else {
                        let rng = draws(plan.seed, epoch, 2 * index as u64 + 1);
                        Feed::Pictures(batch::assemble(items, train, Some(Draw { augment, rng })))
                    };
                    // The receiver is gone when training failed.
                    if sender.send(feed).is_err() {
                        return;
                    }
                }
            });
            for (index, feed) in receiver.into_iter().enumerate() {
                rate = plan.rate_at(epoch as f64 + (index as f64 + 1.0) / order.len() as f64);
                let mut rng = draws(plan.seed, epoch, 2 * index as u64 + 2);
                let mut mode = Mode::Train { rng: &mut rng, dropout: plan.dropout };
                let (logits, malignant) = match feed {
                    Feed::Pictures(batch) => {
                        let malignant = batch.malignant.clone();
                        (tensors.forward(batch.tensors(device), &mut mode), malignant)
                    }
                    Feed::Vectors { data, malignant } => {
                        let width = data.len() / malignant.len();
                        let data = TensorData::new(data, [malignant.len(), width]);
                        (tensors.head(Tensor::from_data(data, device), &mut mode), malignant)
                    }
                };
                let odds = log_odds(logits.clone());
                let loss = cross_entropy(logits, &malignant, weights, plan.label_smoothing);
                let value = numbers(loss.clone())[0];
                if !value.is_finite() {
                    let (epoch, step) = (epoch + 1, index + 1);
                    return Err(FitError::Diverged { epoch, step, loss: value, rate });
                }
                let gradients = loss.backward();
                memory.step(&mut tensors, &gradients, plan, rate);
                sum += f64::from(value) * malignant.len() as f64;
                right += odds.iter().zip(&malignant).filter(|(z, m)| (**z > 0.0) == **m).count();
                seen += malignant.len();
                steps_done += 1;
                if let Some(progress) = &mut progress {
                    let left = (plan.epochs - epoch) * order.len() - index - 1;
                    // A stop is heard at the end of the epoch.
                    progress(&Progress {
                        epoch: epoch + 1,
                        epochs: plan.epochs,
                        step: index + 1,
                        steps: order.len(),
                        loss: sum / seen as f64,
                        eta_s: begun.elapsed().as_secs_f64() / steps_done as f64 * left as f64,
                        finished: None,
                    });
                }
            }
            Ok(())
        })?;
        let trained_s = epoch_begun.elapsed().as_secs_f64();
        let scored = {
            let mut plain = tensors.plain(device);
            let odds = match &held_out_vectors {
                Some(vectors) => head_odds(&plain, vectors, plan.batch, device),
                None => picture_odds(&mut plain, &held_out, validation, plan.batch, device),
            };
            per_sample(&held_out, &odds, validation)
        };
        let mut row = Epoch {
            epoch: epoch + 1,
            steps: memory.steps,
            rate: tidy(rate),
            loss: tidy(sum / seen.max(1) as f64),
            accuracy: tidy(right as f64 / seen.max(1) as f64),
            validation_loss: (!scored.is_empty()).then(|| tidy(score::loss(&scored))),
            validation_accuracy: (!scored.is_empty()).then(|| tidy(score::accuracy(&scored))),
            validation_auc: score::auc(&scored).map(tidy),
            best: false,
            seconds: epoch_begun.elapsed().as_secs_f64(),
            pictures_per_s: seen as f64 / trained_s.max(1e-9),
        };
        let before = header.best.checked_sub(1).and_then(|i| header.history.get(i));
        row.best = before.is_none_or(|before| better(plan.monitor, &row, before));
        if row.best {
            header.best = epoch + 1;
            best = tensors.lists();
        }
        header.history.push(row.clone());
        header.steps = memory.steps;
        header.seconds += row.seconds;
        let waited = epoch + 1 - header.best;
        header.finished = epoch + 1 == plan.epochs || plan.patience.is_some_and(|p| waited >= p);
        if let Some(folder) = folder {
            save::<B>(folder, &header, &tensors, &memory, &best)?;
        }
        let last = header.finished;
        if let Some(progress) = &mut progress {
            let mean_s = begun.elapsed().as_secs_f64() / (steps_done as f64 / order.len() as f64);
            let go_on = progress(&Progress {
                epoch: epoch + 1,
                epochs: plan.epochs,
                step: order.len(),
                steps: order.len(),
                loss: row.loss,
                eta_s: if last { 0.0 } else { mean_s * (plan.epochs - epoch - 1) as f64 },
                finished: Some(row),
            });
            if !go_on && !last {
                return Err(FitError::Stopped { epoch: epoch + 1 });
            }
        }
    }
    tensors.restore(&best, device);
    Ok(Fitted {
        architecture: *architecture,
        plan: plan.clone(),
        network: tensors.network(),
        history: header.history,
        best_epoch: header.best,
        seconds: header.seconds,
        device: named,
    })
}

/// Goes on from a checkpoint, if it is this run's.
#[allow(clippy::too_many_arguments)]
fn resume<B>(
    folder: &Path,
    header: &mut Header,
    found: Header,
    mut lists: Vec<Vec<f32>>,
    tensors: &mut Tensors<B>,
    memory: &mut Memory<B>,
    best: &mut Vec<Vec<f32>>,
    device: &B::Device,
) -> Result<(), FitError>
where
    B: Engine + AutodiffBackend,
    B::InnerBackend: Engine,
{
    let problem = if found.architecture != header.architecture {
        Some(format!("it trains {}", found.architecture))
    } else if found.plan != header.plan {
        Some("its plan is another".into())
    } else if found.data != header.data {
        Some("its samples, starting weights or augmentation are others".into())
    } else {
        None
    };
    let other =
        |problem: String| FitError::OtherRun { path: folder.join(checkpoint::FILE), problem };
    if let Some(problem) = problem {
        return Err(other(problem));
    }
    // Values and statistics; two moments for each value; the best values and statistics.
    let (state, moments) = (best.len(), 2 * tensors.values.len());
    let damaged = || other("its lists are not those of this network".into());
    if lists.len() != 2 * state + moments {
        return Err(damaged());
    }
    let kept = lists.split_off(state + moments);
    let moments = lists.split_off(state);
    if !tensors.restore(&kept, device) || !tensors.restore(&lists, device) {
        return Err(damaged());
    }
    tensors.track();
    let mut pairs = Vec::with_capacity(moments.len() / 2);
    let mut moments = moments.into_iter();
    while let (Some(first), Some(second)) = (moments.next(), moments.next()) {
        pairs.push([first, second]);
    }
    memory.restore(pairs, found.steps, device);
    *best = kept;
    *header = found;
    Ok(())
}

fn save<B>(
    folder: &Path,
    header: &Header,
    tensors: &Tensors<B>,
    memory: &Memory<B>,
    best: &[Vec<f32>],
) -> Result<(), FitError>
where
    B: Engine + AutodiffBackend,
    B::InnerBackend: Engine,
{
    let mut lists = tensors.lists();
    lists.extend(memory.moments.iter().flatten().map(|m| numbers(m.clone())));
    lists.extend_from_slice(best);
    checkpoint::write(folder, header, &lists)?;
    curves::write(folder, &header.history)?;
    let path = folder.join("metrics.jsonl");
    let lines: Result<Vec<String>, _> = header.history.iter().map(serde_json::to_string).collect();
    let text = lines.map(|lines| lines.join("\n") + "\n").map_err(std::io::Error::from);
    text.and_then(|text| fs::write(&path, text)).map_err(|source| FitError::Io {
        verb: "write",
        path,
        source,
    })
}

/// Rounds to what JSON gives back to the bit: a resumed run must compare as an uninterrupted one does.
fn tidy(v: f64) -> f64 {
    if v.abs() < 1e5 { (v * 1e9).round() / 1e9 } else { v.round() }
}

/// Whether an epoch is better than the best one before.
fn better(monitor: Monitor, row: &Epoch, before: &Epoch) -> bool {
    let losses = row.validation_loss.zip(before.validation_loss);
    let by_loss = losses.is_none_or(|(now, then)| now < then);
    match (monitor, row.validation_auc.zip(before.validation_auc)) {
        (Monitor::Auc, Some((now, then))) => match now.total_cmp(&then) {
            Ordering::Equal => by_loss,
            order => order.is_gt(),
        },
        _ => by_loss,
    }
}

/// A generator of its own for each purpose: nothing has to be kept for a resumed run.
fn draws(seed: u64, epoch: usize, purpose: u64) -> Pcg64Mcg {
    let state = (u128::from(seed) << 64) ^ ((epoch as u128 + 1) << 32) ^ u128::from(purpose);
    let mut bytes = [0; 16];
    // A multiplication spreads neighbouring seeds apart (the constant is PCG's own).
    let spread = state.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645) | 1;
    bytes.copy_from_slice(&(spread ^ (spread >> 61)).to_le_bytes());
    Pcg64Mcg::from_seed(bytes)
}

/// What a benign and a malignant sample count.
fn class_weights(wanted: ClassWeights, train: &[Sample]) -> [f64; 2] {
    let malignant = train.iter().filter(|s| s.malignant).count() as f64;
    let all = train.len() as f64;
    match wanted {
        ClassWeights::Equal => [1.0; 2],
        ClassWeights::Balanced => [0.5 * all / (all - malignant), 0.5 * all / malignant],
        ClassWeights::Given(weights) => weights,
    }
}

/// Cross-entropy against smoothed targets, each sample by its class's weight, over the weights' sum.
fn cross_entropy<B: Backend>(
    logits: Tensor<B, 2>,
    malignant: &[bool],
    weights: [f64; 2],
    smoothing: f64,
) -> Tensor<B, 1> {
    let total: f64 = malignant.iter().map(|m| weights[usize::from(*m)]).sum();
    let targets: Vec<f32> = malignant
        .iter()
        .flat_map(|m| {
            let weight = weights[usize::from(*m)] / total;
            let sure = [!m, *m].map(|hit| f64::from(u8::from(hit)));
            sure.map(|t| (weight * (t * (1.0 - smoothing) + 0.5 * smoothing)) as f32)
        })
        .collect();
    let targets = TensorData::new(targets, [malignant.len(), 2]);
    let targets = Tensor::from_data(targets, &logits.device());
    -(log_softmax(logits, 1) * targets).sum()
}

fn gather(vectors: &[Arc<[f32]>], items: &[Item], samples: &[Sample]) -> Feed {
    Feed::Vectors {
        data: items.iter().flat_map(|i| vectors[i.place].iter().copied()).collect(),
        malignant: items.iter().map(|i| samples[i.sample].malignant).collect(),
    }
}

/// A number for everything that a run depends on besides its plan.
fn fingerprint(
    train: &[Sample],
    validation: &[Sample],
    start: &Network,
    augmented: bool,
) -> String {
    let mut state = 0xCBF2_9CE4_8422_2325_u64;
    let mut mix = |bits: u64| {
        state = (state ^ bits).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state ^= state >> 29;
    };
    for (part, samples) in [train, validation].into_iter().enumerate() {
        for s in samples {
            mix(part as u64 + 2 * u64::from(s.malignant));
            s.patient.bytes().chain(s.image.bytes()).for_each(|b| mix(b.into()));
            for planes in std::iter::once(&s.bmode).chain(&s.elastogram) {
                planes.shape().iter().for_each(|side| mix(*side as u64));
                planes.data().iter().for_each(|v| mix(v.to_bits().into()));
            }
        }
    }
    for conv in start.convs() {
        conv.weight.iter().chain(&conv.bias).for_each(|v| mix(v.to_bits().into()));
    }
    for layer in &start.layers {
        layer.weight.iter().for_each(|v| mix(v.to_bits().into()));
    }
    mix(u64::from(augmented));
    format!("{state:016x}")
}
