//! Limits of the number of connections: of the whole server, derived from the files that it may
//! open, and of each client address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Maximum of connections per worker, whatever the limit of open files. Bounds memory: an
/// idle connection takes about 20 KB, and up to 150 KB after a request of the largest size.
const PER_WORKER: usize = 10_000;

/// Smallest share of a client address, unless the server holds fewer connections.
const MIN_PER_ADDRESS: usize = 256;

/// Limits of the number of open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Connections of the whole server.
    pub(super) total: usize,
    /// Connections from one IPv4 address or one IPv6 /64 network.
    pub(super) per_address: usize,
    /// Connections from one IPv6 /56 or /48 network.
    pub(super) per_site: usize,
}

impl Capacity {
    /// Derives the limits from the number of `files` that may be open. `reserved` of them are not
    /// for connections.
    pub(super) fn of(files: usize, reserved: usize, workers: usize) -> Self {
        let total = files.saturating_sub(reserved).max(files / 2);
        let total = total.clamp(workers, PER_WORKER * workers);
        let share = |divisor: usize| (total / divisor).max(MIN_PER_ADDRESS).min(total);
        Self {
            total,
            per_address: share(4),
            per_site: share(2),
        }
    }

    /// Returns the maximum of connections from `network`.
    fn of_network(&self, network: &IpNet) -> usize {
        let is_site = matches!(network, IpNet::V6(network) if network.prefix_len() < 64);
        if is_site {
            self.per_site
        } else {
            self.per_address
        }
    }
}

/// Raises the soft limit of open files to the hard limit, if the system allows it. Returns the soft
/// limit.
pub(super) fn raise_file_limit() -> usize {
    let present = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: present.maximum,
        maximum: present.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => present.maximum,
        Err(error) => {
            log::warn!("cannot raise the limit of open files: {error}");
            present.current
        }
    };
    let files = limit.and_then(|files| usize::try_from(files).ok());
    // Absent is unlimited.
    files.unwrap_or(usize::MAX)
}

/// Open connections of each client network. All workers share them.
#[derive(Clone)]
pub(super) struct Networks {
    open: Arc<Mutex<HashMap<IpNet, Open>>>,
    capacity: Capacity,
}

/// Connections of one network.
#[derive(Default)]
struct Open {
    connections: usize,
    /// True if a refusal was logged. One line per refusal would let a client fill the log.
    is_reported: bool,
}

impl Networks {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            open: Arc::default(),
            capacity,
        }
    }

    /// Counts a connection from a client of these `networks`. `None` if it is one too many.
    pub(super) fn admit(&self, networks: impl Iterator<Item = IpNet> + Clone) -> Option<Permit> {
        let mut all = self.lock();
        for network in networks.clone() {
            let maximum = self.capacity.of_network(&network);
            let full = all.get_mut(&network);
            if let Some(open) = full.filter(|open| open.connections >= maximum) {
                open.report(&network);
                return None;
            }
        }
        for network in networks.clone() {
            all.entry(network).or_default().connections += 1;
        }
        Some(Permit {
            all: self.clone(),
            networks: networks.collect(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpNet, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn report(&mut self, network: &IpNet) {
        if !self.is_reported {
            self.is_reported = true;
            log::warn!(
                "{network} has {} connections: refused one more",
                self.connections
            );
        }
    }
}

/// Counted connection. Dropping it makes room for another one.
pub(super) struct Permit {
    all: Networks,
    networks: Vec<IpNet>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        for network in &self.networks {
            let left = all.get_mut(network).map(|open| {
                open.connections -= 1;
                open.connections
            });
            if left == Some(0) {
                all.remove(network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        for (files, reserved, workers, total, per_address, per_site) in [
            (1024, 124, 2, 900, 256, 450),
            (20_000, 100, 3, 19_900, 4975, 9950),
            (1_048_576, 100, 2, 20_000, 5000, 10_000),
            (usize::MAX, 100, 1, 10_000, 2500, 5000),
            (300, 100, 2, 200, 200, 200),
            // The reserve takes half at most.
            (100, 400, 2, 50, 50, 50),
            (2, 400, 3, 3, 3, 3),
        ] {
            let capacity = Capacity::of(files, reserved, workers);
            let expected = Capacity {
                total,
                per_address,
                per_site,
            };
            assert_eq!(capacity, expected, "{files}");
        }
    }

    /// Networks with a share of two connections, and of three for an IPv6 site.
    fn small() -> Networks {
        Networks::new(Capacity {
            total: 6,
            per_address: 2,
            per_site: 3,
        })
    }

    fn admit(all: &Networks, networks: &[&str]) -> Option<Permit> {
        let networks = networks.iter().map(|text| text.parse().expect("a network"));
        all.admit(networks)
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        for (one, other) in [
            ("192.0.2.1/32", "192.0.2.2/32"),
            ("2001:db8::/64", "2001:db8:0:1::/64"),
        ] {
            let all = small();
            let first = admit(&all, &[one]);
            let second = admit(&all, &[one]);
            assert!(first.is_some() && second.is_some());
            assert!(admit(&all, &[one]).is_none());
            assert!(admit(&all, &[other]).is_some());
            drop(first);
            assert!(admit(&all, &[one]).is_some());
            drop(second);
            assert!(all.lock().is_empty(), "nothing is kept");
        }
    }

    #[test]
    fn an_ipv6_site_has_its_share_whatever_the_number_of_its_networks() {
        for site in ["2001:db8::/56", "2001:db8::/48"] {
            let all = small();
            let [one, other] = ["2001:db8:0:1::/64", "2001:db8:0:2::/64"];
            let permits = [one, one, other].map(|network| admit(&all, &[network, site]));
            assert!(permits.iter().all(Option::is_some));
            assert!(admit(&all, &[other, site]).is_none());
            for foreign in ["2001:db8:1::/48", "192.0.2.1/32"] {
                assert!(admit(&all, &[foreign]).is_some(), "{foreign}");
            }
            drop(permits);
            assert!(all.lock().is_empty(), "nothing is kept");
        }
    }
}
