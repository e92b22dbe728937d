use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
    SharedString, Unit,
};

/// What the process has counted and measured, by names and labels as Prometheus writes them; of a
/// histogram, `_count` and `_sum`.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    values: BTreeMap<String, f64>,
    described: BTreeSet<String>,
}

impl Recorder {
    /// Records from the first call on.
    pub(crate) fn of_this_process() -> Self {
        static RECORDER: OnceLock<Recorder> = OnceLock::new();
        RECORDER
            .get_or_init(|| {
                let recorder = Recorder::default();
                let installed = metrics::set_global_recorder(recorder.clone());
                assert!(installed.is_ok(), "the only recorder");
                recorder
            })
            .clone()
    }

    pub(crate) fn values(&self) -> BTreeMap<String, f64> {
        self.lock().values.clone()
    }

    /// The names that came with a description.
    pub(crate) fn described(&self) -> BTreeSet<String> {
        self.lock().described.clone()
    }

    fn line(&self, key: &Key, suffix: &str) -> Line {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}=\"{}\"", label.key(), label.value()))
            .collect();
        let labels = match labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        Line {
            recorder: self.clone(),
            name: format!("{}{suffix}{labels}", key.name()),
        }
    }

    fn describe(&self, name: KeyName) {
        self.lock().described.insert(name.as_str().to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().expect("no test panics with it")
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(name);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(name);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        assert!(unit.is_some(), "what is {} measured in?", name.as_str());
        self.describe(name);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(self.line(key, "")))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(self.line(key, "")))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Measured {
            count: self.line(key, "_count"),
            sum: self.line(key, "_sum"),
        }))
    }
}

/// One value.
struct Line {
    recorder: Recorder,
    name: String,
}

impl Line {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut recorded = self.recorder.lock();
        let value = recorded.values.entry(self.name.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Line {
    fn increment(&self, value: u64) {
        self.change(|before| before + value as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|_| value as f64);
    }
}

impl GaugeFn for Line {
    fn increment(&self, value: f64) {
        self.change(|before| before + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|before| before - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

struct Measured {
    count: Line,
    sum: Line,
}

impl HistogramFn for Measured {
    fn record(&self, value: f64) {
        self.count.change(|count| count + 1.0);
        self.sum.change(|sum| sum + value);
    }
}
