//! Random decisions from a seed. Every decision takes exactly one number, so that concurrent
//! threads do not change later decisions.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub struct Dice(StdRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Returns a number below `count`, or 0 if `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        let number = self.0.random::<u64>() % u64::try_from(count.max(1)).unwrap();
        usize::try_from(number).unwrap()
    }

    /// Returns true in `often` of a hundred cases.
    pub fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Picks from a list that may be empty.
    pub fn find<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}
