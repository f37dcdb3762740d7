//! Volumes of EBS: what the CSI driver makes for claims, and what stays of them.

use serde::{Deserialize, Serialize};

use super::tags::Tags;

/// A volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    /// `vol-…`.
    pub id: String,
    /// As its claim asks for it, e.g. `20Gi`.
    pub size: String,
    /// The zone that it is in.
    pub zone: String,
    /// Tags, by which the driver says what it is for.
    pub tags: Tags,
}
