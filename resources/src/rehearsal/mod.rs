//! An emulated AWS account: one state for all services, real life cycles, real
//! refusals, faults on demand. The AWS SDK talks to it through the real wire
//! formats, in the process (`connector`) or over HTTP (`serve`).

mod account;
pub mod autoscaling;
mod clients;
mod connector;
pub mod ec2;
pub mod eks;
mod error;
pub mod events;
pub mod faults;
mod handle;
pub mod iam;
pub mod kms;
pub mod kubernetes;
pub mod life;
pub mod logs;
pub mod params;
pub mod permissions;
pub mod policy;
pub mod pricing;
pub mod s3;
mod serve;
pub mod sqs;
mod store;
pub mod sts;
mod tamper;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod wire;

pub use account::{Account, DrawnDuration, LifecycleFailure, Seed};
#[cfg(test)]
pub(crate) use connector::to_wire;
pub use error::ApiError;
pub use handle::{Access, Rehearsal, RehearsalError, Reply};
pub use serve::{ServeOptions, serve};
