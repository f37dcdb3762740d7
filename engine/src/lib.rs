//! Plans and applies a graph of resources.
//!
//! The engine knows no cloud, prints nothing and reads no environment. It owns the
//! ports: [`provider::Provider`] (what a kind of resource can do),
//! [`store::StateStore`] (where state rests) and [`objects::ObjectStore`] (what such a
//! store may rest on).

pub mod apply;
pub mod context;
pub mod drift;
pub mod dry_run;
pub mod edit;
pub mod error;
pub mod event;
pub mod history;
pub mod import;
pub mod input;
pub mod journal;
mod limits;
pub mod names;
pub mod objects;
pub mod ops;
pub mod plan;
pub mod provider;
pub mod rebuild;
pub mod retry;
pub mod saved;
pub mod stack;
pub mod store;
pub mod unread;
pub mod urn;
pub mod value;
