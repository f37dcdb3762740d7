//! Exceptions from the built-in policies: they name one, and say why.

use std::collections::BTreeMap;

use super::super::diagnostic::{Code, Diagnostic, nearest, quoted};
use super::super::spans::key_path;
use super::Context;
use crate::platform::policy;

/// A reason has at least so many characters: `ok` is none.
const SHORTEST: usize = 8;

pub fn check(context: &mut Context<'_>) {
    let Some(allowed) = context.section::<BTreeMap<String, String>>("/policy/allow") else {
        return;
    };
    for (name, reason) in &allowed {
        let path = key_path("policy.allow", name);
        if !policy::built_in().any(|known| known == name) {
            let cure = match nearest(name, policy::built_in()) {
                Some(near) => format!("write `{near}`"),
                None => format!("there are {}", policy::built_in().collect::<Vec<_>>().join(", ")),
            };
            let found = Diagnostic::error(
                Code::UnknownKey,
                format!("there is no built-in policy {}; rules in files of your own are changed there", quoted(name)),
                cure,
            );
            context.at_key(&path, found);
        }
        if reason.trim().chars().count() < SHORTEST {
            let found = Diagnostic::error(
                Code::OutOfRange,
                format!("{} gives no reason why the policy does not hold here", quoted(reason)),
                "write the reason as a sentence; previews show it",
            );
            context.at(&path, found);
        }
    }
}
