//! One adaptive rate limit per service: additive increase, halved on throttling.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Calls per second that a service starts with and may rise to. EKS allows about 5 to
/// 20 a second by operation, EC2 20 to 100, IAM about 20.
const START: f64 = 20.0;
const CEILING: f64 = 50.0;
const FLOOR: f64 = 0.5;

#[derive(Debug)]
struct Limit {
    per_second: f64,
    next: Instant,
    last_cut: Option<Instant>,
}

/// The limits of a run, by service.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    services: Mutex<HashMap<&'static str, Limit>>,
}

impl Limits {
    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Limit>> {
        // A panic while holding the lock leaves numbers that are still usable.
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the service's next free slot.
    pub async fn acquire(&self, service: &'static str, scale: u32) {
        let slot = {
            let mut services = self.lock();
            let now = Instant::now();
            let limit = services.entry(service).or_insert(Limit { per_second: START, next: now, last_cut: None });
            let slot = limit.next.max(now);
            limit.next = slot + Duration::from_secs_f64(1.0 / (limit.per_second * f64::from(scale)));
            slot
        };
        tokio::time::sleep_until(slot).await;
    }

    /// A call went through.
    pub fn succeeded(&self, service: &'static str) {
        if let Some(limit) = self.lock().get_mut(service) {
            limit.per_second = (limit.per_second + 0.2).min(CEILING);
        }
    }

    /// A call was throttled. One burst of refusals halves the rate once, not once
    /// for each call of the burst.
    pub fn throttled(&self, service: &'static str) {
        if let Some(limit) = self.lock().get_mut(service) {
            let now = Instant::now();
            if limit.last_cut.is_none_or(|cut| now - cut > Duration::from_secs(1)) {
                limit.per_second = (limit.per_second / 2.0).max(FLOOR);
                limit.last_cut = Some(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_once_per_burst() {
        let limits = Limits::default();
        let began = Instant::now();
        for _ in 0..21 {
            limits.acquire("eks", 1).await;
        }
        assert_eq!(began.elapsed().as_millis(), 1000);
        limits.throttled("eks");
        limits.throttled("eks");
        let began = Instant::now();
        for _ in 0..11 {
            limits.acquire("eks", 1).await;
        }
        // The first slot was given out at the old rate.
        assert!((900..=1100).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn services_do_not_share() {
        let limits = Limits::default();
        limits.acquire("eks", 1).await;
        let began = Instant::now();
        limits.acquire("iam", 1).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
