//! Limits of the number of connections: of the whole server, derived from the files that it may
//! open, and of each client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Connections from one IPv4 address or one IPv6 network (/64).
    pub(super) per_address: usize,
}

impl Capacity {
    /// Derives the limits from the number of `files` that may be open. `reserved` of them are not
    /// for connections.
    pub(super) fn of(files: usize, reserved: usize, workers: usize) -> Self {
        let total = files.saturating_sub(reserved).max(files / 2);
        let total = total.clamp(workers, PER_WORKER * workers);
        Self {
            total,
            per_address: (total / 4).max(MIN_PER_ADDRESS).min(total),
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

/// Open connections of each client address. All workers share it.
#[derive(Clone)]
pub(super) struct Addresses {
    open: Arc<Mutex<HashMap<IpAddr, Open>>>,
    maximum: usize,
}

/// Connections of one address.
#[derive(Default)]
struct Open {
    connections: usize,
    /// True if a refusal was logged. One line per refusal would let a client fill the log.
    is_reported: bool,
}

impl Addresses {
    pub(super) fn new(maximum: usize) -> Self {
        Self {
            open: Arc::default(),
            maximum,
        }
    }

    /// Counts a connection from `address`. `None` if it is one too many.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Permit> {
        let mut addresses = self.lock();
        let open = addresses.entry(address).or_default();
        if open.connections < self.maximum {
            open.connections += 1;
            return Some(Permit {
                addresses: self.clone(),
                address,
            });
        }
        if !open.is_reported {
            open.is_reported = true;
            log::warn!(
                "{address} has {} connections: refused one more",
                self.maximum
            );
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted connection. Dropping it makes room for another one.
pub(super) struct Permit {
    addresses: Addresses,
    address: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut addresses = self.addresses.lock();
        if let Some(open) = addresses.get_mut(&self.address) {
            open.connections -= 1;
            if open.connections == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        for (files, reserved, workers, total, per_address) in [
            (1024, 124, 2, 900, 256),
            (20_000, 100, 3, 19_900, 4975),
            (1_048_576, 100, 2, 20_000, 5000),
            (usize::MAX, 100, 1, 10_000, 2500),
            (300, 100, 2, 200, 200),
            // The reserve takes half at most.
            (100, 400, 2, 50, 50),
            (2, 400, 3, 3, 3),
        ] {
            let capacity = Capacity::of(files, reserved, workers);
            assert_eq!(capacity, Capacity { total, per_address }, "{files}");
        }
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let addresses = Addresses::new(2);
        let [one, other] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        let first = addresses.admit(one);
        let second = addresses.admit(one);
        assert!(first.is_some() && second.is_some());
        assert!(addresses.admit(one).is_none());
        assert!(addresses.admit(other).is_some());
        drop(first);
        assert!(addresses.admit(one).is_some());
        drop(second);
        assert!(addresses.lock().is_empty(), "nothing is kept");
    }
}
