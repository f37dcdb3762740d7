//! What cannot be read because whoever reads is locked out, while the plan lets them in again.
//!
//! Otherwise a run could never mend the very thing that keeps it from reading. What is not read is
//! taken as recorded; the next run compares it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    apply::Session,
    error::{Error, ErrorClass, ProviderError},
    event::Event,
    plan::Plan,
    provider::Action,
    store::Object,
    urn::Urn,
};

/// An object that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The resource.
    pub urn: Urn,
    /// Why.
    pub error: ProviderError,
}

impl From<Unread> for Error {
    fn from(Unread { urn, error }: Unread) -> Self {
        Self::Read { urn, source: error }
    }
}

impl Session {
    /// True if somebody who was let in again could read the object after all.
    pub(crate) fn locked_out(&self, object: &Object, error: &ProviderError) -> bool {
        error.class == ErrorClass::Denied && !self.let_in_by(&object.urn).is_empty()
    }

    fn let_in_by(&self, urn: &Urn) -> &'static [&'static str] {
        self.registry.get(urn.kind()).map_or(&[], |provider| provider.info().let_in_by)
    }

    /// Lets the plan pass without what was not read, if it makes or changes what lets us in to
    /// each of it; and says so.
    pub(crate) async fn pass_over(&mut self, unread: &[Unread], plan: &Plan) -> Result<(), Error> {
        for one in unread {
            let doors = self.let_in_by(&one.urn);
            let below = self.below(&one.urn);
            let opens = plan.steps.iter().any(|step| {
                let done = matches!(step.action, Action::Create | Action::Update);
                done && doors.contains(&step.urn.kind()) && below.contains(&step.urn)
            });
            if !opens {
                return Err(one.clone().into());
            }
        }
        if let Some(first) = unread.first() {
            let urns = unread.iter().map(|one| one.urn.clone()).collect();
            self.event(Event::Unread { urns, message: first.error.to_string() });
            self.commit().await?;
        }
        Ok(())
    }

    /// All that an object was made from.
    fn below(&self, urn: &Urn) -> BTreeSet<Urn> {
        let mut found = BTreeSet::new();
        let mut next = vec![urn.clone()];
        while let Some(urn) = next.pop() {
            let object = self.checkpoint.current(&urn);
            for on in object.into_iter().flat_map(|object| &object.depends_on) {
                if found.insert(on.clone()) {
                    next.push(on.clone());
                }
            }
        }
        found
    }
}
