//! Not found: success for a deletion, an answer for a read, and only a delay for a
//! call that names something made a moment ago.

use std::future::Future;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
};

use super::errors::classify;

/// A deletion's result, where already gone is success.
///
/// # Errors
/// Every error but [`ErrorClass::NotFound`].
pub fn gone_is_ok<T>(result: Result<T, ProviderError>) -> Result<(), ProviderError> {
    found(result).map(drop)
}

/// A read's result, where not found is an answer.
///
/// # Errors
/// Every error but [`ErrorClass::NotFound`].
pub fn found<T>(result: Result<T, ProviderError>) -> Result<Option<T>, ProviderError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An object that an interrupted creation made, and that is not there any more. The
/// next run looks for it again, and makes it if it is gone for good.
pub fn vanished(id: &str) -> ProviderError {
    ProviderError::new(ErrorClass::NotFound, format!("{id} was made by an interrupted run and is gone now"))
        .hint("Run the same command again: it looks for the object and makes it if need be.")
}

/// Like [`super::call`], for calls that name an object of ours which may not be visible
/// everywhere yet. A not-found whose message contains `what` is tried again as
/// [`ErrorClass::Propagation`]; give the object's name where the service says it, so
/// that a mistake in another name fails at once, and `""` where it does not.
///
/// # Errors
/// What [`Ctx::call`] gives up with.
pub async fn call_fresh<T, E, F, Fut>(
    ctx: &Ctx,
    service: &'static str,
    operation: &'static str,
    repeat: Repeat,
    what: &str,
    mut send: F,
) -> Result<T, ProviderError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    ctx.call(service, operation, repeat, || {
        let sent = send();
        async { sent.await.map_err(|error| not_visible_yet(classify(error), what)) }
    })
    .await
}

fn not_visible_yet(error: ProviderError, what: &str) -> ProviderError {
    if error.class == ErrorClass::NotFound && error.message.contains(what) {
        ProviderError { class: ErrorClass::Propagation, ..error }
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass, message: &str) -> ProviderError {
        ProviderError::new(class, message)
    }

    #[test]
    fn only_not_found_is_forgiven() {
        assert_eq!(gone_is_ok::<()>(Err(error(ErrorClass::NotFound, ""))), Ok(()));
        assert_eq!(found(Ok(1)), Ok(Some(1)));
        let denied = error(ErrorClass::Denied, "no");
        assert_eq!(gone_is_ok::<()>(Err(denied.clone())), Err(denied));
    }

    #[test]
    fn only_the_fresh_object_is_waited_for() {
        let class = |message| not_visible_yet(error(ErrorClass::NotFound, message), "ray-node-1a2b").class;
        assert_eq!(class("The role with name ray-node-1a2b cannot be found."), ErrorClass::Propagation);
        assert_eq!(
            class("Policy arn:aws:iam::aws:policy/X does not exist or is not attachable."),
            ErrorClass::NotFound
        );
    }
}
