//! What is to become of each desired resource.

use std::collections::{BTreeSet, HashMap};

use crate::{
    error::Error,
    plan::{
        Kept, Reason,
        diff::{Change, Effect},
        order::Decided,
        pin,
    },
    provider::{DynProvider, Refusal, Registry, ReplaceOrder},
    stack::{Resource, Stack},
    store::{Checkpoint, Object, Phase},
    urn::Urn,
    value::{Lookup, Planned, output_field},
};

/// What is to become of one resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It stays as it is.
    Same,
    /// It is made; `resumed` if an interrupted creation is taken up.
    Create {
        /// Taken up.
        resumed: bool,
    },
    /// It is looked up.
    Read,
    /// It is changed in place.
    Update,
    /// A new object takes its place.
    Replace {
        /// Decided for the whole chain.
        order: ReplaceOrder,
        /// See [`crate::plan::Pair::certain`].
        certain: bool,
        /// Why.
        reason: Reason,
    },
}

/// A resource with its verdict.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The desired resource.
    pub resource: &'a Resource,
    /// What must stand until it is gone, sorted.
    pub depends_on: Vec<Urn>,
    /// The object that stands for it now.
    pub current: Option<&'a Object>,
    /// Its inputs as far as they are known now.
    pub planned: Planned,
    /// What differs.
    pub changes: Vec<Change>,
    /// What is to become of it.
    pub verdict: Verdict,
    /// The order that a replacement has or would have.
    pub order: ReplaceOrder,
    /// What is pinned and would differ.
    pub kept: Vec<Kept>,
}

/// Decides for each resource, in the stack's order. Those that are `insisted` on get a new
/// object.
///
/// # Errors
/// See [`crate::plan::plan`].
pub fn decide<'a>(
    stack: &'a Stack,
    checkpoint: &'a Checkpoint,
    registry: &Registry,
    insisted: &BTreeSet<Urn>,
) -> Result<Vec<Decision<'a>>, Error> {
    let mut decisions: Vec<Decision<'a>> = Vec::with_capacity(stack.len());
    let mut index: HashMap<&Urn, usize> = HashMap::with_capacity(stack.len());
    for resource in stack.resources() {
        let provider = provider(registry, &resource.urn)?;
        let lookup = |urn: &Urn, field: &str| match index.get(urn) {
            Some(at) => output(&decisions[*at], registry, field),
            None => Lookup::Missing,
        };
        let planned =
            resource.inputs.eval(&lookup).map_err(|source| Error::Eval { urn: resource.urn.clone(), source })?;
        if let Some(known) = planned.known() {
            provider
                .check(known)
                .map_err(|error| Error::Stack { urn: resource.urn.clone(), reason: error.to_string() })?;
        }
        let current = checkpoint.current(&resource.urn);
        let depends_on: Vec<Urn> = resource.outlived_by().into_iter().collect();
        let decided = Decided { checkpoint, decisions: &decisions, index: &index };
        let forced = current.is_some_and(|object| decided.goes_first(object, &depends_on));
        let order = if forced { ReplaceOrder::DeleteThenCreate } else { provider.info().replace_order };
        let insisted = insisted.contains(&resource.urn);
        let wish = Wish { resource, provider, current, order, forced, insisted };
        let (planned, kept, (verdict, changes)) = wish.with_pins(planned)?;
        index.insert(&resource.urn, decisions.len());
        decisions.push(Decision { resource, depends_on, current, planned, changes, verdict, order, kept });
    }
    Ok(decisions)
}

/// The provider of a resource's kind.
///
/// # Errors
/// Nobody registered it.
pub fn provider<'r>(registry: &'r Registry, urn: &Urn) -> Result<&'r dyn DynProvider, Error> {
    registry
        .get(urn.kind())
        .map(AsRef::as_ref)
        .ok_or_else(|| Error::UnknownKind { kind: urn.kind().to_owned(), urn: urn.clone() })
}

/// What a reference to an output of a decided resource gives. Outputs stay known
/// through an update unless the kind lists them as changing: otherwise one update
/// would cascade into replacements of everything behind it.
fn output(decision: &Decision<'_>, registry: &Registry, field: &str) -> Lookup {
    let keeps = match decision.verdict {
        Verdict::Same => true,
        Verdict::Update if labels_only(decision, registry) => true,
        Verdict::Update => {
            let top = field.split('.').next().unwrap_or(field);
            let changing = registry.get(decision.resource.urn.kind()).map_or(&[][..], |p| p.info().changes_on_update);
            !changing.contains(&top)
        }
        Verdict::Create { .. } | Verdict::Read | Verdict::Replace { .. } => false,
    };
    match decision.current.filter(|_| keeps) {
        Some(object) => output_field(&object.outputs, field).map_or(Lookup::Missing, |v| Lookup::Known(v.clone())),
        None => Lookup::Unknown,
    }
}

