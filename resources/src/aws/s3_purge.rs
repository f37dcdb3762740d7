//! Deleting a bucket, which must be empty: of every version and every delete marker.

use aws_sdk_s3::{
    Client,
    types::{Delete, ObjectIdentifier},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
};

use super::{call, found, gone_is_ok, s3_bucket::incomplete};

/// So often a bucket is emptied anew when somebody goes on writing into it.
const ROUNDS: u32 = 5;

/// Deletes the bucket; with `purge`, everything in it first.
pub(super) async fn delete(ctx: &Ctx, s3: &Client, name: &str, purge: bool) -> Result<(), ProviderError> {
    let mut rounds = 0;
    loop {
        if purge {
            empty(ctx, s3, name).await?;
        } else if let Some(holds) = first(ctx, s3, name).await? {
            return Err(not_empty(name, &holds));
        }
        let deleted = call(ctx, "s3", "DeleteBucket", Repeat::Safe, || s3.delete_bucket().bucket(name).send()).await;
        rounds += 1;
        match gone_is_ok(deleted) {
            Err(error) if error.code.as_deref() == Some("BucketNotEmpty") => {
                if rounds >= ROUNDS || !purge {
                    return Err(error.hint(format!(
                        "Somebody goes on writing into {name}: stop them, then run the same command again."
                    )));
                }
            }
            other => return other,
        }
    }
}

fn not_empty(name: &str, holds: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Invalid, format!("the bucket {name} is not empty: it holds {holds}")).hint(
        "Nothing was deleted. Look whether anybody needs what is in it. Then set `purge_on_delete: true` for it in the \
         manifest, run `up` and this again; or empty it yourself (Empty, in the S3 console, takes older versions and delete \
         markers too).",
    )
}

/// Something that the bucket holds; `None` if it is empty or gone.
async fn first(ctx: &Ctx, s3: &Client, name: &str) -> Result<Option<String>, ProviderError> {
    let page = call(ctx, "s3", "ListObjectVersions", Repeat::Safe, || {
        s3.list_object_versions().bucket(name).max_keys(1).send()
    })
    .await;
    let Some(page) = found(page)? else { return Ok(None) };
    let object = page.versions().first().map(|one| match one.is_latest() {
        Some(true) => format!("{} and maybe more", one.key().unwrap_or_default()),
        _ => format!("an older version of {}", one.key().unwrap_or_default()),
    });
    let marker = page.delete_markers().first();
    Ok(object.or_else(|| marker.map(|one| format!("older versions of {}", one.key().unwrap_or_default()))))
}

/// Deletes all versions and delete markers, a page at a time, always from the beginning.
async fn empty(ctx: &Ctx, s3: &Client, name: &str) -> Result<(), ProviderError> {
    let mut count = 0;
    loop {
        let page =
            call(ctx, "s3", "ListObjectVersions", Repeat::Safe, || s3.list_object_versions().bucket(name).send()).await;
        let Some(page) = found(page)? else { return Ok(()) };
        let versions = page.versions().iter().map(|one| (one.key(), one.version_id()));
        let markers = page.delete_markers().iter().map(|one| (one.key(), one.version_id()));
        let all = versions
            .chain(markers)
            .map(|(key, id)| {
                let key = key.unwrap_or_default();
                ObjectIdentifier::builder().key(key).set_version_id(id.map(str::to_owned)).build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(incomplete)?;
        if all.is_empty() {
            return Ok(());
        }
        count += all.len();
        delete_page(ctx, s3, name, all).await?;
        ctx.status(&format!("{count} versions and delete markers deleted"));
    }
}

async fn delete_page(ctx: &Ctx, s3: &Client, name: &str, all: Vec<ObjectIdentifier>) -> Result<(), ProviderError> {
    let request = Delete::builder().set_objects(Some(all)).quiet(true).build().map_err(incomplete)?;
    let answer = call(ctx, "s3", "DeleteObjects", Repeat::Safe, || {
        s3.delete_objects().bucket(name).delete(request.clone()).send()
    })
    .await;
    let Some(answer) = found(answer)? else { return Ok(()) };
    match answer.errors().first() {
        None => Ok(()),
        Some(error) => {
            let (code, key) = (error.code().unwrap_or("Unknown"), error.key().unwrap_or_default());
            let message = format!("{key} in {name} cannot be deleted: {}", error.message().unwrap_or_default());
            Err(ProviderError::new(ErrorClass::Failed, message).code(code).during("s3", "DeleteObjects"))
        }
    }
}
