//! Where a cluster's API is.

use serde::{Deserialize, Serialize};

/// The way into a cluster: three outputs of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterAccess {
    /// The cluster's name, which its tokens are for.
    pub name: String,
    /// `https://...`; another one is another cluster, even under the same name.
    pub endpoint: String,
    /// The certificate authority of the endpoint, PEM in base64.
    pub certificate_authority: String,
}
