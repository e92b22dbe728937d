use std::{
    cell::Cell,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// Random enough numbers, from a seed that can be told.
pub(crate) struct Dice {
    seed: u64,
    state: Cell<u64>,
}

impl Dice {
    pub(crate) fn throw() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = u64::from(now.expect("after 1970").subsec_nanos()) | 1;
        Self {
            seed,
            state: Cell::new(seed),
        }
    }

    /// A number from zero up to this, which it is not. Xorshift, by G. Marsaglia.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        let mut state = self.state.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.state.set(state);
        state % limit
    }
}

impl fmt::Display for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)
    }
}
