//! `rayplat token`: what kubectl runs to get in.

use jiff::Timestamp;
use rayplat_engine::error::{ErrorClass, ProviderError};
use rayplat_resources::kubernetes::kubeconfig::exec_credential;

use crate::{
    args::Global,
    clients,
    exit::{Ending, Failure},
    report::out,
};

pub async fn run(global: &Global, cluster: &str) -> Result<Ending, Failure> {
    let Some(region) = global.region.clone() else {
        return Err(Failure::Usage {
            message: "a token is for a cluster of one region".to_owned(),
            hint: "Name it: rayplat token --cluster NAME --region REGION.".to_owned(),
        });
    };
    let token = clients::connect(global, &region, None).await.kubernetes.tokens(cluster)?.token().await?;
    let expires = Timestamp::try_from(token.expires)
        .map_err(|error| ProviderError::new(ErrorClass::Failed, format!("the token's end is no time: {error}")))?;
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    out(&exec_credential(&token.text, &expires).to_string());
    Ok(Ending::Done)
}
