//! Whose is it? Every taggable object carries its stack, its resource and the nonce
//! of the intent that made it.

use std::collections::BTreeMap;

use rayplat_engine::{
    context::Ctx,
    provider::{Discovered, Marks, Recovered},
    urn::Urn,
};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// The stack's name.
pub const STACK_TAG: &str = "rayplat:stack";
/// The resource's URN.
pub const URN_TAG: &str = "rayplat:urn";
/// The nonce of the intent that made the object.
pub const NONCE_TAG: &str = "rayplat:nonce";

/// Which object of the resource it is: 0, then one more for each replacement.
pub const GENERATION_TAG: &str = "rayplat:generation";

/// The user's tags and ours.
pub fn all_tags(ctx: &Ctx, tags: &Tags) -> Tags {
    let mut all = tags.clone();
    all.insert(STACK_TAG.to_owned(), ctx.stack().to_owned());
    all.insert(URN_TAG.to_owned(), ctx.urn().to_string());
    all.insert(NONCE_TAG.to_owned(), ctx.nonce().to_owned());
    all.insert(GENERATION_TAG.to_owned(), ctx.generation().to_string());
    all
}

/// The tags without ours and AWS's.
pub fn users_tags(tags: &Tags) -> Tags {
    tags.iter()
        .filter(|(key, _)| !key.starts_with("rayplat:") && !key.starts_with("aws:"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Whose an object is, by its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Made by this very intent.
    Mine,
    /// Of this stack and resource, made by an intent that the state does not know.
    OfThisStack,
    /// Somebody else's.
    Foreign,
}

/// The object with these tags, if it is one of the context's stack and kind.
pub fn discovered(ctx: &Ctx, kind: &str, id: &str, tags: &Tags) -> Option<Discovered> {
    let urn: Urn = tags.get(URN_TAG)?.parse().ok()?;
    if tags.get(STACK_TAG)? != ctx.stack() || urn.kind() != kind {
        return None;
    }
    Some(Discovered {
        urn,
        generation: tags.get(GENERATION_TAG).and_then(|text| text.parse().ok()).unwrap_or_default(),
        nonce: tags.get(NONCE_TAG).cloned().unwrap_or_default(),
        id: id.to_owned(),
    })
}

/// Reads the ownership tags.
pub fn ownership(ctx: &Ctx, tags: &Tags) -> Ownership {
    let is = |key: &str, value: &str| tags.get(key).is_some_and(|found| found == value);
    if !is(STACK_TAG, ctx.stack()) || !is(URN_TAG, ctx.urn().as_str()) {
        Ownership::Foreign
    } else if is(NONCE_TAG, ctx.nonce()) {
        Ownership::Mine
    } else {
        Ownership::OfThisStack
    }
}

/// What the ownership tags say, for an object that stood before.
pub fn marks(tags: &Tags) -> Marks {
    let get = |key: &str| tags.get(key).cloned();
    Marks::Read { stack: get(STACK_TAG), urn: get(URN_TAG), nonce: get(NONCE_TAG) }
}

impl Ownership {
    /// As the result of a recovery.
    pub fn recovered(self, id: impl Into<String>) -> Recovered {
        match self {
            Self::Mine => Recovered::Mine(id.into()),
            Self::OfThisStack => Recovered::OfThisStack(id.into()),
            Self::Foreign => Recovered::Foreign(id.into()),
        }
    }
}
