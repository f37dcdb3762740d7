//! What IAM holds.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::Account;

/// What the service holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub roles: BTreeMap<String, Role>,
    /// The account's own managed policies, by ARN.
    pub policies: BTreeMap<String, ManagedPolicy>,
    /// By ARN.
    pub oidc_providers: BTreeMap<String, OidcProvider>,
    /// Instance profiles that EKS made for node groups: name to role name. A role in
    /// one cannot be deleted.
    pub instance_profiles: BTreeMap<String, String>,
}

/// A managed policy of the account's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// Unique in the account, whatever its path.
    pub name: String,
    /// Begins and ends with a slash.
    pub path: String,
    /// `ANPA` and 17 more.
    pub id: String,
    /// With the path.
    pub arn: String,
    /// Empty if none was given.
    pub description: String,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Oldest first.
    pub versions: Vec<PolicyVersion>,
    /// The number of the version in force.
    pub default_version: u32,
    /// The highest number ever given: numbers are not used twice.
    pub last_version: u32,
    /// In the order in which they were set.
    pub tags: IndexMap<String, String>,
}

/// A version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// 1 for `v1`.
    pub number: u32,
    /// JSON text.
    pub document: String,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OidcProvider {
    /// Without the scheme.
    pub url: String,
    /// Audiences.
    pub client_ids: Vec<String>,
    /// SHA-1, 40 hex digits each.
    pub thumbprints: Vec<String>,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// In the order in which they were set.
    pub tags: IndexMap<String, String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Unique in the account, whatever its path.
    pub name: String,
    /// Begins and ends with a slash.
    pub path: String,
    /// `AROA` and 17 more.
    pub id: String,
    /// With the path.
    pub arn: String,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// The trust policy that IAM's own answers show, as JSON text.
    pub trust_policy: String,
    /// The trust policy that other services see until [`Role::trust_visible_ms`].
    pub former_trust_policy: Option<String>,
    /// From when other services see [`Role::trust_policy`].
    pub trust_visible_ms: u64,
    /// Empty if none was given.
    pub description: String,
    /// Seconds.
    pub max_session: u32,
    /// ARN of the boundary policy.
    pub permissions_boundary: Option<String>,
    /// In the order in which they were set.
    pub tags: IndexMap<String, String>,
    /// Inline policies: name to JSON text.
    pub inline: BTreeMap<String, String>,
    /// Managed policies, in the order in which they were attached.
    pub attached: Vec<Attachment>,
    /// From when services other than IAM see the role.
    pub visible_ms: u64,
}

/// A managed policy on a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// ARN of the policy.
    pub policy_arn: String,
    /// From when services other than IAM see the attachment.
    pub visible_ms: u64,
}

impl Role {
    /// A role that everybody sees at once. `path` begins and ends with a slash.
    pub fn new(account: &mut Account, name: &str, path: &str, trust_policy: String) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            id: unique_id(account, "AROA"),
            arn: format!("arn:{}:iam::{}:role{path}{name}", account.partition(), account.account_id),
            created_ms: account.now_ms,
            trust_policy,
            former_trust_policy: None,
            trust_visible_ms: 0,
            description: String::new(),
            max_session: 3600,
            permissions_boundary: None,
            tags: IndexMap::new(),
            inline: BTreeMap::new(),
            attached: Vec::new(),
            visible_ms: 0,
        }
    }

    /// The trust policy as services other than IAM see it at `now_ms`.
    pub fn visible_trust_policy(&self, now_ms: u64) -> &str {
        match &self.former_trust_policy {
            Some(former) if now_ms < self.trust_visible_ms => former,
            _ => &self.trust_policy,
        }
    }

    /// The managed policies that services other than IAM see at `now_ms`.
    pub fn visible_policy_arns(&self, now_ms: u64) -> Vec<&str> {
        self.attached
            .iter()
            .filter(|attachment| attachment.visible_ms <= now_ms)
            .map(|attachment| attachment.policy_arn.as_str())
            .collect()
    }

    /// Does the trust policy that is visible at `now_ms` let the service `principal`
    /// (e.g. `eks.amazonaws.com`) do `action` (e.g. `sts:AssumeRole`)?
    pub fn trusts_service(&self, now_ms: u64, principal: &str, action: &str) -> bool {
        serde_json::from_str::<Value>(self.visible_trust_policy(now_ms))
            .is_ok_and(|policy| super::super::policy::lets_service(&policy, principal, action))
    }
}

/// An IAM unique id: the prefix and seventeen of A-Z2-7
/// (IAM user guide, "IAM identifiers").
pub fn unique_id(account: &mut Account, prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut id = prefix.to_owned();
    let (mut bits, mut left) = (0u64, 0);
    for _ in 0..17 {
        if left == 0 {
            (bits, left) = (account.draw_u64(), 12);
        }
        id.push(char::from(ALPHABET[(bits & 31) as usize]));
        bits >>= 5;
        left -= 1;
    }
    id
}
