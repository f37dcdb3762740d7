//! The desired resources of a platform: a graph built in code.

use std::collections::{BTreeSet, HashMap};

use petgraph::graph::{DiGraph, NodeIndex};

use crate::{
    input::Args,
    provider::Provider,
    urn::{Urn, UrnError},
    value::Expr,
};

/// One desired resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its name.
    pub urn: Urn,
    /// Its inputs.
    pub inputs: Expr,
    /// Resources that must stand before it although no input refers to them.
    pub after: BTreeSet<Urn>,
    /// Resources that must stand before it is made, and until it is gone; a change of it
    /// in place does not wait for theirs.
    pub after_create: BTreeSet<Urn>,
    /// Resources that are changed before it where one run changes both. Order alone: it
    /// gives way where it would close a circle.
    pub after_update: BTreeSet<Urn>,
    /// Resources that it goes before where one run destroys both; nothing else waits for
    /// anything by this. Order alone: it gives way where it would close a circle.
    pub goes_before: BTreeSet<Urn>,
    /// Refuse plans that would destroy it.
    pub protect: bool,
}

impl Resource {
    /// A resource that nothing but its inputs says anything of.
    pub fn new(urn: Urn, inputs: Expr) -> Self {
        let none = BTreeSet::new;
        Self {
            urn,
            inputs,
            after: none(),
            after_create: none(),
            after_update: none(),
            goes_before: none(),
            protect: false,
        }
    }

    /// Everything it depends on: references, `after` and `after_create`, sorted.
    pub fn depends_on(&self) -> BTreeSet<Urn> {
        let mut urns = self.changes_after();
        urns.extend(self.after_create.iter().cloned());
        urns
    }

    /// What must stand until it is gone: everything that it depends on, and `goes_before`. Recorded
    /// with the object, sorted.
    pub fn outlived_by(&self) -> BTreeSet<Urn> {
        let mut urns = self.depends_on();
        urns.extend(self.goes_before.iter().cloned());
        urns
    }

    /// What a change of it in place waits for: references and `after`, sorted.
    pub fn changes_after(&self) -> BTreeSet<Urn> {
        let mut urns = self.after.clone();
        self.inputs.each_ref(&mut |urn, _| {
            urns.insert(urn.clone());
        });
        urns
    }
}

/// Why a resource cannot be added to a stack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// Its name is no good.
    #[error(transparent)]
    Name(#[from] UrnError),
    /// The name is taken.
    #[error("{0} is in the stack already")]
    Duplicate(Urn),
    /// It refers to something that was not added before it. Adding in order makes
    /// circles impossible.
    #[error("{urn} refers to {missing}, which is not in the stack before it")]
    Unknown {
        /// The resource being added.
        urn: Urn,
        /// What it refers to.
        missing: Urn,
    },
    /// A part of it cannot be made of what it is made from.
    #[error("{message}")]
    Part {
        /// Which, and why.
        message: String,
    },
}

/// Outputs of a kind, and typed references to them; made by [`crate::outputs!`].
pub trait OutputSet {
    /// The references.
    type Refs;

    /// References to the outputs of `urn`.
    fn refs(urn: &Urn) -> Self::Refs;
}

impl OutputSet for () {
    type Refs = ();

    fn refs(_: &Urn) {}
}

impl OutputSet for serde_json::Value {
    type Refs = ();

    fn refs(_: &Urn) {}
}

