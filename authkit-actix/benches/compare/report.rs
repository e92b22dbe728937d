//! Figures, and what they must be.

use serde_json::{Value, json};

/// A figure of which smaller or larger is better, as the benchmark's rounds gave it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) goal: Goal,
    samples: Vec<f64>,
}

#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtMost {
        must: f64,
        aim: f64,
    },
    AtLeast {
        must: f64,
        aim: f64,
    },
    /// For comparison only.
    None,
}

/// The middle of some samples, the least and the most.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Row {
    /// A figure computed round by round, so that what disturbs a whole round disturbs no ratio.
    pub(crate) fn new(name: &'static str, goal: Goal, samples: impl Iterator<Item = f64>) -> Self {
        Self {
            name,
            goal,
            samples: samples.collect(),
        }
    }

    /// Whether the figure misses what it must be by more than the tolerance.
    pub(crate) fn fails(&self) -> bool {
        self.misses_by(TOLERANCE)
    }

    fn misses_by(&self, tolerance: f64) -> bool {
        let median = self.spread().median;
        match self.goal {
            Goal::AtMost { must, .. } => median > must * (1.0 + tolerance),
            Goal::AtLeast { must, .. } => median < must * (1.0 - tolerance),
            Goal::None => false,
        }
    }

    pub(crate) fn print(&self) {
        let Spread {
            median,
            least,
            most,
        } = self.spread();
        let goal = match self.goal {
            Goal::AtMost { must, aim } => format!("must be <= {must}, aim {aim}"),
            Goal::AtLeast { must, aim } => format!("must be >= {must}, aim {aim}"),
            Goal::None => String::new(),
        };
        let name = self.name;
        println!("{name:<58} {median:>8.3}  {least:>8.3} .. {most:<8.3}  {goal}");
    }

    pub(crate) fn json(&self) -> Value {
        let mut json = self.spread().json();
        if let Goal::AtMost { must, aim } | Goal::AtLeast { must, aim } = self.goal {
            json["must"] = json!(must);
            json["aim"] = json!(aim);
            json["misses"] = json!(self.misses_by(0.0));
        }
        json["name"] = json!(self.name);
        json
    }

    fn spread(&self) -> Spread {
        Spread::of(&self.samples)
    }
}

impl Spread {
    pub(crate) fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            median: sorted[sorted.len() / 2],
            least: sorted[0],
            most: sorted[sorted.len() - 1],
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "median": self.median, "least": self.least, "most": self.most })
    }
}

const TOLERANCE: f64 = 0.15;
