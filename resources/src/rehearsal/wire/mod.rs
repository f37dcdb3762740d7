//! The wire formats of the services.

pub mod rest_json;