/// Defines a kind's outputs and the typed references to them.
///
/// ```
/// rayplat_engine::outputs! {
///     /// A disk.
///     pub struct DiskOutputs, DiskRefs {
///         /// Its path.
///         pub path: String,
///     }
/// }
/// ```
#[macro_export]
macro_rules! outputs {
    (
        $(#[$meta:meta])*
        pub struct $outputs:ident, $refs:ident {
            $( $(#[$field_meta:meta])* pub $field:ident : $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        // A state of before an output was there is read with the output's default.
        #[derive(Debug, Clone, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        // A state of an older version lacks the fields that came later.
        #[serde(default)]
        pub struct $outputs {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        $(#[$meta])*
        ///
        /// References to the outputs.
        #[derive(Clone, Debug)]
        pub struct $refs {
            urn: $crate::urn::Urn,
        }

        impl $refs {
            $(
                $(#[$field_meta])*
                pub fn $field(&self) -> $crate::input::Output<$type> {
                    $crate::input::Output::new(self.urn.clone(), stringify!($field))
                }
            )*
        }

        impl $crate::stack::OutputSet for $outputs {
            type Refs = $refs;

            fn refs(urn: &$crate::urn::Urn) -> $refs {
                $refs { urn: urn.clone() }
            }
        }
    };
}

/// A resource that was added.
pub struct Added<P: Provider> {
    /// Its name.
    pub urn: Urn,
    /// References to its outputs.
    pub out: <P::Outputs as OutputSet>::Refs,
}

/// The desired resources of one platform.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    name: String,
    graph: DiGraph<Resource, ()>,
    index: HashMap<Urn, NodeIndex>,
}

impl Stack {
    /// An empty stack. The name is written on every resource as a tag.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a resource.
    ///
    /// # Errors
    /// See [`StackError`].
    pub fn add<P: Provider>(
        &mut self,
        name: &str,
        args: impl Args<Inputs = P::Inputs>,
    ) -> Result<Added<P>, StackError> {
        let urn = Urn::new(P::TYPE, name)?;
        self.insert(Resource::new(urn.clone(), args.into_expr()))?;
        let out = P::Outputs::refs(&urn);
        Ok(Added { urn, out })
    }

    /// Adds a resource in its general form.
    ///
    /// # Errors
    /// See [`StackError`].
    pub fn insert(&mut self, resource: Resource) -> Result<(), StackError> {
        if self.index.contains_key(&resource.urn) {
            return Err(StackError::Duplicate(resource.urn));
        }
        let depends_on = resource.depends_on();
        let targets = depends_on.iter().map(|on| self.find(&resource.urn, on)).collect::<Result<Vec<_>, _>>()?;
        let urn = resource.urn.clone();
        let node = self.graph.add_node(resource);
        for target in targets {
            self.graph.add_edge(target, node, ());
        }
        self.index.insert(urn, node);
        Ok(())
    }

    /// Makes `urn` wait for `other` although no input refers to it. State the reason
    /// where it is called: every such edge costs time.
    ///
    /// # Errors
    /// Either is not in the stack, or `other` was added after `urn`.
    pub fn after(&mut self, urn: &Urn, other: &Urn) -> Result<(), StackError> {
        let node = self.link(urn, other)?;
        self.graph[node].after.insert(other.clone());
        Ok(())
    }

    /// Makes `urn` wait for `other` when it is made, and go before it; a change of `urn` in
    /// place does not wait for one of `other`.
    ///
    /// # Errors
    /// As for [`Stack::after`].
    pub fn after_create(&mut self, urn: &Urn, other: &Urn) -> Result<(), StackError> {
        let node = self.link(urn, other)?;
        self.graph[node].after_create.insert(other.clone());
        Ok(())
    }

    /// Where one run changes both, `other` is changed before `urn`; whichever was added
    /// first. See [`Resource::after_update`].
    ///
    /// # Errors
    /// Either is not in the stack.
    pub fn after_update(&mut self, urn: &Urn, other: &Urn) -> Result<(), StackError> {
        let node = self.find(other, urn)?;
        self.find(urn, other)?;
        self.graph[node].after_update.insert(other.clone());
        Ok(())
    }

    /// Where one run destroys both, `urn` goes before `other`; whichever was added first. See
    /// [`Resource::goes_before`].
    ///
    /// # Errors
    /// Either is not in the stack.
    pub fn goes_before(&mut self, urn: &Urn, other: &Urn) -> Result<(), StackError> {
        let node = self.find(other, urn)?;
        self.find(urn, other)?;
        self.graph[node].goes_before.insert(other.clone());
        Ok(())
    }

    /// An edge from `other`, which was added before `urn`.
    fn link(&mut self, urn: &Urn, other: &Urn) -> Result<NodeIndex, StackError> {
        let node = self.find(other, urn)?;
        let target = self.find(urn, other)?;
        if target >= node {
            return Err(StackError::Unknown { urn: urn.clone(), missing: other.clone() });
        }
        self.graph.update_edge(target, node, ());
        Ok(node)
    }

    /// Refuses plans that would destroy `urn`.
    ///
    /// # Errors
    /// It is not in the stack.
    pub fn protect(&mut self, urn: &Urn) -> Result<(), StackError> {
        let node = self.find(urn, urn)?;
        self.graph[node].protect = true;
        Ok(())
    }

    fn find(&self, by: &Urn, urn: &Urn) -> Result<NodeIndex, StackError> {
        self.index.get(urn).copied().ok_or_else(|| StackError::Unknown { urn: by.clone(), missing: urn.clone() })
    }

    /// The resource of that name.
    pub fn get(&self, urn: &Urn) -> Option<&Resource> {
        self.index.get(urn).map(|node| &self.graph[*node])
    }

    /// All resources; each after everything it depends on.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.graph.node_weights()
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.graph.node_count() == 0
    }

    /// The graph: an edge leads from a resource to what depends on it.
    pub fn graph(&self) -> &DiGraph<Resource, ()> {
        &self.graph
    }
}
