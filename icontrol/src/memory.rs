//! Memory for the bodies that are in flight between this process and its devices.
//!
//! One budget for all sessions of a process: at most 8 MiB for one device and 24 MiB in all. A body that takes
//! up to 256 KiB needs no place and never waits. A larger one takes a whole place of 8 MiB at once: of a budget
//! that is taken bit by bit, bodies that each hold a part of it could wait for each other for good. What counts
//! is what is held of a body, not what has passed through. Knows nothing of what the bodies are.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a body may take without a place.
pub(crate) const SMALL_BYTES_MAX: usize = 256 << 10;
/// What a body may take with one.
pub(crate) const PLACE_BYTES: usize = 8 << 20;
/// How many places there are, on different devices.
const PLACES: usize = 3;

/// The memory of a process for large bodies. Clones share it.
#[derive(Clone)]
pub struct BodyMemory(Arc<Places>);

struct Places {
    all: Arc<Semaphore>,
    /// One place for each device with a large body, by its `host:port`.
    devices: Mutex<HashMap<Arc<str>, Weak<Semaphore>>>,
}

/// The right to hold a large body, until it is dropped.
pub(crate) struct Place {
    _all: Option<OwnedSemaphorePermit>,
    _device: Option<OwnedSemaphorePermit>,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self(Arc::new(Places {
            all: Arc::new(Semaphore::new(PLACES)),
            devices: Mutex::default(),
        }))
    }
}

impl fmt::Debug for BodyMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyMemory").finish_non_exhaustive()
    }
}

impl BodyMemory {
    /// Waits for a place. A device that has one waits in its own queue, without keeping others waiting.
    pub(crate) async fn place(&self, device: &Arc<str>) -> Place {
        // Neither is ever closed.
        let of_device = self.of_device(device).acquire_owned().await.ok();
        let all = self.0.all.clone().acquire_owned().await.ok();
        Place {
            _all: all,
            _device: of_device,
        }
    }

    fn of_device(&self, device: &Arc<str>) -> Arc<Semaphore> {
        let devices = self.0.devices.lock();
        let mut devices = devices.unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = devices.get(device).and_then(Weak::upgrade) {
            return known;
        }
        devices.retain(|_, semaphore| semaphore.strong_count() > 0);
        let new = Arc::new(Semaphore::new(1));
        devices.insert(device.clone(), Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Whether a place is there at once.
    fn is_free(memory: &BodyMemory, device: &str) -> Option<Place> {
        let device = device.into();
        let mut place = std::pin::pin!(memory.place(&device));
        match place.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    #[test]
    fn device_has_one_buffer_and_the_process_three() {
        let memory = BodyMemory::default();
        let first = is_free(&memory, "a:443").unwrap();
        assert!(is_free(&memory.clone(), "a:443").is_none());
        let _second = is_free(&memory, "b:443").unwrap();
        let _third = is_free(&memory, "c:443").unwrap();
        assert!(is_free(&memory, "d:443").is_none());
        drop(first);
        assert!(is_free(&memory, "d:443").is_some());
    }

    #[test]
    fn devices_without_a_large_body_are_dropped() {
        let memory = BodyMemory::default();
        for number in 0..1_000 {
            assert!(is_free(&memory, &format!("device-{number}:443")).is_some());
        }
        assert_eq!(memory.0.devices.lock().unwrap().len(), 1);
    }
}
