//! One API call under the engine's retry policy.

use std::future::Future;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
};

use super::errors::classify;

/// Sends a call, e.g. `call(ctx, "iam", "GetRole", Repeat::Safe, || client.get_role().role_name(n).send())`.
///
/// # Errors
/// What [`Ctx::call`] gives up with.
pub async fn call<T, E, F, Fut>(
    ctx: &Ctx,
    service: &'static str,
    operation: &'static str,
    repeat: Repeat,
    mut send: F,
) -> Result<T, ProviderError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    ctx.call(service, operation, repeat, || {
        let sent = send();
        async { sent.await.map_err(classify) }
    })
    .await
}

/// An answer that lacks what the API promises.
pub fn unexpected(operation: &str, what: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Failed, format!("the answer to {operation} has no {what}"))
}
