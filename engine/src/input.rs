//! The authoring form of inputs: typed, with references to outputs.

use std::{borrow::Cow, marker::PhantomData};

use serde::Serialize;
use serde_json::Value;

use crate::{urn::Urn, value::Expr};

/// A typed reference to an output of a resource in the same stack.
///
/// The type says what the output is, so that a subnet id cannot feed a VPC id.
pub struct Output<T> {
    urn: Urn,
    field: Cow<'static, str>,
    of: PhantomData<fn() -> T>,
}

impl<T> Output<T> {
    /// Refers to `field` of `urn`; dots go into objects. That the output exists and
    /// has this type is checked when the reference is evaluated.
    pub fn new(urn: Urn, field: impl Into<Cow<'static, str>>) -> Self {
        Self { urn, field: field.into(), of: PhantomData }
    }

    /// The reference as an expression.
    pub fn expr(&self) -> Expr {
        Expr::Ref { urn: self.urn.clone(), field: self.field.to_string() }
    }

    /// The resource referred to.
    pub fn urn(&self) -> &Urn {
        &self.urn
    }
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Self::new(self.urn.clone(), self.field.clone())
    }
}

/// A value for a field of a kind's inputs: known, a reference, or an expression.
pub struct Input<T> {
    expr: Expr,
    of: PhantomData<fn() -> T>,
}

impl<T> Input<T> {
    /// An expression whose value has type `T`. The type is the caller's word; the
    /// value is checked against it before it reaches a provider.
    pub fn expr(expr: Expr) -> Self {
        Self { expr, of: PhantomData }
    }

    /// The expression.
    pub fn into_expr(self) -> Expr {
        self.expr
    }
}

impl<T> Clone for Input<T> {
    fn clone(&self) -> Self {
        Self::expr(self.expr.clone())
    }
}

impl<T: Serialize> Input<T> {
    /// A known value.
    pub fn value(value: &T) -> Self {
        // A value that JSON cannot express (a map with non-text keys) is a mistake
        // in the kind's type; as null it is refused when the inputs are decoded.
        Self::expr(Expr::Value(serde_json::to_value(value).unwrap_or(Value::Null)))
    }
}

impl<T: Serialize> From<T> for Input<T> {
    fn from(value: T) -> Self {
        Self::value(&value)
    }
}

impl From<&str> for Input<String> {
    fn from(value: &str) -> Self {
        Self::value(&value.to_owned())
    }
}

impl<T> From<Output<T>> for Input<T> {
    fn from(output: Output<T>) -> Self {
        Self::expr(output.expr())
    }
}

impl<T> From<Output<T>> for Input<Option<T>> {
    fn from(output: Output<T>) -> Self {
        Self::expr(output.expr())
    }
}

impl<T> From<Vec<Input<T>>> for Input<Vec<T>> {
    fn from(items: Vec<Input<T>>) -> Self {
        Self::expr(Expr::List(items.into_iter().map(Input::into_expr).collect()))
    }
}

impl<T> From<Vec<Output<T>>> for Input<Vec<T>> {
    fn from(outputs: Vec<Output<T>>) -> Self {
        Self::expr(Expr::List(outputs.iter().map(Output::expr).collect()))
    }
}

impl<T: Serialize + Default> Default for Input<T> {
    fn default() -> Self {
        Self::value(&T::default())
    }
}

/// The authoring form of a kind's inputs; made by [`crate::inputs!`].
pub trait Args {
    /// The plain form, all values known.
    type Inputs;

    /// The fields as one expression.
    fn into_expr(self) -> Expr;
}

/// Defines a kind's inputs twice: a plain struct of known values, which a
/// provider receives, and an authoring struct whose fields are [`Input`]s.
///
/// ```
/// rayplat_engine::inputs! {
///     /// A disk.
///     pub struct DiskInputs, DiskArgs {
///         /// GiB.
///         pub size: u32,
///         /// Labels.
///         pub labels: Vec<String>,
///     }
/// }
/// let args = DiskArgs { size: 20.into(), ..Default::default() };
/// # let _ = args;
/// ```
#[macro_export]
macro_rules! inputs {
    (
        $(#[$meta:meta])*
        pub struct $inputs:ident, $args:ident {
            $( $(#[$field_meta:meta])* pub $field:ident : $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        // A state of before a field was there is read with the field's default.
        #[derive(Debug, Clone, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        // A state of an older version lacks the fields that came later.
        #[serde(default)]
        pub struct $inputs {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        $(#[$meta])*
        ///
        /// The authoring form: each field is a value or a reference.
        #[derive(Clone, Default)]
        pub struct $args {
            $( $(#[$field_meta])* pub $field: $crate::input::Input<$type>, )*
        }

        impl $crate::input::Args for $args {
            type Inputs = $inputs;

            fn into_expr(self) -> $crate::value::Expr {
                $crate::value::Expr::Object(vec![
                    $((
                        $crate::value::Expr::Value(stringify!($field).into()),
                        self.$field.into_expr(),
                    ),)*
                ])
            }
        }
    };
}
