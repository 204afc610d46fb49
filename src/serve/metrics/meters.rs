//! What is counted, and how it is written. Counted on the infer thread, written where somebody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sonofuse_core::drift::{DriftState, Stream};
use sonofuse_core::quality::Fault;
use sonofuse_core::reading::{Latency, Outcome, Reading, Withheld};
use sonofuse_core::words::Sentence;

use super::machine::{Machine, Values};

/// Buckets of the latencies, s: from a followed layout to a network on a slow processor.
const BUCKETS_S: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
/// Stages of a reading, as [`Latency`] has them.
const STAGES: [&str; 5] = ["queue", "layout", "preprocess", "network", "total"];

type Labels<const N: usize> = [(&'static str, String); N];
type Level = Gauge<f64, AtomicU64>;
type Levels<const N: usize> = Family<Labels<N>, Level>;

/// What is read when somebody asks.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Pictures taken from the source.
    pub frames: u64,
    /// Pictures that a newer one replaced before they were looked at.
    pub replaced: u64,
    /// How often the source went live anew.
    pub restarts: u64,
    /// How often the display's sink was built anew.
    pub display_restarts: u64,
    /// The source's state, one of [`Sample::STATES`].
    pub state: &'static str,
    /// Clients of the readings socket, and readings that slow ones lost.
    pub clients: [u64; 2],
    /// Commands that were done, and lines that were answered by an error.
    pub commands: [u64; 2],
    /// The last reading.
    pub latest: Option<Arc<Reading>>,
    /// The clock behind its `captured_ns`.
    pub now_ns: u64,
    /// The watch of drift; `None` where there is none.
    pub drift: Option<DriftState>,
    /// Bytes that are free where the daemon writes; `None` where it writes nothing.
    pub disk_free_bytes: Option<u64>,
}

impl Sample {
    /// States of a source.
    pub const STATES: [&'static str; 7] =
        ["connecting", "live", "no-signal", "stalled", "lost", "not-set-up", "ended"];
}

/// All that is counted.
#[derive(Debug)]
pub struct Meters {
    registry: Registry,
    outcomes: [Counter; 2],
    /// In the order of [`Withheld::ALL`].
    reasons: Vec<Counter>,
    /// In the order of [`STAGES`].
    stages: Vec<Histogram>,
    corrupted: Counter,
    read: ReadAtAsking,
    machine: Machine,
}

/// What is set anew each time that somebody asks.
#[derive(Debug)]
struct ReadAtAsking {
    frames: Counter,
    replaced: Counter,
    restarts: Counter,
    display_restarts: Counter,
    lost: Counter,
    done: Counter,
    refused: Counter,
    state: Levels<1>,
    faults: Levels<1>,
    model: Levels<3>,
    clients: Level,
    rate: Levels<1>,
    map_age: Levels<0>,
    reading_age: Levels<0>,
    disk: Levels<0>,
    shifted: Levels<1>,
    drift: Levels<1>,
    exams: Levels<1>,
    temperature: Levels<1>,
    power: Levels<1>,
    throttle: Levels<1>,
}

impl Meters {
    /// Counts from nothing, on the machine below `machine`.
    pub fn new(machine: Machine) -> Self {
        let mut registry = Registry::with_prefix("sonofuse");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        let readings: Family<Labels<1>, Counter> = Family::default();
        registry.register("readings", "Readings by outcome", readings.clone());
        let withheld: Family<Labels<1>, Counter> = Family::default();
        registry.register("withheld", "Readings without a score, by reason", withheld.clone());
        let latency: Family<Labels<1>, Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS_S));
        let help = "What a picture took by stage; total is from capture to the reading";
        registry.register_with_unit("latency", help, Unit::Seconds, latency.clone());
        let corrupted = Counter::default();
        let help = "Pictures that arrived damaged, and were not scored";
        registry.register("frames_corrupted", help, corrupted.clone());
        let one = |name: &'static str, value: &str| [(name, value.to_owned())];
        Self {
            outcomes: ["scored", "withheld"]
                .map(|outcome| readings.get_or_create_owned(&one("outcome", outcome))),
            reasons: Withheld::ALL
                .iter()
                .map(|reason| withheld.get_or_create_owned(&one("reason", reason.as_str())))
                .collect(),
            stages: STAGES
                .iter()
                .map(|stage| latency.get_or_create_owned(&one("stage", stage)))
                .collect(),
            corrupted,
            read: ReadAtAsking::register(&mut registry),
            registry,
            machine,
        }
    }

    /// Counts a reading.
    pub fn observe(&self, reading: &Reading) {
        self.outcomes[usize::from(reading.outcome == Outcome::Withheld)].inc();
        if let Some(reason) = reading.reason
            && let Some(at) = Withheld::ALL.iter().position(|known| *known == reason)
        {
            self.reasons[at].inc();
        }
        if reading.size.is_none() {
            return;
        }
        if reading.detail_id.as_deref() == Some(Sentence::PictureDamaged.id()) {
            self.corrupted.inc();
        }
        let Latency { queue, layout, preprocess, network, total } = reading.latency_ms;
        let times_ms = [Some(queue), Some(layout), preprocess, network, Some(total)];
        for (stage, ms) in self.stages.iter().zip(times_ms) {
            if let Some(ms) = ms {
                stage.observe(f64::from(ms) / 1000.0);
            }
        }
    }

    /// The page, with what was read now.
    pub fn page(&self, sample: &Sample) -> String {
        self.read.set(sample);
        self.read.set_machine(&self.machine.read());
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}

impl ReadAtAsking {
    fn register(registry: &mut Registry) -> Self {
        fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        }
        fn levels<const N: usize>(
            registry: &mut Registry,
            (name, unit): (&str, Option<Unit>),
            help: &str,
        ) -> Levels<N> {
            let levels = Levels::default();
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, levels.clone()),
                None => registry.register(name, help, levels.clone()),
            }
            levels
        }
        let r = registry;
        let clients = Level::default();
        r.register("clients", "Clients of the readings socket", clients.clone());
        let (seconds, bytes) = (Some(Unit::Seconds), Some(Unit::Bytes));
        let (celsius, watts) = (Some(Unit::Celsius), Some(Unit::Other("watts".into())));
        let hertz = Some(Unit::Other("hertz".into()));
        Self {
            frames: counter(r, "frames", "Pictures taken from the source"),
            replaced: counter(r, "frames_replaced", "Pictures that a newer one replaced unseen"),
            restarts: counter(r, "source_restarts", "How often the source went live anew"),
            display_restarts: counter(
                r,
                "display_restarts",
                "How often the display was built anew",
            ),
            lost: counter(r, "client_readings_lost", "Readings that slow clients lost"),
            done: counter(r, "commands", "Commands that were done"),
            refused: counter(r, "commands_refused", "Commands that were answered by an error"),
            state: levels(r, ("source_state", None), "1 for the state that the source is in"),
            faults: levels(r, ("input_fault", None), "1 where the input has the fault"),
            model: levels(r, ("model", None), "1 for the model and what runs it"),
            rate: levels(r, ("source_rate", hertz), "Pictures a second, measured and agreed"),
            map_age: levels(r, ("map_age", seconds.clone()), "Age of the newest elastogram"),
            reading_age: levels(r, ("reading_age", seconds), "Age of the last reading's picture"),
            disk: levels(r, ("disk_free", bytes), "Free where the daemon writes"),
            shifted: levels(r, ("drift_shifted", None), "1 for a stream that has shifted"),
            drift: levels(
                r,
                ("drift_ratio", None),
                "How far the last examinations are from the first, 1: alarm",
            ),
            exams: levels(r, ("drift_exams", None), "Examinations of the reference, last ones"),
            temperature: levels(r, ("temperature", celsius), "Heat by zone, of the kernel"),
            power: levels(r, ("power", watts), "Power by rail, of the kernel"),
            throttle: levels(
                r,
                ("throttle_ratio", None),
                "How far a cooling device throttles, 0 to 1",
            ),
            clients,
        }
    }

    fn set(&self, sample: &Sample) {
        let counters = [
            (&self.frames, sample.frames),
            (&self.replaced, sample.replaced),
            (&self.restarts, sample.restarts),
            (&self.display_restarts, sample.display_restarts),
            (&self.lost, sample.clients[1]),
            (&self.done, sample.commands[0]),
            (&self.refused, sample.commands[1]),
        ];
        for (counter, value) in counters {
            // Never back: two who ask at once may come in either order.
            counter.inner().fetch_max(value, Ordering::Relaxed);
        }
        self.clients.set(sample.clients[0] as f64);
        for state in Sample::STATES {
            let is = f64::from(u8::from(state == sample.state));
            self.state.get_or_create(&[("state", state.to_owned())]).set(is);
        }
        level(&self.disk, sample.disk_free_bytes.map(|bytes| bytes as f64));
        if let Some(drift) = &sample.drift {
            self.set_drift(drift);
        }
        let Some(reading) = &sample.latest else { return };
        for fault in Fault::ALL {
            let is = f64::from(u8::from(reading.input.faults.has(*fault)));
            self.faults.get_or_create(&[("fault", fault.sentence().id().to_owned())]).set(is);
        }
        let model = &reading.model;
        self.model.clear();
        let labels = [
            ("name", model.name.clone()),
            ("digest", model.digest.clone()),
            ("backend", model.backend.clone()),
        ];
        self.model.get_or_create(&labels).set(1.0);
        for (of, hz) in [("measured", reading.input.rate_hz), ("agreed", reading.input.agreed_hz)] {
            let labels = [("of", of.to_owned())];
            match hz {
                Some(hz) => drop(self.rate.get_or_create(&labels).set(f64::from(hz))),
                None => drop(self.rate.remove(&labels)),
            }
        }
        level(&self.map_age, reading.age_ms.map(|ms| ms as f64 / 1000.0));
        let age_ns = sample.now_ns.saturating_sub(reading.captured_ns);
        level(&self.reading_age, Some(age_ns as f64 / 1e9));
    }

    fn set_drift(&self, drift: &DriftState) {
        for (of, exams) in [("reference", drift.reference), ("recent", drift.recent)] {
            self.exams.get_or_create(&[("of", of.to_owned())]).set(exams as f64);
        }
        for stream in Stream::ALL {
            let labels = [("stream", stream.as_str().to_owned())];
            let state = drift.streams.iter().find(|state| state.stream == stream);
            let shifted = state.is_some_and(|state| state.shifted);
            self.shifted.get_or_create(&labels).set(f64::from(u8::from(shifted)));
            match state {
                Some(state) => {
                    self.drift.get_or_create(&labels).set(f64::from(state.ratio));
                }
                None => {
                    self.drift.remove(&labels);
                }
            }
        }
    }

    fn set_machine(&self, values: &[(Values, String, f64)]) {
        for family in [&self.temperature, &self.power, &self.throttle] {
            family.clear();
        }
        for (of, name, value) in values {
            let (family, label) = match of {
                Values::Temperature => (&self.temperature, "zone"),
                Values::Power => (&self.power, "rail"),
                Values::Throttle => (&self.throttle, "device"),
            };
            family.get_or_create(&[(label, name.clone())]).set(*value);
        }
    }
}

/// Sets a level that may not be there.
fn level(family: &Levels<0>, value: Option<f64>) {
    match value {
        Some(value) => drop(family.get_or_create(&[]).set(value)),
        None => family.clear(),
    }
}
