//! Chance that a seed decides. Every decision takes one number, however many there are to choose
//! from, so that what other threads do meanwhile does not change what comes later.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub struct Dice(StdRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A number below `count`; 0 if there is none.
    pub fn below(&mut self, count: usize) -> usize {
        let number = self.0.random::<u64>() % u64::try_from(count.max(1)).unwrap();
        usize::try_from(number).unwrap()
    }

    /// Whether something happens that happens this often in a hundred times.
    pub fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// One of a list that may be empty.
    pub fn find<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}
