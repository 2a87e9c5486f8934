//! Fairness between callers. Waiting work is sorted into lanes, and the lanes take turns. One busy
//! caller therefore delays each other caller by one turn at most.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio::sync::oneshot;

use crate::domain::api_key::HashedApiKey;
use crate::domain::ids::OrganizationRef;

/// Lane of a piece of work: the caller, hashed to a number. Two callers share a lane only by
/// chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lane(u64);

impl Lane {
    /// Lane of the command line.
    pub const OPERATOR: Self = Self(0);

    /// Lane of the jobs of the server.
    pub const JOBS: Self = Self(1);

    /// Lane of changes that are stored together.
    pub(super) const GROUP_COMMIT: Self = Self(2);

    /// Returns the lane of work for an organization.
    pub fn of(organization: &OrganizationRef) -> Self {
        let mut hasher = DefaultHasher::new();
        organization.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Returns the lane of the lookup of an API key that is known to exist.
    pub fn of_key(hash: &HashedApiKey) -> Self {
        let mut hasher = DefaultHasher::new();
        hash.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Returns the lane of the lookup of an API key that may not exist. Its client invents as many
    /// keys as it likes, but not networks.
    pub fn of_network(network: &IpNet) -> Self {
        let mut hasher = DefaultHasher::new();
        network.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Waiting items. Lanes take turns, and the items of one lane are first in, first out.
pub(super) struct Turns<T> {
    lanes: HashMap<Lane, VecDeque<T>>,
    /// Lanes that have items, the next one first.
    order: VecDeque<Lane>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Turns<T> {
    /// Returns the number of waiting items in `lane`.
    pub(super) fn waiting_in(&self, lane: Lane) -> usize {
        self.lanes.get(&lane).map_or(0, VecDeque::len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Adds `item` at the end of `lane`.
    pub(super) fn push(&mut self, lane: Lane, item: T) {
        let items = self.lanes.entry(lane).or_default();
        if items.is_empty() {
            self.order.push_back(lane);
        }
        items.push_back(item);
    }

    /// Takes the first item of the next lane that `may_run`. A lane that may not run keeps its
    /// turn.
    pub(super) fn take(&mut self, may_run: impl Fn(Lane) -> bool) -> Option<(Lane, T)> {
        let turn = self.order.iter().position(|lane| may_run(*lane))?;
        let lane = self.order.remove(turn)?;
        let items = self.lanes.get_mut(&lane)?;
        let item = items.pop_front()?;
        if items.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.order.push_back(lane);
        }
        Some((lane, item))
    }

    /// Removes one item of `lane`, which `compare` finds in the order of the items.
    fn remove(&mut self, lane: Lane, compare: impl Fn(&T) -> std::cmp::Ordering) {
        let Some(items) = self.lanes.get_mut(&lane) else {
            return;
        };
        if let Ok(place) = items.binary_search_by(compare) {
            items.remove(place);
        }
        if items.is_empty() {
            self.lanes.remove(&lane);
            // Usually near the front, because waits that begin first time out first.
            if let Some(turn) = self.order.iter().position(|other| *other == lane) {
                self.order.remove(turn);
            }
        }
    }
}

/// A fixed number of permits, of which one lane can have only some. Lanes that wait take turns.
pub(super) struct FairPermits {
    most_per_lane: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    /// Number of permits of each lane that has some.
    held: HashMap<Lane, usize>,
    /// Empty while a permit is free, apart from lanes that have all the permits they may have.
    waiting: Turns<Waiter>,
    next_ticket: u64,
}

struct Waiter {
    ticket: u64,
    grant: oneshot::Sender<Permit>,
}

impl FairPermits {
    /// Makes `total` permits, of which one lane can have `most_per_lane`.
    pub(super) fn new(total: usize, most_per_lane: usize) -> Arc<Self> {
        Arc::new(Self {
            most_per_lane,
            state: Mutex::new(State {
                free: total,
                held: HashMap::new(),
                waiting: Turns::default(),
                next_ticket: 0,
            }),
        })
    }

    /// Waits for a permit. A caller that stops waiting loses its turn.
    pub(super) async fn acquire(self: &Arc<Self>, lane: Lane) -> Permit {
        let mut waiting = {
            let mut state = self.lock();
            if state.may_take(lane, self.most_per_lane) {
                return self.permit(&mut state, lane);
            }
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            let (grant, granted) = oneshot::channel();
            state.waiting.push(lane, Waiter { ticket, grant });
            Waiting {
                permits: self,
                lane,
                ticket,
                granted,
            }
        };
        let granted = (&mut waiting.granted).await;
        granted.expect("a waiter is granted a permit or removes itself")
    }

    fn permit(self: &Arc<Self>, state: &mut State, lane: Lane) -> Permit {
        state.free -= 1;
        *state.held.entry(lane).or_default() += 1;
        Permit {
            permits: Arc::clone(self),
            lane,
        }
    }

    /// Takes the permit of a lane back and gives it to the next waiter.
    fn release(self: &Arc<Self>, lane: Lane) {
        let mut state = self.lock();
        state.free += 1;
        if let Some(held) = state.held.get_mut(&lane) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&lane);
            }
        }
        let State { held, waiting, .. } = &mut *state;
        let most = self.most_per_lane;
        let Some((lane, waiter)) = waiting.take(|lane| count(held, lane) < most) else {
            return;
        };
        let permit = self.permit(&mut state, lane);
        drop(state);
        // A permit that comes back, because its waiter has just gone, goes to the next one.
        drop(waiter.grant.send(permit));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_take(&self, lane: Lane, most: usize) -> bool {
        self.free > 0 && count(&self.held, lane) < most
    }
}

fn count(held: &HashMap<Lane, usize>, lane: Lane) -> usize {
    held.get(&lane).copied().unwrap_or_default()
}

/// One of [`FairPermits`]. Dropping it gives it to the next waiter.
pub(super) struct Permit {
    permits: Arc<FairPermits>,
    lane: Lane,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.release(self.lane);
    }
}

/// Place in the queue. Dropping it removes the waiter, or releases the permit that it was granted.
struct Waiting<'a> {
    permits: &'a FairPermits,
    lane: Lane,
    ticket: u64,
    granted: oneshot::Receiver<Permit>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.permits.lock();
        state
            .waiting
            .remove(self.lane, |waiter| waiter.ticket.cmp(&self.ticket));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    type Acquire = Pin<Box<dyn Future<Output = Permit>>>;

    fn acquire(permits: &Arc<FairPermits>, lane: u64) -> Acquire {
        let permits = Arc::clone(permits);
        Box::pin(async move { permits.acquire(Lane(lane)).await })
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// A caller of this lane asks for a permit.
        Acquire(u64),
        /// A waiting caller goes away.
        Cancel(usize),
        /// A permit is released.
        Release(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..5_u64).prop_map(Step::Acquire),
            any::<usize>().prop_map(Step::Cancel),
            any::<usize>().prop_map(Step::Release),
        ];
        prop::collection::vec(step, 1..200)
    }

    /// Permits and their users, as a model that polls every waiter after each step.
    struct Model {
        permits: Arc<FairPermits>,
        waiting: Vec<(u64, Acquire)>,
        held: Vec<(u64, Permit)>,
    }

    impl Model {
        fn run(&mut self, step: &Step) {
            match step {
                Step::Acquire(lane) => self.waiting.push((*lane, acquire(&self.permits, *lane))),
                Step::Cancel(which) if !self.waiting.is_empty() => {
                    drop(self.waiting.remove(which % self.waiting.len()));
                }
                Step::Release(which) if !self.held.is_empty() => {
                    drop(self.held.remove(which % self.held.len()));
                }
                Step::Cancel(_) | Step::Release(_) => {}
            }
            self.poll();
        }

        fn poll(&mut self) {
            for (lane, mut waiting) in std::mem::take(&mut self.waiting) {
                match waiting.as_mut().now_or_never() {
                    Some(permit) => self.held.push((lane, permit)),
                    None => self.waiting.push((lane, waiting)),
                }
            }
        }

        fn held_by(&self, lane: u64) -> usize {
            self.held.iter().filter(|(other, _)| *other == lane).count()
        }
    }

    proptest! {
        #[test]
        fn permits_are_never_exceeded_nor_lost(
            total in 1..4_usize, most in 1..4_usize, steps in steps()
        ) {
            let permits = FairPermits::new(total, most);
            let mut model = Model { permits, waiting: Vec::new(), held: Vec::new() };
            for step in &steps {
                model.run(step);
                prop_assert!(model.held.len() <= total);
                prop_assert!((0..5).all(|lane| model.held_by(lane) <= most));
                let is_full = model.held.len() == total;
                for (lane, _) in &model.waiting {
                    prop_assert!(is_full || model.held_by(*lane) == most, "{lane} waits in vain");
                }
            }
            model.waiting.clear();
            model.held.clear();
            let state = model.permits.lock();
            prop_assert_eq!(state.free, total);
            prop_assert!(state.held.is_empty() && state.waiting.order.is_empty());
            prop_assert!(state.waiting.lanes.is_empty());
        }

        #[test]
        fn an_arrival_waits_for_one_turn_of_each_other_lane_at_most(
            floods in prop::collection::vec(1..40_usize, 1..5)
        ) {
            let permits = FairPermits::new(1, 1);
            let mut model = Model { permits, waiting: Vec::new(), held: Vec::new() };
            for (lane, waiters) in (1..).zip(&floods) {
                (0..*waiters).for_each(|_| model.run(&Step::Acquire(lane)));
            }
            model.run(&Step::Acquire(0));
            let mut turns = 0;
            while model.held_by(0) == 0 {
                model.run(&Step::Release(0));
                turns += 1;
            }
            prop_assert!(turns <= floods.len() + 1, "{turns} turns of {floods:?}");
        }
    }

    #[test]
    fn a_lane_is_served_in_order() {
        let permits = FairPermits::new(1, 1);
        let held = acquire(&permits, 0).now_or_never().expect("it is free");
        let mut waiting: Vec<Acquire> = (0..3).map(|_| acquire(&permits, 0)).collect();
        assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()));
        drop(held);
        for mut next in waiting {
            assert!(next.as_mut().now_or_never().is_some());
        }
    }
}