/// True if nothing but tags and the like is changed, which no output tells of.
fn labels_only(decision: &Decision<'_>, registry: &Registry) -> bool {
    let info = registry.get(decision.resource.urn.kind()).map(|provider| provider.info());
    let label = |path: &str| path == OWNERSHIP || info.is_some_and(|info| info.labels_only(path));
    decision.changes.iter().all(|change| label(&change.path))
}

/// One resource and what bears on its verdict.
struct Wish<'w> {
    resource: &'w Resource,
    provider: &'w dyn DynProvider,
    current: Option<&'w Object>,
    /// The order that a replacement would have.
    order: ReplaceOrder,
    /// Something that goes first takes it along.
    forced: bool,
    /// Somebody insists on a new object.
    insisted: bool,
}

type Judged = (Verdict, Vec<Change>);

impl Wish<'_> {
    /// Pinned fields stay as they are, unless a new object is needed all the same: that one
    /// is made as desired.
    fn with_pins(&self, wanted: Planned) -> Result<(Planned, Vec<Kept>, Judged), Error> {
        let pinned = self.current.filter(|object| !object.pinned.is_empty());
        let Some(object) = pinned else {
            let judged = self.verdict(&wanted)?;
            return Ok((wanted, Vec::new(), judged));
        };
        let held = pin::hold(wanted.clone(), &object.pinned);
        match self.verdict(&held)? {
            (Verdict::Replace { .. }, _) => {
                let judged = self.verdict(&wanted)?;
                Ok((wanted, Vec::new(), judged))
            }
            judged => {
                let kept = pin::kept(object, &wanted, &self.provider.diff(&object.inputs, &wanted));
                Ok((held, kept, judged))
            }
        }
    }

    fn verdict(&self, planned: &Planned) -> Result<Judged, Error> {
        let info = self.provider.info();
        let Some(object) = self.current else {
            let verdict = if info.data { Verdict::Read } else { Verdict::Create { resumed: false } };
            return Ok((verdict, Vec::new()));
        };
        if object.phase == Phase::Creating {
            return Ok((Verdict::Create { resumed: true }, Vec::new()));
        }
        if info.data {
            let same = planned.known() == Some(&object.inputs) && object.phase == Phase::Live && !self.insisted;
            return Ok((if same { Verdict::Same } else { Verdict::Read }, Vec::new()));
        }
        let changes = differences(object, self.provider, planned);
        if let Phase::Broken { error } = &object.phase {
            return Ok((self.replace(true, Reason::Broken { error: error.clone() }), changes));
        }
        self.compared(object, planned, changes)
    }

    /// The verdict on an object that serves.
    fn compared(&self, object: &Object, planned: &Planned, changes: Vec<Change>) -> Result<Judged, Error> {
        let replacing: Vec<&Change> = changes.iter().filter(|change| change.effect == Effect::Replace).collect();
        if self.insisted {
            let reason = if replacing.is_empty() { Reason::Insisted } else { Reason::NeedsReplacing };
            return Ok((self.replace(true, reason), changes));
        }
        if changes.is_empty() {
            return Ok((Verdict::Same, changes));
        }
        if let Some(Refusal { reason, hint }) = self.provider.refuse_update(&object.inputs, planned) {
            return Err(Error::Refused { urn: self.resource.urn.clone(), reason, hint });
        }
        if replacing.is_empty() {
            return Ok((Verdict::Update, changes));
        }
        // What goes before its inputs can be known cannot be compared again: it goes for certain.
        let certain = self.forced || replacing.iter().any(|change| !change.unknown());
        let precious = self.resource.protect || self.provider.keeps(&object.inputs);
        if self.provider.info().refuse_replace || precious {
            if !certain {
                // Compared again, known, before it runs: then it is an update after all, or refused.
                return Ok((Verdict::Update, changes));
            }
            let fields: Vec<&str> = replacing.iter().map(|change| change.path.as_str()).collect();
            return Err(Error::Protected {
                urn: self.resource.urn.clone(),
                reason: format!("changing {} would destroy it and make a new one", fields.join(", ")),
            });
        }
        Ok((self.replace(certain, Reason::NeedsReplacing), changes))
    }

    fn replace(&self, certain: bool, reason: Reason) -> Verdict {
        Verdict::Replace { order: self.order, certain, reason }
    }
}

/// The path of the change that claims an imported object.
pub const OWNERSHIP: &str = "ownership";

/// What differs, and that an imported object is not marked as ours yet.
fn differences(object: &Object, provider: &dyn DynProvider, planned: &Planned) -> Vec<Change> {
    let mut changes = provider.diff(&object.inputs, planned);
    if !object.claimed {
        let new = Some(Planned::Known("this stack's".into()));
        changes.insert(0, Change { path: OWNERSHIP.to_owned(), old: None, new, effect: Effect::Update });
    }
    changes
}
