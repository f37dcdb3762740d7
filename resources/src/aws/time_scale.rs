//! An emulated account over HTTP may run faster than real time and says so in a header;
//! our waits follow it. AWS sends no such header.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use rayplat_engine::context::{Clock, SystemClock};

/// How many times faster than real time the account runs.
pub const TIME_SCALE_HEADER: &str = "x-rayplat-time-scale";

/// The scale that the last answer told; 1 until one does. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TimeScale(Arc<AtomicU32>);

/// No answer told one.
const UNTOLD: u32 = 0;

impl Default for TimeScale {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(UNTOLD)))
    }
}

impl TimeScale {
    /// The scale.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed).max(1)
    }

    /// True if an answer told one: it came from an emulated account.
    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed) != UNTOLD
    }
}

impl Clock for TimeScale {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms()
    }

    fn time_scale(&self) -> u32 {
        self.get()
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for TimeScale {
    fn name(&self) -> &'static str {
        "TimeScale"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let told = context.response().headers().get(TIME_SCALE_HEADER).and_then(|scale| scale.parse().ok());
        if let Some(scale) = told {
            self.0.store(scale, Ordering::Relaxed);
        }
        Ok(())
    }
}
